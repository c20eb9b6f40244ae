// Where quantizers stand for each backend, and with which parameters.
#include "compiler/plan/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compiler/plan/apply.h"
#include "tests/support/plan_fixture.h"

namespace octet::plan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Network;
using testing::plan_for;
using testing::quantized_values;
using testing::quantizer;
using testing::statistics_for;

ir::Graph conv_relu_pool_conv() {
  Network net;
  const auto c1 = net.conv(net.input(), "c1");
  const auto r1 = net.op("Relu", {c1}, "r1");
  const auto p1 = net.max_pool(r1, "p1");
  return net.finish({net.conv(p1, "c2")});
}

TEST(Planner, QuantizersStandAtUnitEdgesAndNeverBetweenConvAndRelu) {
  const ir::Graph graph = conv_relu_pool_conv();
  const auto statistics = statistics_for(graph, 0.0F, 2.0F);
  EXPECT_THAT(quantized_values(plan_for(graph, "x86", statistics)),
              ElementsAre("c2", "p1", "r1", "x"));
  EXPECT_THAT(quantized_values(plan_for(graph, "arm", statistics)),
              ElementsAre("c2", "p1", "r1", "x"));
  // One pair in front of what moves; a result that nothing reads in integers stays float.
  EXPECT_THAT(quantized_values(plan_for(graph, "openvino", statistics)), ElementsAre("r1", "x"));
  // The pair slides through pooling by itself: it stands where the convolution reads.
  EXPECT_THAT(quantized_values(plan_for(graph, "tensorrt", statistics)), ElementsAre("p1", "x"));
}

TEST(Planner, WhatMovesSharesItsScale) {
  const ir::Graph graph = conv_relu_pool_conv();
  const auto statistics = statistics_for(graph, 0.0F, 2.0F, {{"p1", {0.0F, 1.0F}}});
  const QuantPlan plan = plan_for(graph, "x86", statistics);
  EXPECT_EQ(quantizer(plan, "p1")->params, quantizer(plan, "r1")->params);
  EXPECT_EQ(quantizer(plan, "p1")->shares_with, quantizer(plan, "r1")->shares_with);
  EXPECT_FLOAT_EQ(quantizer(plan, "r1")->params.scales().front(), 2.0F / 255.0F);
}

TEST(Planner, ActivationSpacesAreThoseOfTheBackend) {
  const ir::Graph graph = conv_relu_pool_conv();
  const auto statistics = statistics_for(graph, -1.0F, 3.0F);
  const auto params = [&](const char* backend) {
    return quantizer(plan_for(graph, backend, statistics), "x")->params;
  };
  EXPECT_EQ(params("x86").storage(), ir::DType::kUint8);
  EXPECT_EQ(params("x86").zero_points().front(), 64);  // round(1 / (4 / 255))
  EXPECT_EQ(params("arm").storage(), ir::DType::kInt8);
  EXPECT_EQ(params("arm").zero_points().front(), -64);
  EXPECT_EQ(params("tensorrt").storage(), ir::DType::kInt8);
  EXPECT_EQ(params("tensorrt").zero_points().front(), 0);
  EXPECT_FLOAT_EQ(params("tensorrt").scales().front(), 3.0F / 127.0F);
}

TEST(Planner, ANearlySymmetricRangeTakesTheSymmetricSpaceWhereTheBackendNamesOne) {
  const ir::Graph graph = conv_relu_pool_conv();
  const auto params = [&](const char* backend, float min, float max) {
    return quantizer(plan_for(graph, backend, statistics_for(graph, min, max)), "x")->params;
  };
  // 8/7 of the range is more than 9/8 of it, 10/9 is less.
  EXPECT_EQ(params("openvino", -3.0F, 4.0F).storage(), ir::DType::kUint8);
  EXPECT_EQ(params("openvino", -4.0F, 5.0F).storage(), ir::DType::kInt8);
  EXPECT_EQ(params("openvino", -5.0F, 4.0F).zero_points().front(), 0);
  EXPECT_FLOAT_EQ(params("openvino", -5.0F, 4.0F).scales().front(), 5.0F / 127.0F);
  EXPECT_EQ(params("openvino", 0.0F, 4.0F).storage(), ir::DType::kUint8);
  EXPECT_EQ(params("x86", -4.0F, 4.0F).storage(), ir::DType::kUint8);
}

TEST(Planner, WeightsAreNarrowSymmetricAndPerOutputChannel) {
  const ir::Graph graph = conv_relu_pool_conv();
  const auto statistics = statistics_for(graph, 0.0F, 1.0F);
  for (const char* backend : {"x86", "arm", "openvino", "tensorrt"}) {
    const QuantPlan plan = plan_for(graph, backend, statistics);
    ASSERT_EQ(plan.constants.size(), 2U) << backend;
    const ir::QuantParams& params = plan.constants.front().params;
    EXPECT_EQ(params.storage(), ir::DType::kInt8);
    EXPECT_EQ(params.granularity(), ir::Granularity::kPerAxis);
    EXPECT_EQ(params.axis(), 0);
    EXPECT_EQ(params.scales().size(), 4U);
    EXPECT_EQ(params.qmin(), -127);
    EXPECT_TRUE(params.symmetric());
  }
}

TEST(Planner, BiasIsInt32OnlyWhereTheBackendWantsIt) {
  const ir::Graph graph = conv_relu_pool_conv();
  const auto statistics = statistics_for(graph, 0.0F, 1.0F);
  EXPECT_EQ(plan_for(graph, "x86", statistics).biases.size(), 2U);
  EXPECT_EQ(plan_for(graph, "arm", statistics).biases.size(), 2U);
  EXPECT_TRUE(plan_for(graph, "openvino", statistics).biases.empty());
  EXPECT_TRUE(plan_for(graph, "tensorrt", statistics).biases.empty());
}

// x -> c1 -> r1 -> c2 -+-> add -> r2 -> c3
//       \--------------/
ir::Graph residual() {
  Network net;
  const auto c1 = net.conv(net.input(), "c1");
  const auto r1 = net.op("Relu", {c1}, "r1");
  const auto c2 = net.conv(r1, "c2");
  const auto sum = net.op("Add", {c2, r1}, "sum");
  const auto r2 = net.op("Relu", {sum}, "r2");
  return net.finish({net.conv(r2, "c3")});
}

TEST(Planner, ResidualAddHasPairsOnBothOperandsInOnnxRuntime) {
  const ir::Graph graph = residual();
  const auto statistics = statistics_for(graph, 0.0F, 1.0F);
  for (const char* backend : {"x86", "arm"}) {
    EXPECT_THAT(quantized_values(plan_for(graph, backend, statistics)),
                ElementsAre("c2", "c3", "r1", "r2", "x"))
        << backend;
  }
}

TEST(Planner, ResidualAddLeavesTheConvolutionBareInTensorrt) {
  const ir::Graph graph = residual();
  const QuantPlan plan = plan_for(graph, "tensorrt", statistics_for(graph, 0.0F, 1.0F));
  EXPECT_THAT(quantized_values(plan), ElementsAre("r1", "r2", "x"));
  const ActivationQuantizer& skip = *quantizer(plan, "r1");
  ASSERT_EQ(skip.operands.size(), 2U);
  EXPECT_EQ(skip.operands[0], (Operand{"c2", 0}));
  EXPECT_EQ(skip.operands[1], (Operand{"sum", 1}));
}

TEST(Planner, OfTwoConvolutionBranchesTheDeeperStaysBareInTensorrt) {
  Network net;
  const auto x = net.input();
  const auto skip = net.conv(x, "skip");
  const auto main = net.conv(net.op("Relu", {net.conv(x, "c1")}, "r1"), "c2");
  const auto sum = net.op("Add", {main, skip}, "sum");
  const ir::Graph graph = net.finish({net.conv(sum, "c3")});
  const QuantPlan plan = plan_for(graph, "tensorrt", statistics_for(graph, -1.0F, 1.0F));
  EXPECT_EQ(quantizer(plan, "c2"), nullptr);
  ASSERT_NE(quantizer(plan, "skip"), nullptr);
  EXPECT_EQ(quantizer(plan, "skip")->operands, std::vector<Operand>({{"sum", 1}}));
}

ir::Graph two_branches_joined() {
  Network net;
  const auto x = net.input();
  const auto a = net.conv(x, "a");
  const auto b = net.conv(x, "b");
  const auto joined = net.op("Concat", {a, b}, "joined", {{"axis", int64_t{2}}});
  return net.finish({net.conv(joined, "c")});
}

TEST(Planner, ConcatHasOneScaleWhereTheBackendCannotRequantize) {
  const ir::Graph graph = two_branches_joined();
  const auto statistics = statistics_for(graph, -1.0F, 1.0F, {{"b", {-4.0F, 4.0F}}});
  const QuantPlan x86 = plan_for(graph, "x86", statistics);
  EXPECT_NE(quantizer(x86, "a")->params, quantizer(x86, "b")->params);
  ASSERT_NE(quantizer(x86, "joined"), nullptr);
  for (const char* backend : {"openvino", "tensorrt"}) {
    const QuantPlan plan = plan_for(graph, backend, statistics);
    EXPECT_EQ(quantizer(plan, "a")->params, quantizer(plan, "b")->params) << backend;
  }
  EXPECT_EQ(quantizer(plan_for(graph, "openvino", statistics), "joined"), nullptr);
  const QuantPlan trt = plan_for(graph, "tensorrt", statistics);
  EXPECT_EQ(quantizer(trt, "joined")->params, quantizer(trt, "a")->params);
}

TEST(Planner, AdditionOfFloatsStaysFloat) {
  Network net;
  const auto x = net.input();
  const auto soft = net.op("Softmax", {x}, "soft");
  const auto sum = net.op("Add", {soft, x}, "sum");
  const ir::Graph graph = net.finish({net.conv(sum, "c")});
  const QuantPlan plan = plan_for(graph, "x86", statistics_for(graph, 0.0F, 1.0F));
  EXPECT_THAT(quantized_values(plan), ElementsAre("c", "sum"));
  EXPECT_EQ(plan.remarks[1].decision, Decision::kFloat);
  EXPECT_THAT(plan.remarks[1].reason, HasSubstr("comes from float"));
}

TEST(Planner, ResultsThatNoIntegerOperatorReadsStayFloat) {
  Network net;
  const auto c = net.conv(net.input(), "c");
  const auto sum = net.op("Add", {c, c}, "sum");
  const ir::Graph graph = net.finish({net.op("Softmax", {sum}, "soft")});
  const QuantPlan plan = plan_for(graph, "x86", statistics_for(graph, 0.0F, 1.0F));
  EXPECT_EQ(quantizer(plan, "sum"), nullptr);
  EXPECT_THAT(plan.remarks[1].reason, HasSubstr("no integer operator reads"));
}

TEST(Planner, EveryFloatNodeHasAReason) {
  const ir::Graph graph = residual();
  plan::Recipe recipe;
  recipe.overrides.push_back({{"c2", ""}, Precision::kFloat, std::nullopt});
  const QuantPlan plan = plan_for(graph, "x86", statistics_for(graph, 0.0F, 1.0F), recipe);
  for (const Remark& remark : plan.remarks) {
    EXPECT_TRUE(remark.decision == Decision::kInteger || !remark.reason.empty()) << remark.node;
  }
  EXPECT_EQ(plan.remarks[2].node, "c2");
  EXPECT_EQ(plan.remarks[2].reason, "the recipe says so");
}

TEST(Planner, ARecipeSelectorThatMatchesNothingNamesTheNearest) {
  const ir::Graph graph = residual();
  plan::Recipe recipe;
  recipe.overrides.push_back({{"c22", ""}, Precision::kFloat, std::nullopt});
  const auto plan =
      make_plan(graph, statistics_for(graph, 0.0F, 1.0F), testing::backend("x86"), recipe);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code(), ErrorCode::kUsage);
  EXPECT_THAT(plan.error().message(), HasSubstr("\"c2\""));
}

TEST(Planner, StatisticsOfAnotherModelAreRefused) {
  const auto statistics = statistics_for(residual(), 0.0F, 1.0F);
  const auto plan = make_plan(two_branches_joined(), statistics, testing::backend("x86"), {});
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code(), ErrorCode::kUsage);
}

TEST(Planner, ADeadChannelCannotOverflowTheBias) {
  Network net;
  const auto x = net.input();
  std::vector<float> w = testing::weights(144);
  std::fill(w.begin(), w.begin() + 36, 1e-20F);
  const auto weight = net.builder().constant<float>("w", {4, 4, 3, 3}, w);
  const auto bias = net.builder().constant<float>("b", {4}, {5.0F, 1.0F, 1.0F, 1.0F});
  const ir::Graph graph = net.finish({net.conv_with(x, weight, bias, "c")});
  const QuantPlan plan = plan_for(graph, "x86", statistics_for(graph, 0.0F, 1.0F));
  const float x_scale = quantizer(plan, "x")->params.scales().front();
  const float w_scale = plan.constants.front().params.scales().front();
  EXPECT_LE(5.0F / (x_scale * w_scale), 536870912.0F * 1.001F);
}

TEST(Planner, ASharedWeightIsOneConstantWithAUsePerBranch) {
  Network net;
  const auto weight = net.builder().constant<float>("w", {4, 4, 3, 3}, testing::weights(144));
  const auto factor = net.builder().constant<float>("f", {4, 1, 1, 1}, {0.5F, 1.0F, 2.0F, 3.0F});
  const auto bias = net.builder().constant<float>("bias", {4}, {0.0F, 0.0F, 0.0F, 0.0F});
  const auto scaled = net.op("Mul", {weight, factor}, "scaled");
  const auto a = net.conv_with(net.input("x1"), weight, bias, "a");
  const auto b = net.conv_with(net.input("x2"), scaled, bias, "b");
  const ir::Graph graph = net.finish({a, b});
  const QuantPlan plan = plan_for(graph, "x86", statistics_for(graph, -1.0F, 1.0F));
  ASSERT_EQ(plan.constants.size(), 1U);
  const ConstantQuantizer& shared = plan.constants.front();
  EXPECT_EQ(shared.value, "w");
  ASSERT_EQ(shared.uses.size(), 2U);
  EXPECT_EQ(shared.uses[0].factor, "");
  EXPECT_EQ(shared.uses[1].factor, "f");
}

TEST(NeededStatistics, AreWhatThePlanReads) {
  const ir::Graph graph = residual();
  for (const char* name : {"x86", "arm", "openvino", "tensorrt", "toy"}) {
    const auto spec = testing::backend(name);
    const NeededStatistics needed = needed_statistics(graph, spec, {});
    calibration::Statistics statistics = statistics_for(graph, 0.0F, 1.0F);
    std::erase_if(statistics.tensors, [&](const auto& entry) {
      return !needed.values.contains(graph.find_value(entry.first));
    });
    EXPECT_TRUE(make_plan(graph, statistics, spec, {}).ok()) << name;
    EXPECT_EQ(statistics.tensors.size(), needed.values.size()) << name;
    EXPECT_TRUE(needed.histograms.empty()) << name;
  }
}

// x86 with 16-bit data for single layers; biases are int32 there.
BackendSpec wide_x86() {
  BackendSpec spec = testing::backend("x86");
  Space wide = *spec.find_space(spec.ops.front().data_space);
  wide.name = "wide";
  wide.dtype = ir::DType::kUint16;
  wide.qmin = 0;
  wide.qmax = 65535;
  spec.spaces.emplace("wide", wide);
  spec.opset = 21;
  for (OpRule& rule : spec.ops) {
    if (rule.op_type == "Conv") rule.wide_data_space = "wide";
  }
  return spec;
}

const Remark& remark_of(const QuantPlan& plan, const std::string& node) {
  return *std::find_if(plan.remarks.begin(), plan.remarks.end(),
                       [&](const Remark& remark) { return remark.node == node; });
}

TEST(WideData, OnlyTheNamedLayerReads16BitsAndItsBiasStaysFloat) {
  const ir::Graph graph = residual();
  const auto statistics = statistics_for(graph, 0.0F, 2.0F);
  const Recipe recipe = testing::must(
      parse_recipe("override { select { node: \"c2\" } activations: \"int16\" }", "r"));
  BackendSpec spec = wide_x86();
  for (OpRule& rule : spec.ops) rule.output = OutputQuantizer::kOptional;
  const QuantPlan plan = testing::must(make_plan(graph, statistics, spec, recipe));
  // r1 is read by c2 with 16 bits and by the addition with 8.
  std::vector<ir::DType> of_r1;
  for (const ActivationQuantizer& quantizer : plan.activations) {
    const bool wide = quantizer.params.storage() == ir::DType::kUint16;
    if (quantizer.value == "r1") of_r1.push_back(quantizer.params.storage());
    const bool of_c2 = quantizer.readers == Readers::kListed && quantizer.operands.size() == 1 &&
                       quantizer.operands.front() == Operand{"c2", 0};
    EXPECT_EQ(wide, of_c2) << quantizer.value;
    if (wide) {
      EXPECT_FLOAT_EQ(quantizer.params.scales().front(), 2.0F / 65535.0F);
    }
  }
  EXPECT_THAT(of_r1, ::testing::UnorderedElementsAre(ir::DType::kUint16, ir::DType::kUint8));
  for (const BiasQuantizer& bias : plan.biases) EXPECT_NE(bias.linear_output, "c2");
  EXPECT_EQ(plan.biases.size(), 2U);
  EXPECT_EQ(remark_of(plan, "c2").decision, Decision::kInteger);
  EXPECT_EQ(remark_of(plan, "c2").reason, "16-bit activations: the recipe says so");
  ir::Graph quantized = graph;
  testing::must(apply_plan(quantized, plan));
}

TEST(WideData, WhereItCannotBeARecipeThatAsksForItIsRefused) {
  const ir::Graph graph = residual();
  const auto statistics = statistics_for(graph, 0.0F, 2.0F);
  const Recipe recipe = testing::must(
      parse_recipe("override { select { node: \"c2\" } activations: \"int16\" }", "r"));
  const auto none = make_plan(graph, statistics, testing::backend("x86"), recipe);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code(), ErrorCode::kUsage);
  EXPECT_THAT(none.error().message(), HasSubstr("\"c2\""));
  EXPECT_THAT(none.error().message(), HasSubstr("backend x86 does not have for single layers"));
  // What c2 reads has a quantizer of 8 bits behind the operator that computes it.
  BackendSpec spec = wide_x86();
  for (OpRule& rule : spec.ops) rule.output = OutputQuantizer::kRequired;
  const auto behind = make_plan(graph, statistics, spec, recipe);
  ASSERT_FALSE(behind.ok());
  EXPECT_THAT(behind.error().message(), HasSubstr("8 bits behind the operator"));
  const auto word =
      parse_recipe("override { select { node: \"c2\" } activations: \"int32\" }", "r");
  ASSERT_FALSE(word.ok());
  EXPECT_THAT(word.error().message(), HasSubstr("int8, int16"));
}

TEST(WideData, AWidthForAllTakesItsPlace) {
  for (const ActivationWidth width : {ActivationWidth::kInt8, ActivationWidth::kInt16}) {
    Formats formats;
    formats.activations = width;
    const BackendSpec spec = with_formats(wide_x86(), formats);
    for (const OpRule& rule : spec.ops) EXPECT_EQ(rule.wide_data_space, "");
  }
  Formats formats;
  formats.scales = ScaleForm::kPowerOfTwo;
  EXPECT_EQ(with_formats(wide_x86(), formats).spaces.at("wide").scales, ScaleForm::kPowerOfTwo);
}

}  // namespace
}  // namespace octet::plan
