// What second-order rounding brings on data that the Gram has not seen.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "compiler/accuracy/second_order.h"
#include "tests/support/second_order_layer.h"

namespace octet::accuracy {
namespace {

using testing::Random;

// Mean of 1/f: random lattices of halving spacing and amplitude, bilinear between their points.
std::vector<double> field(Random& random, size_t side) {
  std::vector<double> out(side * side, 0.0);
  for (size_t spacing = side; spacing >= 1; spacing /= 2) {
    const size_t points = side / spacing + 2;
    std::vector<double> lattice(points * points);
    for (double& v : lattice) v = normal(random) * static_cast<double>(spacing) / 8;
    for (size_t y = 0; y < side; ++y) {
      for (size_t x = 0; x < side; ++x) {
        const size_t at = y / spacing * points + x / spacing;
        const double v = static_cast<double>(y % spacing) / static_cast<double>(spacing);
        const double u = static_cast<double>(x % spacing) / static_cast<double>(spacing);
        out[y * side + x] += (1 - v) * ((1 - u) * lattice[at] + u * lattice[at + 1]) +
                             v * ((1 - u) * lattice[at + points] + u * lattice[at + points + 1]);
      }
    }
  }
  return out;
}

// A 3x3 convolution over rectified mixtures of 1/f fields: the columns of `pictures` pictures.
std::vector<double> field_columns(Random& random, size_t pictures, size_t channels) {
  constexpr size_t kSide = 16;
  std::vector<double> out;
  Random same(9);  // the mixture is the layer's, not the picture's
  std::vector<double> mix(channels * 4);
  for (double& m : mix) m = normal(same);
  for (size_t p = 0; p < pictures; ++p) {
    std::vector<std::vector<double>> base;
    for (int f = 0; f < 4; ++f) base.push_back(field(random, kSide));
    const auto feature = [&](size_t c, size_t at) {
      double sum = 0;
      for (size_t f = 0; f < 4; ++f) sum += mix[c * 4 + f] * base[f][at];
      return std::max(sum, 0.0);
    };
    for (size_t y = 0; y + 2 < kSide; ++y) {
      for (size_t x = 0; x + 2 < kSide; ++x) {
        for (size_t c = 0; c < channels; ++c) {
          for (size_t t = 0; t < 9; ++t) out.push_back(feature(c, (y + t / 3) * kSide + x + t % 3));
        }
      }
    }
  }
  return out;
}

// Output SQNR on pictures that the Gram has not seen.
struct FieldLayer {
  static constexpr size_t kChannels = 8;
  static constexpr size_t kColumns = kChannels * 9;
  static constexpr size_t kRows = 16;

  FieldLayer() {
    Random random(11);
    gram = gram_of(field_columns(random, 16, kChannels), kColumns);
    unseen = gram_of(field_columns(random, 8, kChannels), kColumns);
    weights = normal_floats(random, kRows * kColumns);
    for (size_t r = 0; r < kRows; ++r) {
      const auto spread = static_cast<float>(std::exp(0.7 * normal(random)));
      for (size_t j = 0; j < kColumns; ++j) weights[r * kColumns + j] *= spread;
    }
  }

  double sqnr(std::span<const int32_t> integers, std::span<const float> scales) const {
    double noise = 0;
    double signal = 0;
    const std::vector<int32_t> zeros(kColumns);
    for (size_t r = 0; r < kRows; ++r) {
      const auto row = std::span(weights).subspan(r * kColumns, kColumns);
      noise +=
          row_error({unseen, kColumns}, row, integers.subspan(r * kColumns, kColumns), scales[r]);
      signal += row_error({unseen, kColumns}, row, zeros, 1);
    }
    return decibels(signal, noise);
  }

  double nearest(const numerics::IntegerRange& range) const {
    const std::vector<double> blind(kColumns * kColumns, 0.0);
    const auto out =
        quantize_rows({blind, kColumns}, {weights, kRows, kColumns}, range, {}).value();
    EXPECT_FALSE(out.guided);
    return sqnr(out.integers, out.scales);
  }

  std::vector<double> gram;
  std::vector<double> unseen;
  std::vector<float> weights;
};

TEST(SecondOrder, GainsDecibelsOnFieldsItHasNotSeen) {
  const FieldLayer layer;
  const Gram h = {layer.gram, FieldLayer::kColumns};
  const WeightRows w = {layer.weights, FieldLayer::kRows, FieldLayer::kColumns};
  for (const numerics::IntegerRange& range : {kInt8, kInt4}) {
    const double nearest = layer.nearest(range);
    const auto greatest = greatest_scales(w, range, {}).value();
    const auto rounded = round_rows(h, w, greatest, range).value();
    const double fixed_scale = layer.sqnr(rounded.integers, rounded.scales);
    const auto whole = quantize_rows(h, w, range, {}).value();
    const double chosen_scale = layer.sqnr(whole.integers, whole.scales);
    RecordProperty("nearest_" + std::to_string(range.max), std::to_string(nearest));
    RecordProperty("rounded_" + std::to_string(range.max), std::to_string(fixed_scale));
    RecordProperty("whole_" + std::to_string(range.max), std::to_string(chosen_scale));
    EXPECT_GT(fixed_scale, nearest + 5) << range.max;
    EXPECT_GT(chosen_scale, fixed_scale + (range.max == 7 ? 1.0 : -0.2)) << range.max;
  }
}

TEST(SecondOrder, GramOfFewColumnsWantsMoreDamping) {
  const size_t k = 96;
  Random random(21);
  std::vector<double> all = correlated_columns(random, 32 + 800, k, 12);
  const std::vector<double> few(all.begin(), all.begin() + 32 * 96);
  const std::vector<double> unseen = gram_of({all.begin() + 32 * 96, all.end()}, k);
  const std::vector<double> gram = gram_of(few, k);
  const std::vector<float> weights = normal_floats(random, 16 * k);
  const auto error = [&](double damping) {
    SecondOrderOptions options;
    options.damping = damping;
    const auto out = quantize_rows({gram, k}, {weights, 16, k}, kInt8, {}, options).value();
    double sum = 0;
    for (size_t r = 0; r < 16; ++r) {
      sum += row_error({unseen, k}, std::span(weights).subspan(r * k, k), integers_of(out, r, k),
                       out.scales[r]);
    }
    return sum;
  };
  EXPECT_LT(error(0.1), error(0.01));
  EXPECT_LT(error(0.01), error(0.0001));
}

}  // namespace
}  // namespace octet::accuracy
