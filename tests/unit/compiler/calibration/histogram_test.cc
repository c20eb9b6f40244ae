#include "compiler/calibration/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "compiler/calibration/histogram_builder.h"

namespace octet::calibration {
namespace {

std::vector<float> random_values(size_t count, float spread, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0.0F, spread);
  std::vector<float> out(count);
  for (float& x : out) x = normal(random);
  return out;
}

TEST(Histogram, CountsEveryValueInTheBinThatHoldsIt) {
  const std::vector<float> values = {0.0F, 1.0F, -1.0F, 0.5F, -0.25F};
  Histogram histogram;
  histogram.add(values);
  EXPECT_EQ(histogram.total(), values.size());
  for (float x : values) {
    const int bin = static_cast<int>(std::floor(x / histogram.bin_width())) + Histogram::kHalf;
    EXPECT_GE(histogram.counts()[static_cast<size_t>(bin)], 1U) << x;
    EXPECT_LE(histogram.lower_edge(bin), x);
    EXPECT_GT(histogram.lower_edge(bin + 1), x);
  }
}

TEST(Histogram, IsTheSameForAnyOrderAndAnySplit) {
  std::vector<float> values = random_values(10000, 1.0F, 1);
  const std::vector<float> tail = random_values(100, 1000.0F, 2);
  values.insert(values.end(), tail.begin(), tail.end());
  Histogram whole;
  whole.add(values);

  std::mt19937_64 random(3);
  for (int round = 0; round < 5; ++round) {
    std::shuffle(values.begin(), values.end(), random);
    Histogram one_by_one;
    for (float x : values) one_by_one.add({&x, 1});
    EXPECT_EQ(one_by_one, whole);

    const size_t cut = values.size() / 3;
    const std::span<const float> all(values);
    Histogram left;
    Histogram right;
    left.add(all.first(cut));
    right.add(all.subspan(cut));
    Histogram left_right = left;
    left_right.merge(right);
    right.merge(left);
    EXPECT_EQ(left_right, whole);
    EXPECT_EQ(right, whole);
  }
}

// Counted by the definition: floor(x / 2^e), in double.
std::vector<uint64_t> counts_by_definition(std::span<const float> values, int exponent) {
  std::vector<uint64_t> out(Histogram::kBins, 0);
  for (float x : values) {
    const double bin = std::floor(std::ldexp(static_cast<double>(x), -exponent));
    ++out[static_cast<size_t>(static_cast<int>(bin) + Histogram::kHalf)];
  }
  return out;
}

TEST(Histogram, CountsManyValuesOfAnyMagnitudeByTheDefinition) {
  for (const float spread : {1e-44F, 1e-40F, 1e-38F, 1e-30F, 1.0F, 1e30F}) {
    std::vector<float> values = random_values(50001, spread, 4);
    for (size_t i = 0; i < values.size(); i += 3) values[i] = std::max(values[i], 0.0F);
    for (const float x : {-1e-45F, 1e-45F, -0.0F, -1e-38F}) values.push_back(x);
    Histogram histogram;
    histogram.add(values);
    const auto expected = counts_by_definition(values, histogram.exponent());
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), histogram.counts().begin())) << spread;
  }
}

// Counts every element.
CountedElements whole() { return CountedElements(std::vector<int64_t>{1}); }

// The histogram of values, and of what Relu makes of them.
void expect_built_alike(const std::vector<float>& values) {
  HistogramBuilder builder;
  const size_t cut = values.size() / 5;
  const std::span<const float> all(values);
  ASSERT_TRUE(builder.add(all.first(cut), whole()).has_value());
  const auto extremes = builder.add(all.subspan(cut), whole());
  ASSERT_TRUE(extremes.has_value());
  EXPECT_EQ(extremes->min,
            *std::min_element(values.begin() + static_cast<int64_t>(cut), values.end()));
  Histogram expected;
  expected.add(values);
  EXPECT_TRUE(builder.all() == expected);
  std::vector<float> rectified = values;
  for (float& x : rectified) x = std::max(x, 0.0F);
  Histogram behind;
  behind.add(rectified);
  EXPECT_TRUE(builder.rectified() == behind);
}

TEST(HistogramBuilder, BuildsWhatAHistogramCounts) {
  for (const float spread : {1e-44F, 1e-40F, 1e-38F, 1e-30F, 1.0F, 1e30F}) {
    SCOPED_TRACE(spread);
    std::vector<float> values = random_values(350001, spread, 5);
    expect_built_alike(values);
    for (const float x : {-1e-45F, 1e-45F, -0.0F, -1e-38F}) values.push_back(x);
    expect_built_alike(values);
    for (float& x : values) x = x > 0.0F ? 1e-3F * x : x;
    expect_built_alike(values);
    for (float& x : values) x = std::min(x, -0.0F);
    expect_built_alike(values);
    for (float& x : values) x = -x;
    expect_built_alike(values);
    expect_built_alike(std::vector<float>(values.begin(), values.begin() + 50));
  }
  expect_built_alike(std::vector<float>(20000, 0.0F));
  expect_built_alike({-1024.0F, 1024.0F, -512.0F, 512.0F, 3.0F});
}

TEST(HistogramBuilder, SaysWhenAValueIsNotFinite) {
  for (const float x : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    std::vector<float> values(3000, 1.0F);
    values[2500] = x;
    EXPECT_FALSE(HistogramBuilder().add(values, whole()).has_value());
  }
  EXPECT_TRUE(HistogramBuilder().add({}, whole()).has_value());
}

TEST(Histogram, TinyNegativeValuesFallBelowZero) {
  const std::vector<float> values = {-1e-30F, 1000.0F};
  Histogram histogram;
  histogram.add(values);
  EXPECT_EQ(histogram.counts()[Histogram::kHalf - 1], 1U);
}

TEST(Histogram, TakesTheWholeRangeOfFloat) {
  const std::vector<float> values = {3.4e38F, -3.4e38F, 1e-45F, 0.0F};
  Histogram histogram;
  histogram.add(values);
  EXPECT_EQ(histogram.total(), 4U);
}

TEST(Histogram, OfNothingIsNeutral) {
  const std::vector<float> values = {1.0F, 2.0F};
  Histogram filled;
  filled.add(values);
  Histogram empty;
  empty.merge(filled);
  EXPECT_EQ(empty, filled);
  filled.merge(Histogram());
  EXPECT_EQ(empty, filled);
}

}  // namespace
}  // namespace octet::calibration
