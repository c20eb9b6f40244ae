#include "compiler/calibration/range.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace octet::calibration {
namespace {

TensorStatistics statistics_of(const std::vector<float>& values) {
  TensorStatistics out;
  out.samples = 1;
  out.elements = static_cast<int64_t>(values.size());
  out.min = *std::min_element(values.begin(), values.end());
  out.max = *std::max_element(values.begin(), values.end());
  out.sum_of_sample_min.add(out.min);
  out.sum_of_sample_max.add(out.max);
  out.histogram.emplace();
  out.histogram->add(values);
  return out;
}

RangeMethod method(std::string_view text) { return *parse_range_method(text); }

// Mean squared error of quantizing to `levels` values over a range, by doing it.
double measured_error(const std::vector<float>& values, const Range& range, int64_t levels) {
  const double step =
      (static_cast<double>(range.max) - range.min) / static_cast<double>(levels - 1);
  double sum = 0.0;
  for (float x : values) {
    const double clipped = std::min<double>(std::max<double>(x, range.min), range.max);
    const double q = range.min + std::nearbyint((clipped - range.min) / step) * step;
    sum += (x - q) * (x - q);
  }
  return sum / static_cast<double>(values.size());
}

std::vector<float> bell_with_outlier(float outlier) {
  std::mt19937_64 random(7);
  std::normal_distribution<float> normal(0.0F, 1.0F);
  std::vector<float> out(50000);
  for (float& x : out) x = normal(random);
  out[0] = outlier;
  return out;
}

TEST(RangeMethod, ReadsAndPrintsEveryName) {
  for (const char* name : {"min-max", "average", "kl", "mse", "percentile:99.9"}) {
    EXPECT_EQ(to_string(method(name)), name);
  }
  EXPECT_EQ(to_string(method("percentile")), "percentile:99.99");
}

TEST(RangeMethod, RefusesWhatItDoesNotKnow) {
  const auto typo = parse_range_method("min-mex");
  ASSERT_FALSE(typo.ok());
  EXPECT_EQ(typo.error().code(), ErrorCode::kUsage);
  EXPECT_NE(typo.error().message().find("min-max"), std::string::npos);
  for (const char* text :
       {"percentile:-1", "percentile:200", "percentile:x", "percentile:", "kl:3"}) {
    EXPECT_FALSE(parse_range_method(text).ok()) << text;
  }
}

TEST(ChooseRange, MinMaxIsWhatWasSeen) {
  const auto range =
      choose_range(statistics_of({-2.0F, 0.5F, 7.0F}), {}, 256, RangeShape::kAnywhere);
  EXPECT_EQ(*range, (Range{-2.0F, 7.0F}));
}

TEST(ChooseRange, AverageIsTheMeanOverSamples) {
  TensorStatistics a = statistics_of({-1.0F, 2.0F});
  a.merge(statistics_of({-3.0F, 8.0F}));
  EXPECT_EQ(*choose_range(a, method("average"), 256, RangeShape::kAnywhere), (Range{-2.0F, 5.0F}));
}

TEST(ChooseRange, PercentileDropsTheRareTail) {
  const TensorStatistics statistics = statistics_of(bell_with_outlier(100.0F));
  const auto range =
      choose_range(statistics, method("percentile:99.9"), 256, RangeShape::kAnywhere);
  EXPECT_LT(range->max, 6.0F);
  EXPECT_GT(range->max, 2.0F);
  const auto all = choose_range(statistics, method("percentile:100"), 256, RangeShape::kAnywhere);
  EXPECT_EQ(*all, (Range{statistics.min, statistics.max}));
}

TEST(ChooseRange, KlClipsAnOutlierAndKeepsABell) {
  const auto clipped = choose_range(statistics_of(bell_with_outlier(100.0F)), method("kl"), 256,
                                    RangeShape::kSymmetric);
  EXPECT_LT(clipped->max, 30.0F);
  EXPECT_GT(clipped->max, 2.0F);
}

// The search must not be worse, measured by quantizing, than any range of a fine grid by much.
TEST(ChooseRange, MseIsNearTheBestOfAGrid) {
  for (float outlier : {4.0F, 20.0F, 100.0F}) {
    const std::vector<float> values = bell_with_outlier(outlier);
    for (int64_t levels : {16, 256}) {
      const auto chosen =
          choose_range(statistics_of(values), method("mse"), levels, RangeShape::kSymmetric);
      double best = INFINITY;
      for (int i = 1; i <= 100; ++i) {
        const float limit = outlier * static_cast<float>(i) / 100.0F;
        best = std::min(best, measured_error(values, {-limit, limit}, levels));
      }
      const double error = measured_error(
          values, {-std::max(-chosen->min, chosen->max), std::max(-chosen->min, chosen->max)},
          levels);
      EXPECT_LT(error, best * 1.25) << "outlier " << outlier << ", levels " << levels;
    }
  }
}

TEST(ChooseRange, StaysWithinWhatWasObserved) {
  const TensorStatistics statistics = statistics_of({0.0F, 0.1F, 0.2F, 0.7F});
  for (const char* name : {"percentile", "kl", "mse"}) {
    for (RangeShape shape : {RangeShape::kAnywhere, RangeShape::kSymmetric}) {
      const auto range = choose_range(statistics, method(name), 256, shape);
      ASSERT_TRUE(range.ok()) << name;
      EXPECT_GE(range->min, 0.0F) << name;
      EXPECT_LE(range->max, 0.7F) << name;
      EXPECT_LE(range->min, range->max) << name;
    }
  }
}

TEST(ChooseRange, SaysWhatIsMissing) {
  EXPECT_EQ(choose_range({}, {}, 256, RangeShape::kAnywhere).error().code(), ErrorCode::kBadData);
  TensorStatistics bare = statistics_of({1.0F});
  bare.histogram.reset();
  EXPECT_EQ(choose_range(bare, method("mse"), 256, RangeShape::kAnywhere).error().code(),
            ErrorCode::kBadData);
}

}  // namespace
}  // namespace octet::calibration
