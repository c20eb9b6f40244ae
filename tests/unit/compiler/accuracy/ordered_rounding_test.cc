// Oracles: plain triple loops, and GPTQ as published (with the inverse).
#include "compiler/accuracy/ordered_rounding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compiler/accuracy/cholesky.h"
#include "compiler/accuracy/product.h"
#include "tests/support/second_order_layer.h"

namespace octet::accuracy {
namespace {

using testing::Random;

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
    panel.round(RowScales(scales), {-7, 7});
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
  panel.round(RowScales(std::vector<double>(3, 0.25)), {-7, 7});
  for (size_t r = 0; r < 3; ++r) {
    std::vector<double> z(40);
    panel.copy_integers(r, z);
    const std::vector<int32_t> integers(z.begin(), z.end());
    const double want = row_error({damped, 40}, layer.row(r), integers, 0.25F);
    EXPECT_NEAR(panel.error(r) * mean, want, 1e-9 * want);
  }
}

}  // namespace
}  // namespace octet::accuracy
