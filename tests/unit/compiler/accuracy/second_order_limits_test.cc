// Scales, and operands that are odd.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/accuracy/second_order.h"
#include "tests/support/second_order_layer.h"

namespace octet::accuracy {
namespace {

TEST(Scales, ClipWhereTheErrorSaysSoOnly) {
  for (size_t k : {6, 30}) {
    Layer layer(2, 2, k, 300);
    // The outlier's input hardly moves in row 0; in row 1 the outlier sits on a live input.
    for (size_t j = 0; j < k; ++j) layer.gram[j] = layer.gram[j * k] = 0;
    layer.gram[0] = 1e-6;
    layer.weights[0] = 9.0F;
    layer.weights[k + 1] = 9.0F;
    const auto greatest = greatest_scales(layer.w(), kInt4, {}).value();
    const auto out = quantize_rows(layer.h(), layer.w(), kInt4, {}).value();
    EXPECT_LT(out.scales[0], 0.6F * greatest[0]);
    EXPECT_EQ(out.integers[0], 7);
    EXPECT_GT(out.scales[1], 0.8F * greatest[1]);
    if (k > kMostSearchedColumns) {
      EXPECT_EQ(choose_scales(layer.h(), layer.w(), kInt4, {}).value(), out.scales);
    }
  }
}

TEST(Scales, KeepAboveTheLeast) {
  for (size_t k : {9, 30}) {
    const Layer layer(3, 3, k, 100);
    const auto greatest = greatest_scales(layer.w(), kInt4, {}).value();
    const std::vector<float> least = {greatest[0] * 0.9F, greatest[1] * 50, 0.0F};
    const auto out = quantize_rows(layer.h(), layer.w(), kInt4, least).value();
    const auto chosen = choose_scales(layer.h(), layer.w(), kInt4, least).value();
    for (size_t r = 0; r < 3; ++r) {
      EXPECT_GE(out.scales[r], least[r]);
      EXPECT_GE(chosen[r], least[r]);
    }
    EXPECT_EQ(out.scales[1], least[1]);
  }
}

TEST(Scales, OfTheGreatestMagnitude) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float not_a_number = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> weights = {-254, 1,     0,        0,     1e-44F,
                                      0,    12.7F, infinity, 12.7F, not_a_number};
  const std::vector<float> least = {0, 0.5F, 0, 0.2F, infinity};
  EXPECT_EQ(greatest_scales({weights, 5, 2}, kInt8, least).value(),
            (std::vector<float>{2, 1, 1, 0.2F, 12.7F / 127}));
  EXPECT_EQ(greatest_scales({weights, 5, 2}, {-128, 127}, {}).value()[0], 2);
}

std::vector<int32_t> nearest_integers(const Layer& layer) {
  const std::vector<double> blind(layer.k * layer.k, 0.0);
  return quantize_rows({blind, layer.k}, layer.w(), kInt8, {}).value().integers;
}

TEST(SecondOrder, AGramThatCannotGuideMeansNearest) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (size_t k : {5, 20}) {
    for (double bad : {std::nan(""), infinity, -infinity, 1e300, -1.0}) {
      Layer layer(6, 3, k, 50);
      const std::vector<int32_t> nearest = nearest_integers(layer);
      layer.gram[k + 1] = bad;
      const RoundedRows out = quantize_rows(layer.h(), layer.w(), kInt8, {}).value();
      EXPECT_FALSE(out.guided);
      EXPECT_EQ(out.integers, nearest);
      EXPECT_EQ(out.errors, std::vector<double>(3));
      const RoundedRows fixed = round_rows(layer.h(), layer.w(), out.scales, kInt8).value();
      EXPECT_EQ(fixed.integers, nearest);
      EXPECT_EQ(choose_scales(layer.h(), layer.w(), kInt8, {}).value(), out.scales);
    }
  }
}

TEST(SecondOrder, OddGramsDoNoHarm) {
  const size_t k = 20;
  Layer layer(6, 3, k, 50);
  const auto expect_sound = [&](const char* what) {
    SCOPED_TRACE(what);
    for (const size_t sweeps : {0, 20}) {
      SecondOrderOptions options;
      options.sweeps = sweeps;
      const RoundedRows out = quantize_rows(layer.h(), layer.w(), kInt8, {}, options).value();
      for (int32_t z : out.integers) EXPECT_LE(std::abs(z), 127);
      for (size_t r = 0; r < 3; ++r) {
        EXPECT_TRUE(std::isfinite(out.errors[r]));
        EXPECT_LE(out.errors[r], out.nearest_errors[r]);
      }
    }
  };
  layer.gram[1] = layer.gram[k] = 1e6;
  expect_sound("not positive semidefinite");
  for (double& h : layer.gram) h = 4;
  expect_sound("rank one");
  for (double& h : layer.gram) h = 5e-324;
  expect_sound("denormal");
  for (double& h : layer.gram) h = 1e99;
  expect_sound("large");
  std::fill(layer.gram.begin(), layer.gram.end(), 0.0);
  layer.gram[3 * (k + 1)] = 2;
  expect_sound("one live column");
}

TEST(SecondOrder, DeadColumnsAreRoundedToNearest) {
  for (size_t k : {7, 25}) {
    Layer layer(13, 4, k, 90);
    for (size_t j : {2, 5}) {
      for (size_t i = 0; i < k; ++i) layer.gram[i * k + j] = layer.gram[j * k + i] = 0;
    }
    const RoundedRows out = quantize_rows(layer.h(), layer.w(), kInt8, {}).value();
    EXPECT_TRUE(out.guided);
    for (size_t r = 0; r < 4; ++r) {
      for (size_t j : {2, 5}) {
        const float nearest = std::nearbyint(layer.row(r)[j] / out.scales[r]);
        EXPECT_EQ(out.integers[r * k + j], std::clamp(nearest, -127.0F, 127.0F));
      }
    }
  }
}

TEST(SecondOrder, ARowThatIsNotFiniteIsRoundedToNearestAndTheOthersAreNot) {
  for (size_t k : {7, 25}) {
    Layer layer(14, 3, k, 90);
    const RoundedRows good = quantize_rows(layer.h(), layer.w(), kInt8, {}).value();
    layer.weights[k] = std::numeric_limits<float>::quiet_NaN();
    layer.weights[k + 1] = std::numeric_limits<float>::infinity();
    const RoundedRows out = quantize_rows(layer.h(), layer.w(), kInt8, {}).value();
    EXPECT_EQ(out.integers[k], 0);
    EXPECT_EQ(out.integers[k + 1], 127);
    for (size_t r : {0, 2}) {
      EXPECT_EQ(out.scales[r], good.scales[r]);
      EXPECT_EQ(out.errors[r], good.errors[r]);
    }
  }
}

TEST(SecondOrder, ExtremeWeightsStayInRange) {
  for (size_t k : {6, 16}) {
    Layer layer(15, 4, k, 60);
    for (size_t j = 0; j < k; ++j) {
      layer.weights[j] *= 1e37F;
      layer.weights[k + j] *= 1e-44F;
      layer.weights[2 * k + j] = 0;
      layer.weights[3 * k + j] *= 1e-36F;
    }
    const RoundedRows out = quantize_rows(layer.h(), layer.w(), kInt8, {}).value();
    for (float s : out.scales) EXPECT_TRUE(std::isnormal(s));
    for (int32_t z : out.integers) EXPECT_LE(std::abs(z), 127);
    for (size_t j = 0; j < k; ++j) EXPECT_EQ(out.integers[2 * k + j], 0);
    EXPECT_LE(out.errors[0], out.nearest_errors[0]);
  }
}

TEST(SecondOrder, NothingToRound) {
  const RoundedRows none = quantize_rows({{}, 0}, {{}, 3, 0}, kInt8, {}).value();
  EXPECT_EQ(none.scales, (std::vector<float>{1, 1, 1}));
  EXPECT_TRUE(none.integers.empty());
  const std::vector<double> one = {1};
  EXPECT_TRUE(quantize_rows({one, 1}, {{}, 0, 1}, kInt8, {}).value().scales.empty());
}

TEST(SecondOrder, RefusesWhatDoesNotFitTogether) {
  const Layer layer(16, 2, 14, 30);
  const std::vector<float> scales = {0.1F, 0.1F};
  const std::vector<float> zero = {0.1F, 0.0F};
  const std::vector<int32_t> few(3);
  const auto code = [](const auto& result) {
    return result.ok() ? ErrorCode::kUsage : result.error().code();
  };
  EXPECT_EQ(code(quantize_rows({layer.gram, 13}, layer.w(), kInt8, {})), ErrorCode::kInternal);
  EXPECT_EQ(code(quantize_rows(layer.h(), {layer.weights, 3, 14}, kInt8, {})),
            ErrorCode::kInternal);
  EXPECT_EQ(code(quantize_rows(layer.h(), layer.w(), {0, 255}, {})), ErrorCode::kInternal);
  EXPECT_EQ(code(quantize_rows(layer.h(), layer.w(), {-(1 << 24), 127}, {})), ErrorCode::kInternal);
  EXPECT_EQ(code(quantize_rows(layer.h(), layer.w(), kInt8, std::span(scales).first(1))),
            ErrorCode::kInternal);
  EXPECT_EQ(code(round_rows(layer.h(), layer.w(), zero, kInt8)), ErrorCode::kInternal);
  EXPECT_EQ(code(round_rows(layer.h(), layer.w(), std::span(scales).first(1), kInt8)),
            ErrorCode::kInternal);
  EXPECT_EQ(code(descend_rows(layer.h(), layer.w(), scales, few, kInt8)), ErrorCode::kInternal);
  EXPECT_EQ(code(search_rows(layer.h(), layer.w(), scales, kInt8)), ErrorCode::kInternal);
}

}  // namespace
}  // namespace octet::accuracy
