// A detection head whose convolutions serve three branches: one int8 tensor each in the file, and
// the same outputs as with weights cloned by hand.
#include <gtest/gtest.h>

#include <functional>
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
    const auto copy = std::make_shared<const ir::Tensor>(*weight.constant);
    const ir::ValueId clone =
        testing::must(graph.add_constant(graph.unique_value_name(weight.name + "_clone"), copy));
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

ir::Graph quantized(ir::Graph graph, const std::string& backend,
                    const passes::PipelineOptions& pass_options = {}) {
  (void)testing::must(passes::canonicalize(graph, pass_options));
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

// What the two graphs give for the first samples, sample by sample and output by output.
void compare_outputs(const ir::Graph& a, const ir::Graph& b,
                     const std::function<void(const ir::Tensor&, const ir::Tensor&)>& check) {
  const auto one =
      testing::must(interpreter::Interpreter::create(std::make_shared<const ir::Graph>(a), {}));
  const auto other =
      testing::must(interpreter::Interpreter::create(std::make_shared<const ir::Graph>(b), {}));
  const auto data = samples(a, "evaluation.npy", 8);
  for (size_t i = 0; i < data->size(); ++i) {
    const data::Sample sample = testing::must(data->get(i));
    const auto x = testing::must(one.run(sample));
    const auto y = testing::must(other.run(sample));
    ASSERT_EQ(x.size(), y.size());
    for (size_t k = 0; k < x.size(); ++k) {
      SCOPED_TRACE(cat("sample ", i, " output ", k));
      check(x[k], y[k]);
    }
  }
}

TEST(SharedHead, ClonedWeightsGiveTheSameOutputs) {
  for (const char* backend : {"x86", "arm", "openvino", "tensorrt"}) {
    SCOPED_TRACE(backend);
    const ir::Graph cloned = quantized(with_cloned_weights(), backend);
    compare_outputs(
        quantized(shared_head(), backend), cloned,
        [](const ir::Tensor& x, const ir::Tensor& y) { EXPECT_EQ(x.to_floats(), y.to_floats()); });
    for (const auto& [name, readers] : readers_of_weights(cloned)) {
      if (name.rfind("head.", 0) == 0) {
        EXPECT_EQ(readers, 3) << name;
      }
    }
  }
}

// With copies kept apart each batch norm goes into the float weight of its copy. That rounds the
// weight once more in float32, which moves integers that lie next to a tie, and nothing else.
TEST(SharedHead, ScalesPerBranchAreWorthAWeightPerBranch) {
  for (const char* backend : {"x86", "tensorrt"}) {
    SCOPED_TRACE(backend);
    passes::PipelineOptions apart;
    apart.disabled = {"share_equal_weights"};
    compare_outputs(quantized(shared_head(), backend),
                    quantized(with_cloned_weights(), backend, apart),
                    [](const ir::Tensor& x, const ir::Tensor& y) {
                      const auto u = x.to_floats();
                      const auto v = y.to_floats();
                      ASSERT_EQ(u.size(), v.size());
                      double power = 0.0;
                      double noise = 0.0;
                      for (size_t j = 0; j < u.size(); ++j) {
                        power += u[j] * u[j];
                        noise += (u[j] - v[j]) * (u[j] - v[j]);
                      }
                      EXPECT_LT(noise, power * 1e-4);
                    });
  }
}

}  // namespace
}  // namespace octet::backends
