// Runs a graph by fast kernels and by reference evaluation and compares.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compiler/interpreter/interpreter.h"
#include "compiler/ops/schema.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_graph.h"

namespace octet::interpreter {

using ir::DType;
using ir::Graph;
using ir::Tensor;
using ir::ValueId;
using octet::testing::GraphBuilder;
using octet::testing::must;
using octet::testing::Random;

inline GraphBuilder builder(int64_t opset = 17) {
  ir::ModelInfo model;
  model.opset_imports = {{"", opset}};
  return GraphBuilder(ops::infer_node, model);
}

inline Tensor random_tensor(uint64_t seed, std::vector<int64_t> shape, float low = -2.0F,
                            float high = 2.0F) {
  Random random(seed);
  auto tensor = must(Tensor::zeros(DType::kFloat32, std::move(shape)));
  for (float& x : tensor.mutable_data<float>()) x = random.between(low, high);
  return tensor;
}

// Random values for every input; extents that are not known become `unknown`.
inline std::vector<Tensor> random_inputs(const Graph& graph, uint64_t seed, int64_t unknown = 2) {
  std::vector<Tensor> out;
  for (ValueId id : graph.required_inputs()) {
    std::vector<int64_t> shape;
    for (const ir::Dim& dim : graph.value(id).type.shape.dims()) {
      shape.push_back(dim.is_static() ? dim.extent() : unknown);
    }
    out.push_back(random_tensor(seed++, shape));
  }
  return out;
}

// Keeps copies of what it sees.
class Recorder : public Observer {
 public:
  Status observe(ValueId id, const Tensor& value) override {
    const auto bytes = value.bytes();
    seen[id] = must(Tensor::from_bytes(value.dtype(), value.shape(),
                                       std::vector<std::byte>(bytes.begin(), bytes.end())));
    order.push_back(id);
    return {};
  }
  std::map<ValueId, Tensor> seen;
  std::vector<ValueId> order;
};

inline std::vector<Tensor> run(const std::shared_ptr<const Graph>& graph,
                               const std::vector<Tensor>& inputs, Options options = {},
                               Observer* observer = nullptr) {
  const Interpreter interpreter = must(Interpreter::create(graph, std::move(options)));
  return must(interpreter.run(inputs, observer));
}

inline std::vector<ValueId> all_values(const Graph& graph) {
  std::vector<ValueId> out;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const ir::Value& value = graph.value(ValueId(i));
    if (value.alive && (value.is_input || value.producer.valid())) out.push_back(ValueId(i));
  }
  return out;
}

// Equal type and shape; floats within `tolerance` of the greatest magnitude, all else the same
// bits.
inline void expect_near(const Tensor& actual, const Tensor& expected, double tolerance,
                        const std::string& what) {
  ASSERT_EQ(actual.type().to_string(), expected.type().to_string()) << what;
  if (expected.dtype() != DType::kFloat32 || tolerance == 0.0) {
    EXPECT_TRUE(actual == expected) << what;
    return;
  }
  const auto a = actual.data<float>();
  const auto e = expected.data<float>();
  double scale = 1e-30;
  for (float x : e) {
    if (std::isfinite(x)) scale = std::max(scale, std::fabs(static_cast<double>(x)));
  }
  for (size_t i = 0; i < e.size(); ++i) {
    if (std::isnan(e[i]) && std::isnan(a[i])) continue;
    if (a[i] == e[i]) continue;
    ASSERT_LE(std::fabs(static_cast<double>(a[i]) - e[i]), tolerance * scale)
        << what << ", element " << i << " of " << expected.type().to_string() << ": " << a[i]
        << " instead of " << e[i];
  }
}

using Ints = std::vector<int64_t>;

constexpr double kTolerance = 1e-5;

// Outputs agree with nothing observed, and every value agrees with everything observed, in both
// element orders.
inline void expect_like_reference(Graph&& built, const std::vector<Tensor>& inputs,
                                  double tolerance = kTolerance) {
  const auto graph = std::make_shared<const Graph>(std::move(built));
  Options reference;
  reference.kernels = Kernels::kReference;
  reference.observed = all_values(*graph);
  Recorder expected;
  const auto expected_outputs = run(graph, inputs, reference, &expected);

  const auto outputs = run(graph, inputs);
  ASSERT_EQ(outputs.size(), expected_outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    expect_near(outputs[i], expected_outputs[i], tolerance, cat("output ", i));
  }

  Options observing;
  observing.observed = reference.observed;
  Recorder seen;
  run(graph, inputs, observing, &seen);
  EXPECT_EQ(seen.order.size(), observing.observed.size());
  for (const auto& [id, tensor] : expected.seen) {
    ASSERT_TRUE(seen.seen.contains(id)) << graph->value(id).name;
    expect_near(seen.seen.at(id), tensor, tolerance, "observed " + graph->value(id).name);
  }

  observing.observed_order = ElementOrder::kAny;
  Recorder any;
  run(graph, inputs, observing, &any);
  for (const auto& [id, tensor] : seen.seen) {
    ASSERT_TRUE(any.seen.contains(id));
    if (tensor.dtype() != DType::kFloat32) continue;
    auto a = any.seen.at(id).to_floats();
    auto b = tensor.to_floats();
    const auto less = [](float x, float y) { return std::isnan(y) ? !std::isnan(x) : x < y; };
    std::sort(a.begin(), a.end(), less);
    std::sort(b.begin(), b.end(), less);
    ASSERT_EQ(a.size(), b.size());
    EXPECT_TRUE(
        std::equal(a.begin(), a.end(), b.begin(),
                   [](float x, float y) { return x == y || (std::isnan(x) && std::isnan(y)); }))
        << graph->value(id).name << " in any order";
  }
}

inline void expect_like_reference(Graph&& graph, uint64_t seed = 1, double tolerance = kTolerance) {
  const auto inputs = random_inputs(graph, seed);
  expect_like_reference(std::move(graph), inputs, tolerance);
}

// A value of 21 channels, blocked and padded where kernels block.
inline ValueId blocked(GraphBuilder& b, const std::string& name, int64_t channels = 21,
                       int64_t batch = 2, Ints spatial = {5, 6}) {
  Ints shape = {batch, 4};
  Ints kernel = {channels, 4};
  shape.insert(shape.end(), spatial.begin(), spatial.end());
  kernel.insert(kernel.end(), spatial.size(), 1);
  return b.op("Conv",
              {b.input(name + "_in", shape), b.constant(name + "_w", random_tensor(9, kernel))}, {},
              name);
}

}  // namespace octet::interpreter
