#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "compiler/plan/apply.h"
#include "tests/support/plan_fixture.h"

namespace octet::plan {
namespace {

using ::testing::HasSubstr;
using testing::Network;

ir::Graph network() {
  Network net;
  const auto c1 = net.conv(net.input(), "c1");
  return net.finish({net.conv(net.op("Relu", {c1}, "r1"), "c2")});
}

TEST(PlanText, ReadsBackAsItWas) {
  const ir::Graph graph = network();
  for (const char* backend : {"x86", "arm", "openvino", "tensorrt"}) {
    const QuantPlan plan =
        testing::plan_for(graph, backend, testing::statistics_for(graph, -0.1F, 1.0F / 3.0F));
    const std::string text = plan.to_text();
    const auto again = QuantPlan::from_text(text, "a.plan");
    ASSERT_TRUE(again.ok()) << again.error().message();
    EXPECT_EQ(again->to_text(), text);
    ir::Graph direct = graph;
    ir::Graph through_text = graph;
    ASSERT_TRUE(apply_plan(direct, plan).ok());
    ASSERT_TRUE(apply_plan(through_text, *again).ok());
    EXPECT_TRUE(direct == through_text) << backend;
  }
}

TEST(PlanText, IntegersAndEditsReadBackAsTheyWere) {
  QuantPlan plan;
  const auto constant = [&](ir::DType dtype, int32_t qmin, int32_t qmax,
                            const std::vector<int64_t>& values) {
    ir::QuantParams::Spec spec;
    spec.storage = dtype;
    spec.scales = {0.5F};
    spec.zero_points = {0};
    spec.qmin = qmin;
    spec.qmax = qmax;
    ir::Tensor integers =
        testing::must(ir::Tensor::zeros(dtype, {static_cast<int64_t>(values.size())}));
    for (size_t i = 0; i < values.size(); ++i) {
      integers.set_from_int64(static_cast<int64_t>(i), values[i]);
    }
    plan.constants.push_back({"w", testing::must(ir::QuantParams::make(spec)), integers, {}});
  };
  constant(ir::DType::kInt8, -128, 127, {-128, -1, 0, 1, 127});
  constant(ir::DType::kUint8, 0, 255, {0, 128, 255});
  constant(ir::DType::kInt4, -8, 7, {-8, -1, 7});
  constant(ir::DType::kUint4, 0, 15, {0, 15, 3, 9});
  constant(ir::DType::kInt16, -32768, 32767, {-32768, 32767, 258});
  plan.replaced.push_back({"b", ir::Tensor::of<float>({3}, {0.1F, -1e-38F, 3e38F})});
  plan.scalings.push_back({"x", "y", {{"c", 0}, {"d", 1}}, ir::Tensor::of<float>({2}, {0.1F, 7})});
  const std::string text = plan.to_text();
  const QuantPlan again = testing::must(QuantPlan::from_text(text, "a.plan"));
  EXPECT_EQ(again.to_text(), text);
  ASSERT_EQ(again.constants.size(), plan.constants.size());
  for (size_t i = 0; i < plan.constants.size(); ++i) {
    EXPECT_TRUE(*again.constants[i].integers == *plan.constants[i].integers) << i;
  }
  EXPECT_TRUE(again.replaced.front().tensor == plan.replaced.front().tensor);
  EXPECT_TRUE(again.scalings.front().factors == plan.scalings.front().factors);
  EXPECT_EQ(again.scalings.front().operands, plan.scalings.front().operands);
}

TEST(PlanText, RewritesAreReadTogetherOrNotAtAll) {
  QuantPlan plan;
  ir::QuantParams::Spec spec;
  spec.storage = ir::DType::kInt8;
  spec.scales = {0.5F};
  spec.zero_points = {0};
  const ir::QuantParams params = testing::must(ir::QuantParams::make(spec));
  plan.constants.push_back({"w", params, ir::Tensor::of<int8_t>({3}, {1, -2, 3}), {}});
  plan.constants.push_back({"rounded to nearest", params, std::nullopt, {}});
  plan.replaced.push_back({"b", ir::Tensor::of<float>({1}, {0.1F})});
  plan.scalings.push_back({"x", "x_scaled", {}, ir::Tensor::of<float>({1}, {2.0F})});
  plan.bounds.push_back({"c", ir::Tensor::of<float>({1}, {6.0F})});
  EXPECT_TRUE(QuantPlan::from_text(plan.to_text(), "all.plan").ok());

  std::vector<QuantPlan> damaged(4, plan);
  damaged[0].constants[0].integers.reset();
  damaged[1].replaced.clear();
  damaged[2].scalings.clear();
  damaged[3].bounds.clear();
  for (const QuantPlan& less : damaged) {
    std::string text = less.to_text();
    const size_t at = text.find("rewrites: 3");
    ASSERT_NE(at, std::string::npos) << text;
    text.replace(at, 11, "rewrites: 4");
    const auto read = QuantPlan::from_text(text, "less.plan");
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code(), ErrorCode::kUsage);
    EXPECT_THAT(read.error().message(), HasSubstr("less.plan: of 4 replaced"));
    EXPECT_THAT(read.error().message(), HasSubstr("--effort fast"));
  }
}

TEST(PlanText, ErrorsSayWhere) {
  const auto typo = QuantPlan::from_text("fingerprint: \"x\"\nbackand: \"x86\"\n", "my.plan");
  ASSERT_FALSE(typo.ok());
  EXPECT_EQ(typo.error().code(), ErrorCode::kUsage);
  EXPECT_THAT(typo.error().message(), HasSubstr("my.plan:2:"));
}

TEST(PlanText, ParametersThatCannotBeAreRefusedByRule) {
  const auto bad = QuantPlan::from_text(
      R"(activation { value: "x" params { dtype: "int8" scale: -1 qmin: -128 qmax: 127 } })",
      "my.plan");
  ASSERT_FALSE(bad.ok());
  EXPECT_THAT(bad.error().message(), HasSubstr("[Q2]"));
  EXPECT_THAT(bad.error().message(), HasSubstr("\"x\""));
}

TEST(ApplyPlan, RefusesWhatTheGraphDoesNotHaveAndChangesNothing) {
  const ir::Graph graph = network();
  const QuantPlan good =
      testing::plan_for(graph, "x86", testing::statistics_for(graph, 0.0F, 1.0F));
  const auto refused = [&](const std::function<void(QuantPlan&)>& edit) {
    QuantPlan plan = good;
    edit(plan);
    ir::Graph copy = graph;
    const Status status = apply_plan(copy, plan);
    EXPECT_TRUE(copy == graph);
    EXPECT_FALSE(status.ok());
    return status.ok() ? ErrorCode::kInternal : status.error().code();
  };
  EXPECT_EQ(refused([](QuantPlan& p) { p.fingerprint = "0"; }), ErrorCode::kUsage);
  EXPECT_EQ(refused([](QuantPlan& p) { p.activations[0].value = "nothing"; }), ErrorCode::kUsage);
  EXPECT_EQ(refused([](QuantPlan& p) { p.constants[0].value = "x"; }), ErrorCode::kUsage);
  EXPECT_EQ(refused([](QuantPlan& p) { p.constants[0].uses[0].operand.input = 9; }),
            ErrorCode::kUsage);
  EXPECT_EQ(refused([](QuantPlan& p) { p.biases[0].linear_output = "nothing"; }),
            ErrorCode::kUsage);
}

TEST(ApplyPlan, StoresASharedWeightOnceWithScalesPerBranch) {
  Network net;
  const auto weight = net.builder().constant<float>("w", {4, 4, 3, 3}, testing::weights(144));
  const auto factor = net.builder().constant<float>("f", {4, 1, 1, 1}, {0.5F, 1.0F, 2.0F, 3.0F});
  const auto bias = net.builder().constant<float>("bias", {4}, {0.0F, 0.0F, 0.0F, 0.0F});
  const auto scaled = net.op("Mul", {weight, factor}, "scaled");
  const auto a = net.conv_with(net.input("x1"), weight, bias, "a");
  const auto b = net.conv_with(net.input("x2"), scaled, bias, "b");
  ir::Graph graph = net.finish({a, b});
  const QuantPlan plan =
      testing::plan_for(graph, "tensorrt", testing::statistics_for(graph, -1.0F, 1.0F));
  ASSERT_TRUE(apply_plan(graph, plan).ok());
  std::vector<ir::ValueId> stored;
  std::vector<std::vector<float>> scales;
  for (const char* name : {"a", "b"}) {
    const ir::Node& conv = graph.node(graph.find_node(name));
    const ir::Node& dequantize = graph.node(graph.value(conv.input(1)).producer);
    ASSERT_TRUE(dequantize.is("DequantizeLinear"));
    stored.push_back(dequantize.input(0));
    scales.push_back(graph.constant(dequantize.input(1))->to_floats());
  }
  EXPECT_EQ(stored[0], stored[1]);
  const std::vector<float> factors = {0.5F, 1.0F, 2.0F, 3.0F};
  for (size_t c = 0; c < 4; ++c) EXPECT_FLOAT_EQ(scales[1][c], scales[0][c] * factors[c]);
  EXPECT_FALSE(graph.find_value("w").valid());
}

}  // namespace
}  // namespace octet::plan
