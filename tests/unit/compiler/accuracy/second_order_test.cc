// Oracles: outputs computed column by column, all integers by brute force.
#include "compiler/accuracy/second_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "tests/support/second_order_layer.h"

namespace octet::accuracy {
namespace {

using testing::Random;

// The mean squared change of a row's output, from the outputs themselves.
double output_error(const std::vector<double>& columns, std::span<const float> row,
                    std::span<const int32_t> integers, float scale) {
  const size_t k = row.size();
  double sum = 0;
  for (size_t c = 0; c < columns.size() / k; ++c) {
    double change = 0;
    for (size_t j = 0; j < k; ++j) {
      change += (static_cast<double>(integers[j]) * scale - row[j]) * columns[c * k + j];
    }
    sum += change * change;
  }
  return sum / (static_cast<double>(columns.size()) / static_cast<double>(k));
}

// Calls visit(z) for every z of k integers in [low, high].
void for_all(size_t k, int32_t low, int32_t high,
             const std::function<void(const std::vector<int32_t>&)>& visit) {
  std::vector<int32_t> z(k, low);
  for (;;) {
    visit(z);
    size_t j = 0;
    while (j < k && z[j] == high) z[j++] = low;
    if (j == k) return;
    ++z[j];
  }
}

void expect_same(const RoundedRows& a, const RoundedRows& b) {
  EXPECT_EQ(a.integers, b.integers);
  EXPECT_EQ(a.scales, b.scales);
  EXPECT_EQ(a.errors, b.errors);
  EXPECT_EQ(a.nearest_errors, b.nearest_errors);
}

TEST(SecondOrder, RowErrorIsTheMeanSquaredChangeOfTheOutput) {
  const Layer layer(7, 4, 11, 60);
  Random random(8);
  for (size_t r = 0; r < 4; ++r) {
    std::vector<int32_t> z(11);
    for (int32_t& q : z) q = static_cast<int32_t>(random.below(9)) - 4;
    const double want = output_error(layer.columns, layer.row(r), z, 0.3F);
    EXPECT_NEAR(row_error(layer.h(), layer.row(r), z, 0.3F), want, 1e-9 * want);
  }
}

TEST(SecondOrder, LiesBetweenTheBestIntegersAndNearest) {
  size_t best = 0;
  size_t better = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const size_t k = 2 + seed % 3;
    const Layer layer(seed, 1, k, 20);
    const std::vector<float> scales = greatest_scales(layer.w(), {-4, 4}, {}).value();
    const RoundedRows out = round_rows(layer.h(), layer.w(), scales, {-4, 4}).value();
    double least = HUGE_VAL;
    for_all(k, -4, 4, [&](const std::vector<int32_t>& z) {
      least = std::min(least, row_error(layer.h(), layer.row(0), z, scales[0]));
    });
    std::vector<int32_t> nearest(k);
    for (size_t j = 0; j < k; ++j) {
      nearest[j] = static_cast<int32_t>(std::nearbyint(layer.weights[j] / scales[0]));
    }
    const double plain = row_error(layer.h(), layer.row(0), nearest, scales[0]);
    EXPECT_NEAR(out.nearest_errors[0], plain, 1e-12 + 1e-9 * plain);
    EXPECT_NEAR(out.errors[0], row_error(layer.h(), layer.row(0), out.integers, scales[0]),
                1e-12 + 1e-9 * plain);
    EXPECT_LE(out.errors[0], plain * (1 + 1e-12));
    EXPECT_GE(out.errors[0], least - 1e-12);
    best += out.errors[0] <= least * (1 + 1e-9) ? 1 : 0;
    better += out.errors[0] < plain * (1 - 1e-9) ? 1 : 0;
  }
  EXPECT_GT(best, 30U);
  EXPECT_GT(better, 10U);
}

TEST(SecondOrder, DescentNeverRaisesTheErrorAndEndsWhereNoStepHelps) {
  Random random(4);
  for (uint64_t seed = 100; seed < 110; ++seed) {
    const Layer layer(seed, 40, 24, 100);
    const std::vector<float> scales = greatest_scales(layer.w(), kInt4, {}).value();
    std::vector<int32_t> start(40 * 24);
    for (int32_t& z : start) z = static_cast<int32_t>(random.below(21)) - 10;
    SecondOrderOptions options;
    options.sweeps = 1000;
    const RoundedRows out =
        descend_rows(layer.h(), layer.w(), scales, start, kInt4, options).value();
    for (int32_t& z : start) z = std::clamp(z, -7, 7);
    for (size_t r = 0; r < 40; ++r) {
      const auto before = std::span<const int32_t>(start).subspan(r * 24, 24);
      EXPECT_LE(out.errors[r], row_error(layer.h(), layer.row(r), before, scales[r]));
      std::vector<int32_t> z(out.integers.begin() + static_cast<ptrdiff_t>(r * 24),
                             out.integers.begin() + static_cast<ptrdiff_t>(r * 24 + 24));
      const double reached = row_error(layer.h(), layer.row(r), z, scales[r]);
      EXPECT_NEAR(out.errors[r], reached, 1e-9 * reached);
      for (int32_t& q : z) {
        for (int32_t step : {-1, 1}) {
          if (std::abs(q + step) > 7) continue;
          q += step;
          EXPECT_GE(row_error(layer.h(), layer.row(r), z, scales[r]), reached * (1 - 1e-9));
          q -= step;
        }
      }
    }
  }
}

TEST(SecondOrder, EverySweepLowersTheError) {
  const Layer layer(42, 30, 48, 200);
  const std::vector<float> scales = greatest_scales(layer.w(), kInt4, {}).value();
  const std::vector<int32_t> zeros(30 * 48);
  double before = HUGE_VAL;
  for (size_t sweeps = 0; sweeps < 6; ++sweeps) {
    SecondOrderOptions options;
    options.sweeps = sweeps;
    const auto out = descend_rows(layer.h(), layer.w(), scales, zeros, kInt4, options).value();
    EXPECT_LE(total(out.errors), before);
    before = total(out.errors);
  }
}

TEST(SecondOrder, SearchFindsTheBestOfAllFloorsAndCeilings) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const size_t k = 1 + seed % 9;
    const Layer layer(seed, 3, k, 40);
    std::vector<float> scales = greatest_scales(layer.w(), kInt4, {}).value();
    if (seed % 2 == 1) {
      for (float& s : scales) s *= 0.6F;  // some weights are clipped
    }
    const RoundedRows out = search_rows(layer.h(), layer.w(), scales, kInt4).value();
    for (size_t r = 0; r < 3; ++r) {
      double least = HUGE_VAL;
      for_all(k, 0, 1, [&](std::vector<int32_t> z) {
        for (size_t j = 0; j < k; ++j) {
          const double target = static_cast<double>(layer.row(r)[j]) / scales[r];
          z[j] = std::clamp(static_cast<int32_t>(std::floor(target)) + z[j], -7, 7);
        }
        least = std::min(least, row_error(layer.h(), layer.row(r), z, scales[r]));
      });
      EXPECT_NEAR(row_error(layer.h(), layer.row(r), integers_of(out, r, k), scales[r]), least,
                  1e-12 + 1e-9 * least);
      EXPECT_NEAR(out.errors[r], least, 1e-12 + 1e-9 * least);
    }
  }
}

TEST(SecondOrder, DepthwiseIsNoWorseThanTheSearchAtAnyScaleOfTheGrid) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Layer layer(seed, 2, 9, 60);
    const RoundedRows out = quantize_rows(layer.h(), layer.w(), kInt4, {}).value();
    const std::vector<float> greatest = greatest_scales(layer.w(), kInt4, {}).value();
    for (int step = 0; step <= 70; ++step) {
      std::vector<float> scales = greatest;
      for (float& s : scales) s = static_cast<float>(s * (1 - 0.7 * step / 70));
      const RoundedRows at = search_rows(layer.h(), layer.w(), scales, kInt4).value();
      for (size_t r = 0; r < 2; ++r) EXPECT_LE(out.errors[r], at.errors[r] * (1 + 1e-9));
    }
  }
}

TEST(SecondOrder, NeitherThreadsNorOtherRowsChangeARow) {
  for (size_t k : {9, 40}) {
    const Layer layer(17, 70, k, 150);
    SecondOrderOptions options;
    const RoundedRows one = quantize_rows(layer.h(), layer.w(), kInt8, {}, options).value();
    options.threads = 4;
    const RoundedRows four = quantize_rows(layer.h(), layer.w(), kInt8, {}, options).value();
    expect_same(one, four);
    for (size_t r : {0, 37, 69}) {
      const RoundedRows alone =
          quantize_rows(layer.h(), {layer.row(r), 1, k}, kInt8, {}, options).value();
      EXPECT_TRUE(
          std::equal(alone.integers.begin(), alone.integers.end(), integers_of(one, r, k).begin()));
      EXPECT_EQ(alone.scales[0], one.scales[r]);
      EXPECT_EQ(alone.errors[0], one.errors[r]);
    }
  }
}

TEST(SecondOrder, SumAndMeanGiveTheSameIntegers) {
  for (size_t k : {8, 30}) {
    const Layer layer(31, 6, k, 100);
    std::vector<double> sum = layer.gram;
    for (double& h : sum) h *= 1024;
    const RoundedRows a = quantize_rows(layer.h(), layer.w(), kInt8, {}).value();
    const RoundedRows b = quantize_rows({sum, k}, layer.w(), kInt8, {}).value();
    EXPECT_EQ(a.integers, b.integers);
    EXPECT_EQ(a.scales, b.scales);
  }
}

TEST(SecondOrder, NeverWorseThanNearestAtTheGreatestScale) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const size_t k = 4 + 3 * seed;
    const Layer layer(seed, 12, k, seed % 2 == 0 ? 5 : 3 * k);  // half of them of low rank
    SecondOrderOptions options;
    options.scale_work = seed % 3 == 0 ? 0 : 1e9;
    for (const numerics::IntegerRange& range : {kInt8, kInt4}) {
      const RoundedRows out = quantize_rows(layer.h(), layer.w(), range, {}, options).value();
      const auto greatest = greatest_scales(layer.w(), range, {}).value();
      for (size_t r = 0; r < 12; ++r) {
        std::vector<int32_t> nearest(k);
        for (size_t j = 0; j < k; ++j) {
          nearest[j] = static_cast<int32_t>(std::nearbyint(layer.row(r)[j] / greatest[r]));
        }
        const double plain = row_error(layer.h(), layer.row(r), nearest, greatest[r]);
        EXPECT_NEAR(out.nearest_errors[r], plain, 1e-9 * plain);
        const double reached =
            row_error(layer.h(), layer.row(r), integers_of(out, r, k), out.scales[r]);
        EXPECT_LE(reached, plain * (1 + 1e-9));
        EXPECT_NEAR(out.errors[r], reached, 1e-9 * plain);
        for (int32_t z : integers_of(out, r, k)) EXPECT_LE(std::abs(z), range.max);
      }
    }
  }
}

}  // namespace
}  // namespace octet::accuracy
