// The finished graph of each backend, and the check that refuses a wrong one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "backends/backends.h"
#include "compiler/ir/verify.h"
#include "compiler/plan/apply.h"
#include "tests/support/plan_fixture.h"

namespace octet::backends {
namespace {

using ::testing::HasSubstr;
using testing::Network;

ir::Graph residual_network() {
  Network net;
  const auto c1 = net.conv(net.input(), "c1");
  const auto r1 = net.op("Relu", {c1}, "r1");
  const auto c2 = net.conv(r1, "c2");
  const auto sum = net.op("Add", {c2, r1}, "sum");
  const auto r2 = net.op("Relu", {sum}, "r2");
  return net.finish({net.conv(net.max_pool(r2, "pool"), "c3")});
}

ir::Graph finished(const std::string& backend) {
  ir::Graph graph = residual_network();
  const plan::QuantPlan plan =
      testing::plan_for(graph, backend, testing::statistics_for(graph, 0.0F, 2.0F));
  testing::must(plan::apply_plan(graph, plan));
  testing::must(emit(graph, testing::backend(backend)));
  return graph;
}

// The quantize or dequantize node that makes operand `input` of a node.
const ir::Node& producer(const ir::Graph& graph, const std::string& node, size_t input) {
  return graph.node(graph.value(graph.node(graph.find_node(node)).input(input)).producer);
}

TEST(Emit, EveryBackendPassesItsOwnCheckAndTheVerifier) {
  for (const std::string& backend : builtin_backends()) {
    const ir::Graph graph = finished(backend);
    EXPECT_TRUE(ir::verify(graph).ok()) << backend;
    EXPECT_TRUE(check_acceptance(graph, testing::backend(backend)).ok()) << backend;
  }
}

TEST(Emit, OnnxRuntimeBackendsHaveInt32BiasOfTheProductScale) {
  for (const char* backend : {"x86", "arm"}) {
    const ir::Graph graph = finished(backend);
    const ir::Node& bias = producer(graph, "c1", 2);
    ASSERT_TRUE(bias.is("DequantizeLinear")) << backend;
    EXPECT_EQ(graph.constant(bias.input(0))->dtype(), ir::DType::kInt32);
    const float x = graph.constant(producer(graph, "c1", 0).input(1))->to_floats().front();
    const auto w = graph.constant(producer(graph, "c1", 1).input(1))->to_floats();
    const auto b = graph.constant(bias.input(1))->to_floats();
    for (size_t c = 0; c < w.size(); ++c) EXPECT_EQ(b[c], x * w[c]);
  }
}

TEST(Emit, TensorrtHasZeroZeroPointsFloatBiasAndABareConvolution) {
  const ir::Graph graph = finished("tensorrt");
  for (ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    if (!node.is("QuantizeLinear") && !node.is("DequantizeLinear")) continue;
    for (int64_t zero : graph.constant(node.input(2))->to_int64s()) EXPECT_EQ(zero, 0);
    EXPECT_EQ(graph.constant(node.input(2))->dtype(), ir::DType::kInt8);
  }
  EXPECT_NE(graph.constant(graph.node(graph.find_node("c1")).input(2)), nullptr);
  EXPECT_TRUE(producer(graph, "sum", 0).is("Conv"));
  EXPECT_TRUE(producer(graph, "sum", 1).is("DequantizeLinear"));
}

TEST(Emit, ArmWeightsNeverReachTheLowestInteger) {
  const ir::Graph graph = finished("arm");
  const ir::Tensor& weight = *graph.constant(producer(graph, "c1", 1).input(0));
  const auto values = weight.to_int64s();
  EXPECT_EQ(*std::min_element(values.begin(), values.end()), -127);
}

TEST(Emit, ScalarsAreZeroDimensional) {
  const ir::Graph graph = finished("x86");
  const ir::Node& quantize = producer(graph, "c1", 0);
  EXPECT_EQ(graph.constant(quantize.input(1))->rank(), 0U);
  EXPECT_EQ(graph.constant(quantize.input(2))->rank(), 0U);
}

// One edit of a good graph per rule.
Status check_after(const std::string& backend, const std::function<void(ir::Graph&)>& edit) {
  ir::Graph graph = finished(backend);
  edit(graph);
  return check_acceptance(graph, testing::backend(backend));
}

void expect_rule(const Status& status, const char* rule) {
  ASSERT_FALSE(status.ok()) << rule;
  EXPECT_EQ(status.error().code(), ErrorCode::kInternal);
  EXPECT_THAT(status.error().message(), HasSubstr(rule));
}

void set_constant(ir::Graph& graph, ir::ValueId id, ir::Tensor tensor) {
  graph.set_constant(id, std::make_shared<const ir::Tensor>(std::move(tensor)));
}

TEST(Acceptance, A1ScaleAndZeroPointShapes) {
  expect_rule(check_after("x86",
                          [](ir::Graph& graph) {
                            set_constant(graph, producer(graph, "c1", 0).input(1),
                                         ir::Tensor::of<float>({1}, {0.5F}));
                          }),
              "[A1]");
}

TEST(Acceptance, A2Scales) {
  expect_rule(check_after("x86",
                          [](ir::Graph& graph) {
                            set_constant(graph, producer(graph, "c1", 0).input(1),
                                         ir::Tensor::scalar<float>(0.0F));
                          }),
              "[A2]");
}

TEST(Acceptance, A3ZeroPointOfASymmetricSpace) {
  expect_rule(check_after("tensorrt",
                          [](ir::Graph& graph) {
                            set_constant(graph, producer(graph, "c1", 0).input(2),
                                         ir::Tensor::scalar<int8_t>(3));
                          }),
              "[A3]");
}

TEST(Acceptance, A4WeightOutsideTheNarrowRange) {
  expect_rule(
      check_after("arm",
                  [](ir::Graph& graph) {
                    const ir::ValueId weight = producer(graph, "c1", 1).input(0);
                    std::vector<int8_t> values(144, 1);
                    values[7] = -128;
                    set_constant(graph, weight, ir::Tensor::of<int8_t>({4, 4, 3, 3}, values));
                  }),
      "[A4]");
}

TEST(Acceptance, A5BiasScale) {
  expect_rule(check_after("x86",
                          [](ir::Graph& graph) {
                            set_constant(graph, producer(graph, "c1", 2).input(1),
                                         ir::Tensor::of<float>({4}, {1.0F, 1.0F, 1.0F, 1.0F}));
                          }),
              "[A5]");
}

TEST(Acceptance, A6AConvolutionNeedsItsQuantizer) {
  expect_rule(check_after("x86",
                          [](ir::Graph& graph) {
                            graph.add_output(graph.node(graph.find_node("c2")).output());
                          }),
              "[A6]");
}

TEST(Acceptance, A7EqualParametersAroundMoves) {
  expect_rule(check_after("x86",
                          [](ir::Graph& graph) {
                            const ir::ValueId pooled = graph.node(graph.find_node("pool")).output();
                            const ir::Node& behind = graph.node(graph.uses(pooled).front().node);
                            set_constant(graph, behind.input(1), ir::Tensor::scalar<float>(0.25F));
                          }),
              "[A7]");
}

TEST(Acceptance, A8OneReaderPerDequantizeNode) {
  expect_rule(check_after("x86",
                          [](ir::Graph& graph) {
                            graph.add_output(graph.node(graph.find_node("c1")).input(0));
                          }),
              "[A8]");
}

TEST(Acceptance, A9OperatorSet) {
  expect_rule(check_after("x86", [](ir::Graph& graph) { graph.model.opset_imports[""] = 13; }),
              "[A9]");
}

// x [1, 3, 4] times [4, 5] plus a bias: three dimensions become two and come back.
TEST(Emit, MatMulWithABiasBecomesGemmForOnnxRuntime) {
  testing::GraphBuilder builder(ops::infer_node);
  const auto x = builder.input("x", {2, 3, 4});
  const auto w = builder.constant<float>("w", {4, 5}, testing::weights(20));
  const auto b = builder.constant<float>("b", {5}, testing::weights(5));
  const auto product = builder.op("MatMul", {x, w}, {}, "matmul");
  builder.output(builder.op("Add", {product, b}, {}, "add"), "y");
  const ir::Graph source = builder.finish();
  for (const char* backend : {"x86", "arm"}) {
    ir::Graph graph = source;
    const plan::QuantPlan plan =
        testing::plan_for(graph, backend, testing::statistics_for(graph, -1.0F, 1.0F));
    testing::must(plan::apply_plan(graph, plan));
    testing::must(emit(graph, testing::backend(backend)));
    size_t gemms = 0;
    for (ir::NodeId id : graph.order()) {
      EXPECT_FALSE(graph.node(id).is("MatMul"));
      EXPECT_FALSE(graph.node(id).is("Add"));
      gemms += graph.node(id).is("Gemm") ? 1 : 0;
    }
    EXPECT_EQ(gemms, 1U);
    EXPECT_EQ(graph.value(graph.outputs().front()).name, "y");
    EXPECT_EQ(graph.value(graph.outputs().front()).type.shape, ir::Shape::of({2, 3, 5}));
  }
}

}  // namespace
}  // namespace octet::backends
