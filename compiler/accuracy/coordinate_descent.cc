#include "compiler/accuracy/coordinate_descent.h"

#include <algorithm>
#include <cmath>

#include "compiler/accuracy/product.h"
#include "compiler/numerics/quantize.h"

namespace octet::accuracy {
namespace {

// A step of exactly one half changes nothing; the margin keeps rounding errors from moving back and
// forth over it.
constexpr double kLeastStep = 0.5 * (1 + 1e-9);

}  // namespace

void start_descent(const Gram& gram, std::span<const double> rows, const RowScales& scales,
                   Descent& descent) {
  const size_t n = gram.columns;
  for (size_t r = 0; r < descent.count; ++r) {
    for (size_t i = r * n; i < (r + 1) * n; ++i) {
      descent.changes[i] = descent.integers[i] * scales.at(r, i - r * n) - rows[i];
    }
  }
  std::fill(descent.gradients.begin(), descent.gradients.end(), 0.0);
  add_product({descent.changes.data(), n}, {gram.values.data(), n}, descent.gradients.data(), n,
              descent.count, n, n);
}

double descent_error(const Descent& descent, size_t columns, size_t r) {
  double sum = 0;
  for (size_t i = r * columns; i < (r + 1) * columns; ++i) {
    sum += descent.changes[i] * descent.gradients[i];
  }
  return sum;
}

void descend(const Gram& gram, const RowScales& scales, const Bounds& bounds, size_t sweeps,
             Descent& descent) {
  const size_t n = gram.columns;
  std::vector<char> active(descent.count, 1);
  for (size_t sweep = 0; sweep < sweeps; ++sweep) {
    std::vector<char> moved(descent.count, 0);
    for (size_t j = 0; j < n; ++j) {
      const double* column = gram.values.data() + j * n;
      for (size_t r = 0; r < descent.count; ++r) {
        if (!active[r]) continue;
        const double scale = scales.at(r, j);
        const double curvature = scale * column[j];
        const double step = -descent.gradients[r * n + j] / curvature;
        // Also false for a dead column, where the step is not a number.
        if (!(curvature > 0) || !(std::fabs(step) > kLeastStep)) continue;
        double& z = descent.integers[r * n + j];
        const double target =
            numerics::round_half_even(std::clamp(z + step, bounds.low, bounds.high));
        if (target == z) continue;
        const double change = (target - z) * scale;
        z = target;
        descent.changes[r * n + j] += change;
        add_scaled(descent.gradients.data() + r * n, column, change, n);
        moved[r] = 1;
      }
    }
    active = moved;
    if (std::find(active.begin(), active.end(), 1) == active.end()) return;
  }
}

}  // namespace octet::accuracy
