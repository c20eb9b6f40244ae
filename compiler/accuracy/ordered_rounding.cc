#include "compiler/accuracy/ordered_rounding.h"

#include <algorithm>
#include <numeric>

#include "compiler/accuracy/cholesky.h"
#include "compiler/accuracy/product.h"
#include "compiler/numerics/quantize.h"

namespace octet::accuracy {
namespace {

constexpr size_t kBlock = 64;
constexpr size_t kMostColumns = 8192;
constexpr int kAttempts = 4;

// The lower triangle of the Gram in units of its mean diagonal, damped, columns in reverse order:
// its lower factor, turned around, is then the upper factor for the order itself.
void fill_reversed(const Gram& gram, std::span<const size_t> order, double mean, double damping,
                   std::vector<double>& out) {
  const size_t n = gram.columns;
  for (size_t a = 0; a < n; ++a) {
    const size_t i = order[n - 1 - a];
    const double* row = gram.values.data() + i * n;
    double* to = out.data() + a * n;
    const bool dead = row[i] == 0.0;
    for (size_t b = 0; b < a; ++b) to[b] = dead ? 0.0 : row[order[n - 1 - b]] / mean;
    // The dead columns are the first of the reversed order.
    for (size_t b = 0; b < a && gram.values[order[n - 1 - b] * (n + 1)] == 0.0; ++b) to[b] = 0.0;
    to[a] = dead ? 1.0 : row[i] / mean + damping;
  }
}

}  // namespace

std::optional<OrderedFactor> OrderedFactor::make(const Gram& gram, double damping, size_t threads) {
  const size_t n = gram.columns;
  if (n > kMostColumns) return std::nullopt;
  const auto diagonal = [&](size_t i) { return gram.values[i * (n + 1)]; };
  double mean = 0;
  for (size_t i = 0; i < n; ++i) mean += diagonal(i) / static_cast<double>(n);

  OrderedFactor out;
  out.order_.resize(n);
  std::iota(out.order_.begin(), out.order_.end(), size_t{0});
  std::stable_sort(out.order_.begin(), out.order_.end(),
                   [&](size_t a, size_t b) { return diagonal(a) > diagonal(b); });
  out.factor_.resize(n * n);
  damping = std::max(damping, 1e-8);
  for (int attempt = 0; attempt < kAttempts; ++attempt, damping *= 10) {
    fill_reversed(gram, out.order_, mean, damping, out.factor_);
    if (factor_cholesky(out.factor_, n, threads) == Definiteness::kNot) continue;
    std::reverse(out.factor_.begin(), out.factor_.end());
    out.left_variance_.resize(n);
    for (size_t i = 0; i < n; ++i) {
      const double root = out.factor_[i * (n + 1)];
      out.left_variance_[out.order_[i]] = root * root;
    }
    return out;
  }
  return std::nullopt;
}

OrderedPanel::OrderedPanel(const OrderedFactor& factor, std::span<const double> rows, size_t count)
    : factor_(factor),
      count_(count),
      weights_(rows.size()),
      integers_(rows.size()),
      changes_(rows.size()),
      pushed_(count * kBlock),
      errors_(count) {
  const size_t n = factor.columns();
  for (size_t r = 0; r < count; ++r) {
    for (size_t i = 0; i < n; ++i) weights_[r * n + i] = rows[r * n + factor.order_[i]];
  }
}

void OrderedPanel::round_block(const RowScales& scales, const Bounds& bounds, size_t first,
                               size_t width) {
  const size_t n = factor_.columns();
  for (size_t i = 0; i < width; ++i) {
    const double* factor_row = factor_.factor_.data() + (first + i) * n + first;
    const double root = factor_row[i];
    const size_t column = factor_.order_[first + i];
    for (size_t r = 0; r < count_; ++r) {
      const size_t at = r * n + first + i;
      double* pushed = pushed_.data() + r * kBlock;
      const double scale = scales.at(r, column);
      const double target = (weights_[at] - pushed[i] / root) / scale;
      const double z = numerics::round_half_even(std::clamp(target, bounds.low, bounds.high));
      const double change = z * scale - weights_[at];
      const double term = root * change + pushed[i];
      integers_[at] = z;
      changes_[at] = change;
      errors_[r] += term * term;
      add_scaled(pushed + i + 1, factor_row + i + 1, change, width - i - 1);
    }
  }
}

void OrderedPanel::round(const RowScales& scales, const Bounds& bounds) {
  const size_t n = factor_.columns();
  std::fill(errors_.begin(), errors_.end(), 0.0);
  for (size_t first = 0; first < n; first += kBlock) {
    const size_t width = std::min(kBlock, n - first);
    std::fill(pushed_.begin(), pushed_.end(), 0.0);
    add_product({changes_.data(), n}, {factor_.factor_.data() + first, n}, pushed_.data(), kBlock,
                count_, width, first);
    round_block(scales, bounds, first, width);
  }
}

void OrderedPanel::copy_integers(size_t r, std::span<double> integers) const {
  const size_t n = factor_.columns();
  for (size_t i = 0; i < n; ++i) integers[factor_.order_[i]] = integers_[r * n + i];
}

}  // namespace octet::accuracy
