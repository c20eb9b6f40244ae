// A detection head whose convolutions serve three branches: one int8 tensor each in the file, and
// the same outputs as with weights cloned by hand.
#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "backends/backends.h"
#include "compiler/calibration/calibrate.h"
#include "compiler/data/dataset.h"
#include "compiler/interpreter/interpreter.h"
#include "compiler/onnx/import.h"
#include "compiler/plan/apply.h"
#include "passes/pipeline.h"
#include "tests/support/plan_fixture.h"

namespace octet::backends {
namespace {

const std::string kFolder = std::string(OCTET_SOURCE_DIR) + "/models/digits_shared_head/";

ir::Graph shared_head() { return testing::must(onnx::import_model(kFolder + "model.onnx")); }

// A constant of its own for every reader of a convolution weight.
ir::Graph with_cloned_weights() {
  ir::Graph graph = shared_head();
  const std::vector<ir::NodeId> order = graph.order();
  for (ir::NodeId id : order) {
    if (!graph.node(id).is("Conv")) continue;
    const ir::Value& weight = graph.value(graph.node(id).input(1));
    const ir::ValueId clone = testing::must(
        graph.add_constant(graph.unique_value_name(weight.name + "_clone"), weight.constant));
    graph.set_input(id, 1, clone);
  }
  graph.remove_unused_constants();
  return graph;
}

std::unique_ptr<data::Dataset> samples(const ir::Graph& graph, const char* file, size_t limit) {
  std::vector<data::InputSpec> inputs;
  for (ir::ValueId id : graph.required_inputs()) {
    inputs.push_back({graph.value(id).name, graph.value(id).type});
  }
  data::OpenOptions options;
  options.limit = limit;
  return testing::must(data::open_dataset(kFolder + file, inputs, options));
}

ir::Graph quantized(ir::Graph graph, const std::string& backend) {
  (void)testing::must(passes::canonicalize(graph));
  const auto shared = std::make_shared<const ir::Graph>(graph);
  calibration::CalibrateOptions options;
  options.values = calibration::observable_values(graph);
  const auto statistics = testing::must(
      calibration::calibrate(shared, *samples(graph, "calibration.npy", 32), options));
  testing::must(plan::apply_plan(graph, testing::plan_for(graph, backend, statistics)));
  testing::must(emit(graph, testing::backend(backend)));
  return graph;
}

// How many dequantize nodes read each int8 constant of rank 4.
std::map<std::string, int64_t> readers_of_weights(const ir::Graph& graph) {
  std::map<std::string, int64_t> out;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const ir::Value& value = graph.value(ir::ValueId(i));
    if (value.alive && value.is_constant() && value.constant->dtype() == ir::DType::kInt8 &&
        value.constant->rank() == 4) {
      out[value.name] = static_cast<int64_t>(graph.uses(ir::ValueId(i)).size());
    }
  }
  return out;
}

TEST(SharedHead, EachSharedWeightIsOneTensorWithThreeReaders) {
  for (const char* backend : {"x86", "arm", "openvino", "tensorrt"}) {
    int64_t shared = 0;
    for (const auto& [name, readers] : readers_of_weights(quantized(shared_head(), backend))) {
      if (name.rfind("head.", 0) != 0) continue;
      EXPECT_EQ(readers, 3) << backend << " " << name;
      ++shared;
    }
    EXPECT_EQ(shared, 4) << backend;
  }
}

TEST(SharedHead, ClonedWeightsGiveTheSameOutputs) {
  for (const char* backend : {"x86", "tensorrt"}) {
    const auto one = std::make_shared<const ir::Graph>(quantized(shared_head(), backend));
    const auto cloned =
        std::make_shared<const ir::Graph>(quantized(with_cloned_weights(), backend));
    const auto a = testing::must(interpreter::Interpreter::create(one, {}));
    const auto b = testing::must(interpreter::Interpreter::create(cloned, {}));
    const auto data = samples(*one, "evaluation.npy", 8);
    for (size_t i = 0; i < data->size(); ++i) {
      const data::Sample sample = testing::must(data->get(i));
      const auto x = testing::must(a.run(sample));
      const auto y = testing::must(b.run(sample));
      for (size_t k = 0; k < x.size(); ++k) {
        const auto u = x[k].to_floats();
        const auto v = y[k].to_floats();
        ASSERT_EQ(u.size(), v.size());
        double power = 0.0;
        double noise = 0.0;
        for (size_t j = 0; j < u.size(); ++j) {
          power += u[j] * u[j];
          noise += (u[j] - v[j]) * (u[j] - v[j]);
        }
        // Folding the batch norm into a clone rounds the weight once more in float32, which can
        // move an integer that sits at a tie; nothing beyond that may differ.
        EXPECT_LT(noise, power * 1e-4) << backend << " sample " << i << " output " << k;
      }
    }
  }
}

}  // namespace
}  // namespace octet::backends
