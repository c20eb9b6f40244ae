#include "compiler/accuracy/block_rounding.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/graph_builder.h"
#include "tests/support/second_order_layer.h"

namespace octet::accuracy {
namespace {

using octet::testing::must;

std::vector<size_t> blocks_of(size_t columns, size_t size) {
  std::vector<size_t> out(columns);
  for (size_t j = 0; j < columns; ++j) out[j] = j / size;
  return out;
}

// E by its definition.
double brute_error(const Layer& layer, const BlockedRows& rounded, size_t r,
                   const std::vector<size_t>& block_of, size_t blocks) {
  double out = 0;
  const size_t k = layer.k;
  std::vector<double> change(k);
  for (size_t j = 0; j < k; ++j) {
    change[j] = rounded.integers[r * k + j] *
                    static_cast<double>(rounded.scales[r * blocks + block_of[j]]) -
                static_cast<double>(layer.weights[r * k + j]);
  }
  for (size_t i = 0; i < k; ++i) {
    for (size_t j = 0; j < k; ++j) out += change[i] * change[j] * layer.gram[i * k + j];
  }
  return out;
}

TEST(BlockRounding, ErrorsAreThoseOfTheDefinition) {
  const Layer layer(5, 7, 20, 60);
  const auto block_of = blocks_of(20, 8);  // the last block is shorter
  const BlockedRows rounded = must(quantize_blocks(layer.h(), layer.w(), block_of, 3, kInt4, {}));
  ASSERT_EQ(rounded.scales.size(), 21U);
  for (size_t r = 0; r < layer.rows; ++r) {
    EXPECT_NEAR(rounded.errors[r], brute_error(layer, rounded, r, block_of, 3),
                1e-9 * rounded.nearest_errors[r]);
    EXPECT_LE(rounded.errors[r], rounded.nearest_errors[r]);
  }
  EXPECT_LT(total(rounded.errors), 0.5 * total(rounded.nearest_errors));
}

TEST(BlockRounding, NoSingleMoveIsBetter) {
  const Layer layer(6, 3, 12, 40);
  const auto block_of = blocks_of(12, 4);
  const BlockedRows rounded = must(quantize_blocks(layer.h(), layer.w(), block_of, 3, kInt4, {}));
  for (size_t r = 0; r < layer.rows; ++r) {
    for (size_t j = 0; j < layer.k; ++j) {
      for (int step : {-1, 1}) {
        BlockedRows other = rounded;
        int32_t& z = other.integers[r * layer.k + j];
        z += step;
        if (z < kInt4.min || z > kInt4.max) continue;
        EXPECT_GE(brute_error(layer, other, r, block_of, 3), rounded.errors[r] * (1 - 1e-9));
      }
    }
  }
}

TEST(BlockRounding, MoreBlocksErrLess) {
  Layer layer(7, 4, 64, 300);
  // Columns of wild magnitudes: one scale for all serves them badly.
  for (size_t i = 0; i < layer.weights.size(); ++i) {
    if (i % 64 < 16) layer.weights[i] *= 20.0F;
  }
  const auto error = [&](size_t size) {
    return total(
        must(quantize_blocks(layer.h(), layer.w(), blocks_of(64, size), 64 / size, kInt4, {}))
            .errors);
  };
  EXPECT_LT(error(16), 0.3 * error(64));
}

TEST(BlockRounding, PowersOfTwo) {
  const Layer layer(8, 5, 16, 50);
  SecondOrderOptions options;
  options.scale_form = numerics::ScaleForm::kPowerOfTwo;
  const BlockedRows rounded =
      must(quantize_blocks(layer.h(), layer.w(), blocks_of(16, 8), 2, kInt4, options));
  for (const float scale : rounded.scales) {
    EXPECT_EQ(numerics::power_of_two_at_least(scale), scale);
  }
}

TEST(BlockRounding, WhatCannotGuideRoundsToNearest) {
  Layer layer(9, 2, 8, 20);
  layer.weights[3] = std::numeric_limits<float>::quiet_NaN();
  const auto block_of = blocks_of(8, 4);
  EXPECT_EQ(must(quantize_blocks(layer.h(), layer.w(), block_of, 2, kInt4, {})).integers[3], 0);
  const std::vector<double> zeros(64, 0.0);
  const BlockedRows nearest = must(quantize_blocks({zeros, 8}, layer.w(), block_of, 2, kInt4, {}));
  EXPECT_FALSE(nearest.guided);
  EXPECT_EQ(total(nearest.errors), 0.0);
}

TEST(BlockRounding, BlocksThatDoNotCoverTheColumnsAreRefused) {
  const Layer layer(9, 2, 8, 20);
  EXPECT_FALSE(quantize_blocks(layer.h(), layer.w(), blocks_of(7, 4), 2, kInt4, {}).ok());
  EXPECT_FALSE(quantize_blocks(layer.h(), layer.w(), blocks_of(8, 4), 1, kInt4, {}).ok());
}

TEST(PowerOfTwoScales, AreChosenByTheSameError) {
  const Layer layer(11, 6, 30, 90);
  SecondOrderOptions options;
  options.scale_form = numerics::ScaleForm::kPowerOfTwo;
  const RoundedRows rounded = must(quantize_rows(layer.h(), layer.w(), kInt4, {}, options));
  const std::vector<float> greatest = must(greatest_scales(layer.w(), kInt4, {}));
  for (size_t r = 0; r < layer.rows; ++r) {
    EXPECT_EQ(numerics::power_of_two_at_least(rounded.scales[r]), rounded.scales[r]);
    EXPECT_LE(rounded.errors[r], rounded.nearest_errors[r]);
    // Of the scales allowed, none rounds the row better.
    const float top = numerics::power_of_two_at_least(greatest[r]);
    for (const float scale : {top, top / 2}) {
      const WeightRows row{layer.row(r), 1, layer.k};
      const RoundedRows other = must(round_rows(layer.h(), row, std::vector<float>{scale}, kInt4));
      EXPECT_LE(rounded.errors[r], other.errors[0] * 1.1) << scale;
    }
  }
}

}  // namespace
}  // namespace octet::accuracy
