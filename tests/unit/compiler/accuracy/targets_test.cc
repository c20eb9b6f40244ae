#include "compiler/accuracy/targets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/backends.h"
#include "compiler/calibration/calibrate.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/planner.h"
#include "tests/support/accuracy_network.h"
#include "tests/support/toy_backend.h"

namespace octet::accuracy {
namespace {

using ir::Graph;
using ir::ValueId;
using ::testing::HasSubstr;
using testing::must;

// Three convolutions. In every row of the second one a weight on a channel that is all but silent
// is 2000 times as large as the others, which therefore round to zero.
Graph network_with_one_bad_layer() {
  testing::ConvNetwork net;
  auto& builder = net.builder();
  std::vector<float> first = testing::normal_values(9 * 8 * 9, 3, 0.12F);
  std::fill(first.begin() + 8 * 8 * 9, first.end(), 0.0F);  // the ninth channel is silent
  std::vector<float> first_bias = testing::normal_values(9, 4, 0.1F);
  first_bias[8] = 0.0F;
  const ValueId a =
      builder.op("Conv",
                 {net.input(), builder.constant<float>("first.w", {9, 8, 3, 3}, first),
                  builder.constant<float>("first.b", {9}, first_bias)},
                 {{"pads", std::vector<int64_t>{1, 1, 1, 1}}}, "first");
  must(builder.graph().rename_value(a, "first"));
  const ValueId relu = net.op("Relu", {a}, "first.relu");
  std::vector<float> w = testing::normal_values(16 * 9, 5, 0.3F);
  for (size_t row = 0; row < 16; ++row) w[row * 9 + 8] = 600.0F;
  const ValueId bad =
      builder.op("Conv",
                 {relu, builder.constant<float>("bad.w", {16, 9, 1, 1}, w),
                  builder.constant<float>("bad.b", {16}, testing::normal_values(16, 6, 0.1F))},
                 {}, "bad");
  must(builder.graph().rename_value(bad, "bad"));
  const ValueId r = net.op("Relu", {bad}, "bad.relu");
  return net.finish({net.conv(r, 16, 6, 3, "last")});
}

struct Fixture {
  explicit Fixture(Graph g, const std::string& backend = "x86")
      : Fixture(std::move(g), must(backends::load_backend(backend))) {}
  Fixture(Graph g, plan::BackendSpec backend,
          testing::HeldSamples data = testing::normal_samples(16, {1, 8, 12, 12}, 40))
      : graph(std::make_shared<const Graph>(std::move(g))),
        samples(std::move(data)),
        spec(std::move(backend)) {
    calibration::CalibrateOptions options;
    options.values = plan::needed_statistics(*graph, spec, {}).values;
    draft = must(draft_of(graph, must(calibration::calibrate(graph, samples, options)), spec, {}));
    std::vector<size_t> all(samples.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = i;
    judge.emplace(must(Judge::make(graph, samples, all, {})));
    costs = must(product_costs(graph, must(samples.get(0)), 0));
  }

  TargetOptions sqnr_of_at_least(double db) const {
    TargetOptions out;
    out.target = "--min-sqnr";
    out.sqnr = db;
    out.check = [this, db](const plan::QuantPlan& plan) -> Result<Check> {
      OCTET_ASSIGN(const Judge::Verdict verdict, judge->run(plan));
      const double found = *verdict.errors.worst_sqnr();
      return Check{found >= db ? Grade::kHolds : Grade::kMissed, cat(found)};
    };
    return out;
  }

  std::shared_ptr<const Graph> graph;
  testing::HeldSamples samples;
  plan::BackendSpec spec;
  std::unique_ptr<Draft> draft;
  std::optional<Judge> judge;
  std::vector<ProductCost> costs;
};

std::vector<std::string> raised(const TargetResult& result) {
  std::vector<std::string> out;
  for (const LayerEffect& layer : result.layers) {
    if (layer.raised()) out.push_back(layer.node);
  }
  return out;
}

TEST(Targets, RaisesTheOneLayerThatSpoilsTheOutputs) {
  const Fixture fixture(network_with_one_bad_layer());
  const TargetResult result = must(meet_target(*fixture.draft, *fixture.judge, fixture.costs,
                                               fixture.spec, fixture.sqnr_of_at_least(25.0)));
  EXPECT_TRUE(result.met) << result.before << " -> " << result.after;
  EXPECT_EQ(raised(result), std::vector<std::string>{"bad"});
  // 16 x 9 of 9 x 72 + 16 x 9 + 6 x 144 weights a position.
  EXPECT_NEAR(result.float_macs_percent, 100.0 * 144.0 / (648.0 + 144.0 + 864.0), 1e-6);
  EXPECT_GT(testing::sqnr(
                *fixture.graph,
                [&] {
                  Graph out = *fixture.graph;
                  must(plan::apply_plan(out, result.plan));
                  return out;
                }(),
                fixture.samples),
            25.0);
}

TEST(Targets, ThePlanSaysWhatWasRaisedAndWhy) {
  const Fixture fixture(network_with_one_bad_layer());
  const TargetResult result = must(meet_target(*fixture.draft, *fixture.judge, fixture.costs,
                                               fixture.spec, fixture.sqnr_of_at_least(25.0)));
  const auto& remarks = result.plan.remarks;
  const auto it = std::find_if(remarks.begin(), remarks.end(),
                               [](const plan::Remark& remark) { return remark.node == "bad"; });
  ASSERT_NE(it, remarks.end());
  EXPECT_EQ(it->decision, plan::Decision::kFloat);
  EXPECT_THAT(it->reason, HasSubstr("raised to float for --min-sqnr"));
  EXPECT_THAT(it->reason, HasSubstr("8.7 % of the multiply-adds"));
  EXPECT_THAT(result.plan.to_text(), HasSubstr("raised to float for"));
}

TEST(Targets, NothingIsRaisedWhereTheTargetHolds) {
  const Fixture fixture(network_with_one_bad_layer());
  const TargetResult result = must(meet_target(*fixture.draft, *fixture.judge, fixture.costs,
                                               fixture.spec, fixture.sqnr_of_at_least(-100.0)));
  EXPECT_TRUE(result.met);
  EXPECT_TRUE(raised(result).empty());
  EXPECT_EQ(result.plan.to_text(), fixture.draft->plan.to_text());
}

TEST(Targets, AProductStaysInIntegersWhateverIsAsked) {
  const Fixture fixture(network_with_one_bad_layer());
  const TargetResult result = must(meet_target(*fixture.draft, *fixture.judge, fixture.costs,
                                               fixture.spec, fixture.sqnr_of_at_least(190.0)));
  EXPECT_FALSE(result.met);
  EXPECT_EQ(raised(result).size(), 2U);
  EXPECT_EQ(result.layers.size(), 3U);
  EXPECT_LT(result.float_macs_percent, 100.0);
}

TEST(Targets, TheBudgetIsKept) {
  const Fixture fixture(network_with_one_bad_layer());
  TargetOptions options = fixture.sqnr_of_at_least(25.0);
  options.max_float_macs = 5.0;  // the layer that matters takes 8.7 %
  const TargetResult result =
      must(meet_target(*fixture.draft, *fixture.judge, fixture.costs, fixture.spec, options));
  EXPECT_FALSE(result.met);
  EXPECT_TRUE(raised(result).empty());
  ASSERT_FALSE(result.layers.empty());
  EXPECT_EQ(result.layers.front().node, "bad");
  EXPECT_GT(result.layers.front().effect_db, 5.0);
}

TEST(Targets, EveryBackendFindsTheLayer) {
  for (const char* backend : {"arm", "openvino", "tensorrt"}) {
    const Fixture fixture(network_with_one_bad_layer(), backend);
    const TargetResult result = must(meet_target(*fixture.draft, *fixture.judge, fixture.costs,
                                                 fixture.spec, fixture.sqnr_of_at_least(20.0)));
    EXPECT_TRUE(result.met) << backend;
    EXPECT_EQ(raised(result), std::vector<std::string>{"bad"}) << backend;
  }
}

// A Clip lets little of the few great elements of the input through, which set its range all the
// same: the noise of the first convolution is that of its data.
Graph network_of_a_wide_input() {
  testing::ConvNetwork net;
  auto& builder = net.builder();
  const ValueId a =
      net.op("Clip",
             {net.conv(net.input(), 8, 16, 1, "first"), builder.constant<float>("low", {}, {-1.5F}),
              builder.constant<float>("high", {}, {1.5F})},
             "clip");
  const ValueId b = net.op("Relu", {net.conv(a, 16, 16, 3, "second")}, "second.relu");
  return net.finish({net.conv(b, 16, 8, 1, "third")});
}
testing::HeldSamples samples_with_great_elements() {
  std::vector<data::Sample> out;
  for (uint32_t i = 0; i < 16; ++i) {
    std::vector<float> values = testing::normal_values(8 * 144, 900 + i);
    for (size_t k = 7 * i; k < values.size(); k += 301) values[k] *= 60.0F;
    out.push_back({ir::Tensor::of<float>({1, 8, 12, 12}, values)});
  }
  return testing::HeldSamples(std::move(out));
}
Fixture of_a_wide_input(plan::BackendSpec spec) {
  return {network_of_a_wide_input(), std::move(spec), samples_with_great_elements()};
}

TEST(Targets, SixteenBitsComeBeforeFloatWhereTheBackendHasThem) {
  const Fixture narrow = of_a_wide_input(must(backends::load_backend("toy")));
  const TargetResult in_float = must(meet_target(*narrow.draft, *narrow.judge, narrow.costs,
                                                 narrow.spec, narrow.sqnr_of_at_least(32.0)));
  EXPECT_TRUE(in_float.met) << in_float.after;
  EXPECT_EQ(raised(in_float), std::vector<std::string>{"first"});
  EXPECT_EQ(in_float.layers.front().level, Level::kFloat);

  const Fixture wide = of_a_wide_input(testing::toy_with_wide_data());
  const TargetResult result = must(
      meet_target(*wide.draft, *wide.judge, wide.costs, wide.spec, wide.sqnr_of_at_least(32.0)));
  EXPECT_TRUE(result.met) << result.before << " -> " << result.after;
  EXPECT_EQ(raised(result), std::vector<std::string>{"first"});
  EXPECT_EQ(result.layers.front().level, Level::kWide);
  EXPECT_EQ(result.float_macs_percent, 0.0);
  EXPECT_NEAR(result.wide_macs_percent, in_float.float_macs_percent, 1e-9);
  const auto& remarks = result.plan.remarks;
  const auto it = std::find_if(remarks.begin(), remarks.end(),
                               [](const plan::Remark& remark) { return remark.node == "first"; });
  ASSERT_NE(it, remarks.end());
  EXPECT_EQ(it->decision, plan::Decision::kInteger);
  EXPECT_THAT(it->reason, HasSubstr("raised to 16-bit activations for --min-sqnr: "));
  EXPECT_THAT(it->reason, HasSubstr(" dB at the outputs for "));
}

TEST(Targets, NoFloatBudgetIsNeededForSixteenBits) {
  const Fixture wide = of_a_wide_input(testing::toy_with_wide_data());
  TargetOptions options = wide.sqnr_of_at_least(32.0);
  options.max_float_macs = 0.0;
  EXPECT_TRUE(must(meet_target(*wide.draft, *wide.judge, wide.costs, wide.spec, options)).met);
}

TEST(Targets, SixteenBitsAreNotTriedOnANoisyWeight) {
  const Fixture wide(network_with_one_bad_layer(), testing::toy_with_wide_data());
  const TargetResult result = must(
      meet_target(*wide.draft, *wide.judge, wide.costs, wide.spec, wide.sqnr_of_at_least(25.0)));
  EXPECT_TRUE(result.met) << result.after;
  EXPECT_EQ(raised(result), std::vector<std::string>{"bad"});
  EXPECT_EQ(result.layers.front().level, Level::kFloat);
}

TEST(Targets, WhatSixteenBitsCannotReachGoesOnToFloat) {
  const Fixture wide = of_a_wide_input(testing::toy_with_wide_data());
  const TargetResult result = must(
      meet_target(*wide.draft, *wide.judge, wide.costs, wide.spec, wide.sqnr_of_at_least(190.0)));
  EXPECT_FALSE(result.met);
  // One product stays in integers, but need not stay at 8 bits.
  std::vector<Level> levels;
  for (const LayerEffect& layer : result.layers) levels.push_back(layer.level);
  EXPECT_EQ(std::count(levels.begin(), levels.end(), Level::kFloat), 2);
}

TEST(Judge, CountsNoiseAgainstPowerAndTheWorstOutputRules) {
  const OutputErrors errors({{{100.0, 1.0}, {10.0, 1.0}}, {{100.0, 1.0}, {10.0, 0.0}}});
  EXPECT_NEAR(*errors.worst_sqnr(), 10.0 * std::log10(20.0), 1e-9);
  EXPECT_NEAR(*errors.first(1).worst_sqnr(), 10.0, 1e-9);
  EXPECT_GT(errors.joint_sqnr(), *errors.worst_sqnr());
  EXPECT_LT(errors.joint_sqnr(), *errors.worst_sqnr() + 2.0);
  EXPECT_NEAR(errors.joint_noise(), std::pow(10.0, -errors.joint_sqnr() / 10.0), 1e-12);
  EXPECT_GT(errors.joint_sqnr(OutputErrors::Half::kOdd),
            errors.joint_sqnr(OutputErrors::Half::kEven));
  const OutputErrors silent({{{0.0, 0.0}}});
  EXPECT_FALSE(silent.worst_sqnr().has_value());
  const OutputErrors broken({{{1.0, std::nan("")}}});
  EXPECT_LT(broken.joint_sqnr(), -100.0);
}

TEST(Judge, KnowsHowFewSamplesSpeakForAnOutput) {
  const OutputError quiet{0.0, 0.0};
  const OutputError one{1.0, 0.1};
  const OutputError three{3.0, 0.1};
  EXPECT_DOUBLE_EQ(OutputErrors({{one}, {one}, {one}, {one}}).effective_samples(), 4.0);
  EXPECT_DOUBLE_EQ(OutputErrors({{one}, {quiet}, {quiet}, {quiet}}).effective_samples(), 1.0);
  // 16 / 10; the output that fewest speak for counts.
  EXPECT_DOUBLE_EQ(OutputErrors({{one, one}, {one, three}}).effective_samples(), 1.6);
  // An output that is zero everywhere has nothing to say.
  EXPECT_DOUBLE_EQ(OutputErrors({{one, quiet}, {one, quiet}}).effective_samples(), 2.0);
}

TEST(Judge, ATypicalSampleDecidesNotTheLoudest) {
  std::vector<std::vector<OutputError>> before(10, {{1.0, 0.01}});
  std::vector<std::vector<OutputError>> after(10, {{1.0, 0.009}});
  after[3][0].noise = 0.05;  // by luck
  const OutputErrors::Gain gain = OutputErrors(after).gain_over(OutputErrors(before));
  EXPECT_LT(OutputErrors(after).joint_sqnr(), OutputErrors(before).joint_sqnr());
  EXPECT_NEAR(gain.db, 0.9 * 10.0 * std::log10(1.0 / 0.9) - 0.1 * 10.0 * std::log10(5.0), 1e-9);
  after[3][0].noise = 0.0091;
  const OutputErrors::Gain sure = OutputErrors(after).gain_over(OutputErrors(before));
  EXPECT_GT(sure.significance, 20.0);
  EXPECT_EQ(OutputErrors(before).gain_over(OutputErrors(before)).significance, 0.0);
  const OutputErrors broken({{{1.0, std::nan("")}}, {{1.0, std::nan("")}}});
  EXPECT_LT(broken.gain_over(OutputErrors(before)).db, -5.0);
}

TEST(Judge, TheSameForAnyNumberOfThreads) {
  const Fixture fixture(network_with_one_bad_layer());
  std::vector<size_t> all = {0, 3, 5, 7, 9, 11};
  double first = 0.0;
  for (size_t threads : {1, 2, 4, 8}) {
    Judge::Options options;
    options.threads = threads;
    const Judge judge = must(Judge::make(fixture.graph, fixture.samples, all, options));
    const double found = must(judge.run(fixture.draft->plan)).errors.joint_sqnr();
    if (threads == 1) first = found;
    EXPECT_EQ(found, first) << threads;
  }
}

}  // namespace
}  // namespace octet::accuracy
