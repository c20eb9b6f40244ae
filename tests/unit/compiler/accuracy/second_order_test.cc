// Oracles: outputs computed column by column, all integers by brute force, GPTQ as published (with
// the inverse), plain triple loops.
#include "compiler/accuracy/second_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "compiler/accuracy/cholesky.h"
#include "compiler/accuracy/ordered_rounding.h"
#include "compiler/accuracy/product.h"
#include "tests/support/random_values.h"

namespace octet::accuracy {
namespace {

using testing::Random;

constexpr numerics::IntegerRange kInt8 = {-127, 127};
constexpr numerics::IntegerRange kInt4 = {-7, 7};

double normal(Random& random) {
  double sum = 0;
  for (int i = 0; i < 12; ++i) sum += static_cast<double>(random.between(0, 1));
  return sum - 6;
}

std::vector<float> normal_floats(Random& random, size_t count) {
  std::vector<float> out(count);
  for (float& w : out) w = static_cast<float>(normal(random));
  return out;
}

// Calibration columns, count x k: a few common causes, rectified.
std::vector<double> correlated_columns(Random& random, size_t count, size_t k, size_t causes = 3) {
  std::vector<double> mix(k * causes);
  for (double& m : mix) m = normal(random);
  std::vector<double> out(count * k);
  for (size_t c = 0; c < count; ++c) {
    std::vector<double> cause(causes);
    for (double& f : cause) f = normal(random);
    for (size_t j = 0; j < k; ++j) {
      double x = 0.3 * normal(random);
      for (size_t f = 0; f < causes; ++f) x += cause[f] * mix[j * causes + f];
      out[c * k + j] = std::max(x + 0.2, 0.0);
    }
  }
  return out;
}

std::vector<double> gram_of(const std::vector<double>& columns, size_t k) {
  const size_t count = columns.size() / k;
  std::vector<double> out(k * k, 0.0);
  for (size_t c = 0; c < count; ++c) {
    const double* x = columns.data() + c * k;
    for (size_t i = 0; i < k; ++i) {
      for (size_t j = 0; j < k; ++j) out[i * k + j] += x[i] * x[j] / static_cast<double>(count);
    }
  }
  return out;
}

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

// One layer with its data.
struct Layer {
  Layer(uint64_t seed, size_t rows_in, size_t k_in, size_t count) : rows(rows_in), k(k_in) {
    Random random(seed);
    columns = correlated_columns(random, count, k);
    gram = gram_of(columns, k);
    weights = normal_floats(random, rows * k);
  }

  Gram h() const { return {gram, k}; }
  WeightRows w() const { return {weights, rows, k}; }
  std::span<const float> row(size_t r) const { return std::span(weights).subspan(r * k, k); }

  size_t rows;
  size_t k;
  std::vector<double> columns;
  std::vector<double> gram;
  std::vector<float> weights;
};

std::span<const int32_t> integers_of(const RoundedRows& rounded, size_t r, size_t k) {
  return std::span(rounded.integers).subspan(r * k, k);
}

double total(const std::vector<double>& errors) {
  return std::accumulate(errors.begin(), errors.end(), 0.0);
}

double decibels(double signal, double noise) { return 10 * std::log10(signal / noise); }

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

TEST(Product, EqualsThePlainSumsWhateverTheSizes) {
  Random random(1);
  for (int round = 0; round < 30; ++round) {
    const size_t m = static_cast<size_t>(random.below(11));
    const size_t n = static_cast<size_t>(random.below(21));
    const size_t k = static_cast<size_t>(random.below(round < 3 ? 400 : 30));
    std::vector<double> a(m * (k + 1));
    std::vector<double> b(k * (n + 2));
    std::vector<double> c(m * (n + 3), 0.5);
    for (double& x : a) x = normal(random);
    for (double& x : b) x = normal(random);
    std::vector<double> want = c;
    for (size_t i = 0; i < m; ++i) {
      for (size_t j = 0; j < n; ++j) {
        for (size_t l = 0; l < k; ++l)
          want[i * (n + 3) + j] += a[i * (k + 1) + l] * b[l * (n + 2) + j];
      }
    }
    add_product({a.data(), k + 1}, {b.data(), n + 2}, c.data(), n + 3, m, n, k);
    EXPECT_EQ(c, want) << m << " " << n << " " << k;
  }
}

TEST(Cholesky, FactorTimesItsTransposeIsTheMatrix) {
  for (size_t n : {1, 5, 64, 65, 130, 200}) {
    Random random(n);
    std::vector<double> matrix = gram_of(correlated_columns(random, 2 * n + 5, n), n);
    for (size_t i = 0; i < n; ++i) matrix[i * (n + 1)] += 0.1;
    std::vector<double> factor = matrix;
    ASSERT_EQ(factor_cholesky(factor, n, 1), Definiteness::kPositive);
    double worst = 0;
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j <= i; ++j) {
        double sum = 0;
        for (size_t l = 0; l <= j; ++l) sum += factor[i * n + l] * factor[j * n + l];
        worst = std::max(worst, std::fabs(sum - matrix[i * n + j]));
      }
      for (size_t j = i + 1; j < n; ++j) ASSERT_EQ(factor[i * n + j], matrix[i * n + j]);
    }
    EXPECT_LT(worst, 1e-10) << n;
  }
}

TEST(Cholesky, ThreadsChangeNoBit) {
  const size_t n = 530;
  Random random(3);
  std::vector<double> matrix(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < i; ++j) matrix[i * n + j] = matrix[j * n + i] = normal(random);
    matrix[i * (n + 1)] = 600;
  }
  std::vector<double> one = matrix;
  std::vector<double> three = matrix;
  ASSERT_EQ(factor_cholesky(one, n, 1), Definiteness::kPositive);
  ASSERT_EQ(factor_cholesky(three, n, 3), Definiteness::kPositive);
  EXPECT_EQ(one, three);
}

TEST(Cholesky, SaysWhatIsNotPositiveDefinite) {
  std::vector<double> indefinite = {1, 2, 2, 1};
  EXPECT_EQ(factor_cholesky(indefinite, 2, 1), Definiteness::kNot);
  std::vector<double> not_a_number = {std::nan(""), 0, 0, 1};
  EXPECT_EQ(factor_cholesky(not_a_number, 2, 1), Definiteness::kNot);
}

// GPTQ as in the paper: the inverse of the damped Gram, its upper Cholesky factor, each column's
// error pushed into those to come.
std::vector<int32_t> published_gptq(std::vector<double> h, std::vector<double> w, double s,
                                    double damping, int32_t high) {
  const size_t n = w.size();
  double mean = 0;
  for (size_t i = 0; i < n; ++i) mean += h[i * (n + 1)] / static_cast<double>(n);
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return h[a * (n + 1)] > h[b * (n + 1)]; });
  // Gauss-Jordan on [H | I].
  std::vector<double> left(n * n);
  std::vector<double> inverse(n * n, 0.0);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) left[i * n + j] = h[order[i] * n + order[j]];
    left[i * (n + 1)] += damping * mean;
    inverse[i * (n + 1)] = 1;
  }
  for (size_t p = 0; p < n; ++p) {
    const double pivot = left[p * (n + 1)];
    for (size_t j = 0; j < n; ++j) {
      left[p * n + j] /= pivot;
      inverse[p * n + j] /= pivot;
    }
    for (size_t i = 0; i < n; ++i) {
      if (i == p) continue;
      const double factor = left[i * n + p];
      for (size_t j = 0; j < n; ++j) {
        left[i * n + j] -= factor * left[p * n + j];
        inverse[i * n + j] -= factor * inverse[p * n + j];
      }
    }
  }
  // inverse = U^T U with U upper: U^T is the lower Cholesky factor.
  std::vector<double> lower(n * n, 0.0);
  for (size_t j = 0; j < n; ++j) {
    for (size_t i = j; i < n; ++i) {
      double sum = inverse[i * n + j];
      for (size_t l = 0; l < j; ++l) sum -= lower[i * n + l] * lower[j * n + l];
      lower[i * n + j] = i == j ? std::sqrt(sum) : sum / lower[j * (n + 1)];
    }
  }
  std::vector<int32_t> z(n);
  for (size_t j = 0; j < n; ++j) {
    const double value = w[order[j]];
    const double q = std::clamp(std::nearbyint(value / s), double(-high), double(high));
    z[order[j]] = static_cast<int32_t>(q);
    const double error = (value - q * s) / lower[j * (n + 1)];
    for (size_t i = j + 1; i < n; ++i) w[order[i]] -= error * lower[i * n + j];
  }
  return z;
}

TEST(OrderedRounding, IsGptq) {
  for (size_t k : {3, 20, 70, 140}) {
    const Layer layer(k, 5, k, 3 * k);
    const auto factor = OrderedFactor::make(layer.h(), 0.01, 1);
    ASSERT_TRUE(factor);
    const std::vector<double> rows(layer.weights.begin(), layer.weights.end());
    OrderedPanel panel(*factor, rows, 5);
    const std::vector<double> scales = {0.02, 0.5, 0.03, 0.4, 0.1};
    panel.round(scales, {-7, 7});
    for (size_t r = 0; r < 5; ++r) {
      std::vector<double> z(k);
      panel.copy_integers(r, z);
      const auto first = rows.begin() + static_cast<ptrdiff_t>(r * k);
      const auto want = published_gptq(layer.gram, {first, first + static_cast<ptrdiff_t>(k)},
                                       scales[r], 0.01, 7);
      for (size_t j = 0; j < k; ++j) EXPECT_EQ(z[j], want[j]) << k << " row " << r;
    }
  }
}

TEST(OrderedRounding, KnowsItsError) {
  const Layer layer(5, 3, 40, 200);
  double mean = 0;
  for (size_t i = 0; i < 40; ++i) mean += layer.gram[i * 41] / 40;
  std::vector<double> damped = layer.gram;
  for (size_t i = 0; i < 40; ++i) damped[i * 41] += 0.01 * mean;
  const auto factor = OrderedFactor::make(layer.h(), 0.01, 1);
  ASSERT_TRUE(factor);
  OrderedPanel panel(*factor, std::vector<double>(layer.weights.begin(), layer.weights.end()), 3);
  panel.round(std::vector<double>(3, 0.25), {-7, 7});
  for (size_t r = 0; r < 3; ++r) {
    std::vector<double> z(40);
    panel.copy_integers(r, z);
    const std::vector<int32_t> integers(z.begin(), z.end());
    const double want = row_error({damped, 40}, layer.row(r), integers, 0.25F);
    EXPECT_NEAR(panel.error(r) * mean, want, 1e-9 * want);
  }
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
