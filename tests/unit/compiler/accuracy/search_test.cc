#include "compiler/accuracy/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/backends.h"
#include "compiler/accuracy/candidate_ranges.h"
#include "compiler/plan/apply.h"
#include "tests/support/accuracy_network.h"

namespace octet::accuracy {
namespace {

using calibration::Range;
using calibration::RangeShape;
using calibration::TensorStatistics;
using ir::Graph;
using ir::ValueId;
using ::testing::HasSubstr;
using testing::must;

// Nobody reads the last channel of the input, whose spikes set the range of all: to cut them off is
// right.
Graph network_with_a_tail_nobody_reads() {
  testing::ConvNetwork net;
  auto& builder = net.builder();
  std::vector<float> w = testing::normal_values(8 * 8, 5, 0.3F);
  for (size_t row = 0; row < 8; ++row) w[row * 8 + 7] = 0.0F;
  const ValueId a =
      builder.op("Conv",
                 {net.input(), builder.constant<float>("first.w", {8, 8, 1, 1}, w),
                  builder.constant<float>("first.b", {8}, testing::normal_values(8, 6, 0.1F))},
                 {}, "first");
  must(builder.graph().rename_value(a, "first"));
  return net.finish({net.conv(net.op("Relu", {a}, "first.relu"), 8, 6, 3, "last")});
}

testing::HeldSamples samples_with_spikes(size_t count) {
  std::vector<data::Sample> out;
  for (size_t i = 0; i < count; ++i) {
    std::vector<float> values =
        testing::normal_values(8 * 144, 100 + static_cast<uint32_t>(i) * 7919U);
    if (i % 4 == 0) values[7 * 144 + i] = 100.0F;
    out.push_back({ir::Tensor::of<float>({1, 8, 12, 12}, values)});
  }
  return testing::HeldSamples(std::move(out));
}

SearchResult searched(const Graph& graph, const data::Dataset& samples, size_t threads,
                      const SearchOptions& search = {}) {
  RecipeOptions options;
  options.threads = threads;
  return must(plan_with_search(std::make_shared<const Graph>(graph), samples,
                               must(backends::load_backend("x86")), {}, options, search));
}

double quality(const Graph& graph, const plan::QuantPlan& plan, const data::Dataset& samples) {
  Graph out = graph;
  must(plan::apply_plan(out, plan));
  return testing::sqnr(graph, out, samples);
}

TEST(Search, ClipsARangeWhereTheOutputsSaySo) {
  const Graph graph = network_with_a_tail_nobody_reads();
  const auto samples = samples_with_spikes(24);
  const auto unseen = testing::normal_samples(8, {1, 8, 12, 12}, 9000);
  const SearchResult result = searched(graph, samples, 2);
  const auto plain = must(plan_with_recipe(std::make_shared<const Graph>(graph), samples,
                                           must(backends::load_backend("x86")), {}, {}));
  EXPECT_GT(quality(graph, result.recipe.plan, unseen), quality(graph, plain.plan, unseen) + 6.0);
  const auto& kept = result.report.kept;
  const auto it = std::find_if(kept.begin(), kept.end(),
                               [](const KeptChange& change) { return change.where == "x"; });
  ASSERT_NE(it, kept.end());
  EXPECT_THAT(it->what, HasSubstr("range by "));
  EXPECT_GT(it->gain, 0.0);
  EXPECT_EQ(result.report.judged, 12U);
}

// The network reads four channels that are lost in the step of four others, of which they are
// small copies: what is lost is there to be had from the great ones.
Graph network_that_reads_the_small_copies() {
  testing::ConvNetwork net;
  auto& builder = net.builder();
  std::vector<float> w = testing::normal_values(8 * 8, 5);
  for (size_t row = 0; row < 8; ++row)
    std::fill_n(w.begin() + static_cast<ptrdiff_t>(row * 8), 4, 0.0F);
  const ValueId a =
      builder.op("Conv",
                 {net.input(), builder.constant<float>("first.w", {8, 8, 1, 1}, w),
                  builder.constant<float>("first.b", {8}, testing::normal_values(8, 6, 0.1F))},
                 {}, "first");
  must(builder.graph().rename_value(a, "first"));
  return net.finish({net.conv(net.op("Relu", {a}, "first.relu"), 8, 6, 3, "last")});
}

testing::HeldSamples samples_with_small_copies(size_t count, uint32_t seed) {
  std::vector<data::Sample> out;
  for (size_t i = 0; i < count; ++i) {
    std::vector<float> values =
        testing::normal_values(8 * 144, seed + static_cast<uint32_t>(i) * 7919U, 10.0F);
    for (size_t e = 0; e < 4 * 144; ++e) values[4 * 144 + e] = values[e] * 0.02F;
    out.push_back({ir::Tensor::of<float>({1, 8, 12, 12}, values)});
  }
  return testing::HeldSamples(std::move(out));
}

TEST(Search, RoundsTowardsTheFloatOutputsWhereThatHelps) {
  const Graph graph = network_that_reads_the_small_copies();
  const auto samples = samples_with_small_copies(24, 100);
  const auto unseen = samples_with_small_copies(8, 900001);
  const SearchResult result = searched(graph, samples, 2);
  const auto plain = must(plan_with_recipe(std::make_shared<const Graph>(graph), samples,
                                           must(backends::load_backend("x86")), {}, {}));
  EXPECT_GT(quality(graph, result.recipe.plan, unseen), quality(graph, plain.plan, unseen) + 6.0);
  ASSERT_FALSE(result.report.kept.empty());
  EXPECT_EQ(result.report.kept.front().what, "weights rounded towards the float outputs");
  EXPECT_GT(result.report.kept.front().gain, 0.5);
  EXPECT_GT(result.recipe.report.targeted, 0U);
  EXPECT_EQ(searched(graph, samples, 1).recipe.plan.to_text(), result.recipe.plan.to_text());
}

TEST(Search, TriesNothingWhereFewSamplesSpeak) {
  const Graph graph = network_that_reads_the_small_copies();
  const auto alike = samples_with_small_copies(24, 100);
  std::vector<data::Sample> four_loud;  // one at least is judged on
  for (size_t i = 0; i < alike.size(); ++i) {
    std::vector<float> values = must(alike.get(i)).front().to_floats();
    const float loudness = i < 4 ? 30.0F * static_cast<float>(1 << (3 * i)) : 1.0F;
    for (float& x : values) x *= loudness;
    four_loud.push_back({ir::Tensor::of<float>({1, 8, 12, 12}, values)});
  }
  const SearchReport report = searched(graph, testing::HeldSamples(four_loud), 2).report;
  EXPECT_TRUE(report.few_speak);
  EXPECT_NEAR(report.speaking, 1.0, 0.1);
  EXPECT_EQ(report.trials, 0U);
  EXPECT_EQ(report.after, report.before);
  EXPECT_FALSE(searched(graph, alike, 2).report.few_speak);
}

TEST(Search, NeverEndsBelowWhereItBegan) {
  testing::ConvNetwork net;
  const ValueId a = net.op("Relu", {net.conv(net.input(), 8, 16, 3, "a", 1, 0.75F)}, "a.relu");
  const Graph graph = net.finish({net.conv(a, 16, 6, 3, "b")});
  const auto samples = testing::normal_samples(24, {1, 8, 12, 12}, 100);
  const SearchResult result = searched(graph, samples, 2);
  EXPECT_GE(result.report.after, result.report.before - 0.1);
  for (const KeptChange& change : result.report.kept) EXPECT_GT(change.gain, 0.0);
  const plan::QuantPlan again =
      must(plan::QuantPlan::from_text(result.recipe.plan.to_text(), "a.plan"));
  EXPECT_EQ(again.to_text(), result.recipe.plan.to_text());
}

TEST(Search, TheSameForAnyNumberOfThreads) {
  const Graph graph = network_with_a_tail_nobody_reads();
  const auto samples = samples_with_spikes(17);
  const std::string one = searched(graph, samples, 1).recipe.plan.to_text();
  for (size_t threads : {2, 4, 8}) {
    EXPECT_EQ(searched(graph, samples, threads).recipe.plan.to_text() == one, true) << threads;
  }
}

TEST(Search, AnInterruptedOneKeepsTheBestSoFar) {
  const Graph graph = network_with_a_tail_nobody_reads();
  const auto samples = samples_with_spikes(16);
  const double whole = searched(graph, samples, 2).report.after;
  int asked = 0;
  SearchOptions search;
  search.stop = [&] { return ++asked > 12; };
  const SearchResult cut = searched(graph, samples, 2, search);
  EXPECT_TRUE(cut.report.interrupted);
  EXPECT_LE(cut.report.trials, 12U);
  EXPECT_GE(cut.report.after, cut.report.before - 0.1);
  EXPECT_LE(cut.report.after, whole + 0.2);
  search.stop = [] { return true; };
  const SearchResult none = searched(graph, samples, 2, search);
  EXPECT_EQ(none.report.trials, 0U);
  EXPECT_EQ(none.report.after, none.report.before);
}

TEST(Search, WorkBoundsTheTrials) {
  const Graph graph = network_with_a_tail_nobody_reads();
  const auto samples = samples_with_spikes(16);
  SearchOptions search;
  search.work = 0.0;
  EXPECT_EQ(searched(graph, samples, 2, search).report.trials, 0U);
}

TEST(Search, TooFewSamplesAreRefused) {
  const Graph graph = network_with_a_tail_nobody_reads();
  const auto samples = testing::normal_samples(7, {1, 8, 12, 12}, 100);
  const auto result = plan_with_search(std::make_shared<const Graph>(graph), samples,
                                       must(backends::load_backend("x86")), {}, {}, {});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kBadData);
  EXPECT_THAT(result.error().message(), HasSubstr("at least 8 samples, there are 7"));
}

TEST(Search, SilentSamplesAndNoLayersAreNoTrouble) {
  const ir::Tensor zeros = must(ir::Tensor::zeros(ir::DType::kFloat32, {1, 8, 12, 12}));
  const testing::HeldSamples nothing(std::vector<data::Sample>(9, {zeros}));
  const Graph graph = network_with_a_tail_nobody_reads();
  EXPECT_GT(quality(graph, searched(graph, nothing, 2).recipe.plan, nothing), 10.0);
  testing::ConvNetwork net;
  const Graph none = net.finish({net.op("Relu", {net.input()}, "r")});
  EXPECT_EQ(searched(none, nothing, 2).report.trials, 0U);
}

TensorStatistics statistics_of(const std::vector<float>& values) {
  TensorStatistics out;
  out.samples = 1;
  out.elements = static_cast<int64_t>(values.size());
  out.min = *std::min_element(values.begin(), values.end());
  out.max = *std::max_element(values.begin(), values.end());
  out.histogram.emplace();
  out.histogram->add(values);
  return out;
}

TEST(CandidateRanges, ExpectedErrorIsThatOfRoundingAndClipping) {
  const TensorStatistics statistics = statistics_of(testing::normal_values(20000, 3));
  const Range range{-2.0F, 1.5F};
  const double step = 3.5 / 255.0;
  double sum = 0.0;
  for (const float x : testing::normal_values(20000, 3)) {
    const double cut = std::clamp(static_cast<double>(x), -2.0, 1.5);
    sum += std::pow(static_cast<double>(x) - std::round(cut / step) * step, 2.0);
  }
  const double expected = expected_error(statistics, range, 256, 2.0);
  EXPECT_NEAR(expected, sum / 20000.0, 0.03 * expected);
}

TEST(CandidateRanges, ATailIsCutTheMoreTheLowerThePower) {
  TensorStatistics statistics = statistics_of(testing::normal_values(200000, 3));
  const std::vector<float> again = testing::normal_values(200000, 3);
  for (int i = 0; i < 9; ++i) statistics.histogram->add(again);
  const std::vector<float> tail = {100.0F};
  statistics.histogram->add(tail);
  statistics.max = 100.0F;
  const Range all{statistics.min, statistics.max};
  const float mse = least_error_range(statistics, all, 256, RangeShape::kAnywhere, 2.0).max;
  const float l4 = least_error_range(statistics, all, 256, RangeShape::kAnywhere, 4.0).max;
  EXPECT_LT(mse, 40.0F);
  EXPECT_GT(l4, mse);
  const Range both = least_error_range(statistics, all, 256, RangeShape::kSymmetric, 2.0);
  EXPECT_EQ(both.min < 0.0F, true);
}

TEST(CandidateRanges, HoldZeroAndDiffer) {
  std::vector<float> values = testing::normal_values(5000, 3, 0.1F);
  for (float& value : values) value += 5.0F;
  values.push_back(50.0F);
  const Range current{0.0F, 50.0F};
  const auto candidates =
      candidate_ranges(statistics_of(values), current, 256, RangeShape::kAnywhere);
  ASSERT_GE(candidates.size(), 2U);
  for (const CandidateRange& each : candidates) {
    EXPECT_LE(each.range.min, 0.0F) << each.method;
    EXPECT_GE(each.range.max, 0.0F) << each.method;
    EXPECT_FALSE(each.range == current) << each.method;
  }
  TensorStatistics without = statistics_of(values);
  without.histogram.reset();
  EXPECT_TRUE(candidate_ranges(without, current, 256, RangeShape::kAnywhere).empty());
}

}  // namespace
}  // namespace octet::accuracy
