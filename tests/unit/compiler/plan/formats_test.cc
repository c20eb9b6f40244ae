#include "compiler/plan/formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compiler/plan/apply.h"
#include "compiler/plan/parameters.h"
#include "tests/support/accuracy_network.h"
#include "tests/support/plan_fixture.h"

namespace octet::plan {
namespace {

using ::testing::HasSubstr;
using testing::must;
using testing::Network;

TEST(Formats, ReadBackAsTheyWere) {
  for (const char* text :
       {"", "weights=int4", "weights=int8 weight_granularity=per-tensor scales=power-of-two",
        "weights=int4 weight_granularity=block:32 activations=int16 narrow_layers=all",
        "weight_granularity=per-channel activations=int8"}) {
    const Formats formats = must(parse_formats(text));
    EXPECT_EQ(to_string(formats), text);
    EXPECT_EQ(must(parse_formats(to_string(formats))), formats);
  }
}

TEST(Formats, SayWhatTheyAre) {
  EXPECT_EQ(describe({}), "");
  EXPECT_EQ(describe(must(parse_formats("weights=int4"))),
            "int4 weights (first and last layers int8)");
  EXPECT_EQ(describe(must(parse_formats(
                "weights=int4 weight_granularity=block:32 narrow_layers=all scales=power-of-two"))),
            "int4 weights in blocks of 32 in every layer, power-of-two scales");
  EXPECT_EQ(describe(must(parse_formats("weight_granularity=per-tensor activations=int16"))),
            "weights per tensor, int16 activations");
}

TEST(Formats, WhatIsNoFormatIsRefused) {
  for (const char* text :
       {"weights=int3", "weights", "weight_granularity=row", "weight_granularity=block:1",
        "weight_granularity=block:", "weight_granularity=block:99999999999999999999", "scales=two",
        "activations=float", "narrow_layers=some", "colour=red"}) {
    const auto formats = parse_formats(text);
    ASSERT_FALSE(formats.ok()) << text;
    EXPECT_EQ(formats.error().code(), ErrorCode::kUsage);
  }
}

TEST(Formats, ChangeTheDescription) {
  const BackendSpec own = testing::backend("x86");
  EXPECT_EQ(with_formats(own, {}).spaces.size(), own.spaces.size());
  const auto with = [&](const char* text) { return with_formats(own, must(parse_formats(text))); };
  const auto weight = [](const BackendSpec& spec) {
    return *spec.find_space(spec.ops.front().weight_space);
  };
  const BackendSpec narrow = with("weights=int4");
  EXPECT_EQ(weight(narrow).dtype, numerics::DType::kInt4);
  EXPECT_EQ(weight(narrow).qmin, -8);
  EXPECT_EQ(narrow.find_space(narrow.ops.front().wide_weight_space)->dtype, numerics::DType::kInt8);
  EXPECT_EQ(narrow.opset, 21);
  EXPECT_EQ(narrow.bias, BiasForm::kInt32);
  const BackendSpec tensor = with("weight_granularity=per-tensor");
  EXPECT_EQ(weight(tensor).granularity, ir::Granularity::kPerTensor);
  EXPECT_EQ(tensor.opset, 17);
  EXPECT_EQ(tensor.fused_activations.back(), "Min");
  const BackendSpec blocked = with("weight_granularity=block:32");
  EXPECT_EQ(weight(blocked).block_size, 32);
  EXPECT_EQ(blocked.bias, BiasForm::kFloat);
  EXPECT_EQ(blocked.opset, 21);
  const BackendSpec sixteen = with("activations=int16");
  EXPECT_EQ(sixteen.find_space(sixteen.ops.front().data_space)->dtype, numerics::DType::kUint16);
  EXPECT_EQ(sixteen.find_space(sixteen.ops.front().data_space)->qmax, 65535);
  EXPECT_EQ(weight(sixteen).dtype, numerics::DType::kInt8);
}

TEST(Formats, RecipesHaveThem) {
  const Recipe recipe = must(
      parse_recipe("weights: \"int4\" weight_granularity: \"block:16\" scales: \"power-of-two\"\n"
                   "activations: \"int16\" narrow_layers: \"all\"\n"
                   "override { select { op_type: \"Gemm\" } weights: \"int8\" }",
                   "r"));
  EXPECT_EQ(to_string(recipe.formats),
            "weights=int4 weight_granularity=block:16 scales=power-of-two activations=int16 "
            "narrow_layers=all");
  EXPECT_EQ(recipe.overrides.front().weights, WeightWidth::kInt8);
  EXPECT_THAT(parse_recipe("weights: \"int5\"", "r").error().message(), HasSubstr("int5"));
  EXPECT_FALSE(parse_recipe("override { select { node: \"a\" } weights: \"int5\" }", "r").ok());
}

// Convolutions in a chain, and the width of each one's weight.
std::map<std::string, int> widths(const Recipe& recipe) {
  Network net;
  const auto a = net.op("Relu", {net.conv(net.input(), "a")}, "a.relu");
  const auto b = net.op("Relu", {net.conv(a, "b")}, "b.relu");
  const auto c = net.op("Relu", {net.conv(b, "c")}, "c.relu");
  // A head of its own behind b: the last of its way.
  const auto h = net.conv(b, "h");
  const ir::Graph graph = net.finish({net.conv(c, "d"), h});
  const BackendSpec spec = with_formats(testing::backend("x86"), recipe.formats);
  std::map<std::string, int> out;
  for (const auto& constant :
       must(make_plan(graph, testing::statistics_for(graph, -1.0F, 1.0F), spec, recipe))
           .constants) {
    out[constant.value] = numerics::bit_width(constant.params.storage());
  }
  return out;
}

TEST(Formats, TheFirstAndTheLastOfEveryWayStayWide) {
  Recipe recipe;
  recipe.formats = must(parse_formats("weights=int4"));
  const auto inner = widths(recipe);
  EXPECT_EQ(
      inner,
      (std::map<std::string, int>{
          {"a.weight", 8}, {"b.weight", 4}, {"c.weight", 4}, {"d.weight", 8}, {"h.weight", 8}}));
  recipe.formats.narrow_layers = NarrowLayers::kAll;
  for (const auto& [name, width] : widths(recipe)) EXPECT_EQ(width, 4) << name;
}

TEST(Formats, OverridesWin) {
  Recipe recipe;
  recipe.formats = must(parse_formats("weights=int4"));
  recipe.overrides = {{{"c", ""}, std::nullopt, std::nullopt, WeightWidth::kInt8},
                      {{"a", ""}, std::nullopt, std::nullopt, WeightWidth::kInt4}};
  const auto chosen = widths(recipe);
  EXPECT_EQ(chosen.at("c.weight"), 8);
  EXPECT_EQ(chosen.at("a.weight"), 4);
  EXPECT_EQ(chosen.at("b.weight"), 4);
}

TEST(Blocks, EveryElementKnowsItsScale) {
  ir::QuantParams::Spec spec;
  spec.granularity = ir::Granularity::kBlocked;
  spec.axis = 1;
  spec.block_size = 2;
  // [2, 3, 2] in blocks of 2 along axis 1: scales [2, 2, 2].
  EXPECT_EQ(scale_of_element(spec, {2, 3, 2}),
            (std::vector<size_t>{0, 1, 0, 1, 2, 3, 4, 5, 4, 5, 6, 7}));
  spec.granularity = ir::Granularity::kPerAxis;
  EXPECT_EQ(scale_of_element(spec, {2, 3, 1}), (std::vector<size_t>{0, 1, 2, 0, 1, 2}));
  spec.granularity = ir::Granularity::kPerTensor;
  EXPECT_EQ(scale_of_element(spec, {2, 2}), (std::vector<size_t>{0, 0, 0, 0}));
}

TEST(Blocks, HaveTheScaleOfTheirGreatestMagnitude) {
  Space space;
  space.dtype = numerics::DType::kInt4;
  space.symmetry = numerics::Symmetry::kSymmetric;
  space.granularity = ir::Granularity::kBlocked;
  space.block_size = 2;
  space.qmin = -8;
  space.qmax = 7;
  const auto weight = ir::Tensor::of<float>({1, 5}, {7.0F, -1.0F, 0.6F, -1.4F, 14.0F});
  const auto params = must(params_for_constant(space, weight, 0, {}));
  EXPECT_EQ(params.granularity(), ir::Granularity::kBlocked);
  EXPECT_EQ(params.axis(), 1);
  EXPECT_THAT(params.scales(), ::testing::Pointwise(::testing::FloatEq(), {1.0F, 0.2F, 2.0F}));
  const ir::Tensor integers = must(quantize_constant(weight, params));
  EXPECT_EQ(integers.to_int64s(), (std::vector<int64_t>{7, -1, 3, -7, 7}));
  // Fewer input channels than a block: a scale per output channel.
  const auto few = ir::Tensor::of<float>({3, 1}, {1.0F, 2.0F, 3.0F});
  EXPECT_EQ(must(params_for_constant(space, few, 0, {})).granularity(), ir::Granularity::kPerAxis);
}

TEST(Blocks, AreWhatTheGraphComputes) {
  testing::ConvNetwork net;
  const ir::Graph graph = net.finish(
      {net.conv(net.op("Relu", {net.conv(net.input(), 8, 40, 3, "a")}, "r"), 40, 4, 1, "b")});
  const Formats formats = must(parse_formats("weights=int4 weight_granularity=block:16"));
  Recipe recipe;
  recipe.formats = formats;
  recipe.formats.narrow_layers = NarrowLayers::kAll;
  const BackendSpec spec = with_formats(testing::backend("x86"), recipe.formats);
  QuantPlan plan =
      must(make_plan(graph, testing::statistics_for(graph, -4.0F, 4.0F), spec, recipe));
  const QuantPlan again = must(QuantPlan::from_text(plan.to_text(), "p"));
  EXPECT_EQ(again.to_text(), plan.to_text());
  EXPECT_EQ(again.formats, "weights=int4 weight_granularity=block:16 narrow_layers=all");
  ir::Graph out = graph;
  must(apply_plan(out, again));
  must(backends::emit(out, spec));
  const auto samples = testing::normal_samples(3, {1, 8, 12, 12}, 5);
  EXPECT_GT(testing::sqnr(graph, out, samples), 10.0);
  // Scales that do not fit the blocks are refused.
  for (ConstantQuantizer& constant : plan.constants) {
    if (constant.params.granularity() != ir::Granularity::kBlocked) continue;
    ir::QuantParams::Spec wrong = constant.params.spec();
    wrong.scales.pop_back();
    wrong.zero_points.pop_back();
    constant.params = must(ir::QuantParams::make(wrong));
  }
  ir::Graph other = graph;
  EXPECT_THAT(apply_plan(other, plan).error().message(), HasSubstr("[Q4]"));
}

// A Clip from 0 to 6 between convolutions.
ir::Graph clipped() {
  testing::ConvNetwork net;
  return net.finish({net.conv(net.relu6(net.conv(net.input(), 8, 4, 3, "a"), "c"), 4, 2, 1, "b")});
}

TEST(ChannelBounds, BecomeReluAndMin) {
  ir::Graph graph = clipped();
  QuantPlan edits;
  edits.bounds = {{"c", ir::Tensor::of<float>({4}, {6.0F, 3.0F, 6.0F, 0.5F})}};
  must(apply_edits(graph, edits));
  const ir::Node& min = graph.node(graph.value(graph.find_value("c")).producer);
  ASSERT_EQ(min.op_type, "Min");
  EXPECT_EQ(graph.constant(min.input(1))->shape(), (std::vector<int64_t>{4, 1, 1}));
  EXPECT_EQ(graph.node(graph.value(min.input(0)).producer).op_type, "Relu");
  ir::Graph none = clipped();
  edits.bounds = {{"c", ir::Tensor::of<float>({0}, {})}};
  must(apply_edits(none, edits));
  EXPECT_EQ(none.node(none.value(none.find_value("c")).producer).op_type, "Relu");
}

TEST(ChannelBounds, ThatDoNotFitAreRefused) {
  for (const auto& [value, count] : std::map<std::string, int64_t>{{"c", 3}, {"a", 4}, {"q", 4}}) {
    ir::Graph graph = clipped();
    QuantPlan edits;
    edits.bounds = {{value, ir::Tensor::of<float>(
                                {count}, std::vector<float>(static_cast<size_t>(count), 1.0F))}};
    const Status status = apply_edits(graph, edits);
    ASSERT_FALSE(status.ok()) << value;
    EXPECT_EQ(status.error().code(), ErrorCode::kUsage);
    EXPECT_THAT(status.error().message(), HasSubstr("\"" + value + "\""));
  }
}

TEST(PowersOfTwo, AreTheNextOneUp) {
  EXPECT_EQ(numerics::power_of_two_at_least(1.0F), 1.0F);
  EXPECT_EQ(numerics::power_of_two_at_least(1.0001F), 2.0F);
  EXPECT_EQ(numerics::power_of_two_at_least(0.3F), 0.5F);
  EXPECT_EQ(numerics::power_of_two_at_least(3e38F), 0x1p127F);
  Space space;
  space.qmin = 0;
  space.qmax = 255;
  space.dtype = numerics::DType::kUint8;
  space.scales = ScaleForm::kPowerOfTwo;
  const auto params = must(params_for_range(space, {-1.0F, 2.0F}));
  EXPECT_EQ(params.scales().front(), 0x1p-6F);
  EXPECT_EQ(params.zero_points().front(), 64);
}

}  // namespace
}  // namespace octet::plan
