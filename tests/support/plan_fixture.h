// Small networks for the tests of planner and backends, with statistics made by hand.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "backends/backends.h"
#include "compiler/calibration/fingerprint.h"
#include "compiler/calibration/statistics.h"
#include "compiler/ops/schema.h"
#include "compiler/plan/planner.h"
#include "tests/support/graph_builder.h"

namespace octet::testing {

// Statistics in which every float value was seen in [min, max], except those named in `ranges`.
inline calibration::Statistics statistics_for(
    const ir::Graph& graph, float min, float max,
    const std::map<std::string, std::pair<float, float>>& ranges = {}) {
  calibration::Statistics out;
  out.fingerprint = calibration::fingerprint(graph);
  out.samples = 1;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const ir::Value& value = graph.value(ir::ValueId(i));
    if (!value.alive || value.is_constant()) continue;
    calibration::TensorStatistics& tensor = out.tensors[value.name];
    const auto special = ranges.find(value.name);
    tensor.samples = 1;
    tensor.elements = 1;
    tensor.min = special == ranges.end() ? min : special->second.first;
    tensor.max = special == ranges.end() ? max : special->second.second;
  }
  return out;
}

// Deterministic values in [-1, 1], none of them zero.
inline std::vector<float> weights(size_t count) {
  std::vector<float> out(count);
  for (size_t i = 0; i < count; ++i) {
    out[i] = (static_cast<float>((i * 7919) % 200) - 99.5F) / 99.5F;
  }
  return out;
}

// A network under construction: convolutions of 4 channels on 8x8 pictures.
class Network {
 public:
  Network() : builder_(ops::infer_node) {}

  ir::ValueId input(const std::string& name = "x") { return builder_.input(name, {1, 4, 8, 8}); }
  ir::ValueId conv(ir::ValueId x, const std::string& name) {
    const ir::ValueId w = builder_.constant<float>(name + ".weight", {4, 4, 3, 3}, weights(144));
    const ir::ValueId b = builder_.constant<float>(name + ".bias", {4}, {0.1F, -0.2F, 0.3F, 0.0F});
    return conv_with(x, w, b, name);
  }
  ir::ValueId conv_with(ir::ValueId x, ir::ValueId w, ir::ValueId b, const std::string& name) {
    return named(builder_.op("Conv", {x, w, b}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}}, name),
                 name);
  }
  ir::ValueId op(const std::string& type, std::vector<ir::ValueId> inputs, const std::string& name,
                 ir::AttributeMap attributes = {}) {
    return named(builder_.op(type, std::move(inputs), std::move(attributes), name), name);
  }
  ir::ValueId max_pool(ir::ValueId x, const std::string& name) {
    return op("MaxPool", {x}, name, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
  }
  GraphBuilder& builder() { return builder_; }
  ir::Graph finish(const std::vector<ir::ValueId>& outputs) {
    for (ir::ValueId id : outputs) builder_.output(id);
    return builder_.finish();
  }

 private:
  // The result of a node goes by the node's name, so that tests can speak of it.
  ir::ValueId named(ir::ValueId id, const std::string& name) {
    must(builder_.graph().rename_value(id, name));
    return id;
  }

  GraphBuilder builder_;
};

inline plan::BackendSpec backend(const std::string& name) {
  return must(backends::load_backend(name));
}

inline plan::QuantPlan plan_for(const ir::Graph& graph, const std::string& backend_name,
                                const calibration::Statistics& statistics,
                                const plan::Recipe& recipe = {}) {
  return must(plan::make_plan(graph, statistics, backend(backend_name), recipe));
}

// The quantizer of a value, or null.
inline const plan::ActivationQuantizer* quantizer(const plan::QuantPlan& plan,
                                                  const std::string& value) {
  for (const plan::ActivationQuantizer& candidate : plan.activations) {
    if (candidate.value == value) return &candidate;
  }
  return nullptr;
}

inline std::vector<std::string> quantized_values(const plan::QuantPlan& plan) {
  std::vector<std::string> out;
  for (const auto& activation : plan.activations) out.push_back(activation.value);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace octet::testing
