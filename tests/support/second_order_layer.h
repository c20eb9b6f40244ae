// Layers with calibration columns, for the tests of second-order rounding.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "compiler/accuracy/second_order.h"
#include "tests/support/random_values.h"

namespace octet::accuracy {

inline constexpr numerics::IntegerRange kInt8 = {-127, 127};
inline constexpr numerics::IntegerRange kInt4 = {-7, 7};

inline double normal(octet::testing::Random& random) {
  double sum = 0;
  for (int i = 0; i < 12; ++i) sum += static_cast<double>(random.between(0, 1));
  return sum - 6;
}

inline std::vector<float> normal_floats(octet::testing::Random& random, size_t count) {
  std::vector<float> out(count);
  for (float& w : out) w = static_cast<float>(normal(random));
  return out;
}

// Calibration columns, count x k: a few common causes, rectified.
inline std::vector<double> correlated_columns(octet::testing::Random& random, size_t count,
                                              size_t k, size_t causes = 3) {
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

inline std::vector<double> gram_of(const std::vector<double>& columns, size_t k) {
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

// One layer with its data.
struct Layer {
  Layer(uint64_t seed, size_t rows_in, size_t k_in, size_t count) : rows(rows_in), k(k_in) {
    octet::testing::Random random(seed);
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

inline std::span<const int32_t> integers_of(const RoundedRows& rounded, size_t r, size_t k) {
  return std::span(rounded.integers).subspan(r * k, k);
}

inline double total(const std::vector<double>& errors) {
  return std::accumulate(errors.begin(), errors.end(), 0.0);
}

inline double decibels(double signal, double noise) { return 10 * std::log10(signal / noise); }

}  // namespace octet::accuracy
