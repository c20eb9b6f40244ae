#include "compiler/accuracy/scale_grid.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace octet::accuracy {

float greatest_scale(std::span<const float> row, const numerics::IntegerRange& range, float least,
                     numerics::ScaleForm form) {
  float greatest = 0;
  for (float w : row) {
    if (std::isfinite(w)) greatest = std::max(greatest, std::fabs(w));
  }
  float scale = greatest / static_cast<float>(std::min(-range.min, range.max));
  if (!std::isnormal(scale)) scale = 1.0F;
  if (std::isfinite(least)) scale = std::max(scale, least);
  return form == numerics::ScaleForm::kPowerOfTwo ? numerics::power_of_two_at_least(scale) : scale;
}

std::vector<double> scale_grid(float greatest, float least, const SecondOrderOptions& options) {
  std::vector<double> grid = {greatest};
  const auto steps = static_cast<double>(options.steps);
  const double span = 1 - std::clamp(options.least_ratio, 0.0, 1.0);
  const float floor =
      std::max(std::numeric_limits<float>::min(), std::isfinite(least) ? least : 0.0F);
  if (options.scale_form == numerics::ScaleForm::kPowerOfTwo) {
    // `greatest` may lie up to twice above what the row needs.
    const double last = greatest * options.least_ratio / 2;
    for (float scale = greatest / 2; scale >= floor && scale >= last; scale /= 2) {
      if (options.steps > 1) grid.push_back(scale);
    }
    return grid;
  }
  for (size_t i = 1; i < options.steps; ++i) {
    const double ratio = 1 - span * static_cast<double>(i) / (steps - 1);
    const auto scale = static_cast<float>(greatest * ratio);
    if (scale >= floor && scale < grid.back()) grid.push_back(scale);
  }
  return grid;
}

void shorten_grid(std::span<const double> row, std::span<const double> column_weights,
                  const Bounds& bounds, size_t count, std::vector<double>& grid) {
  if (grid.size() <= count) return;
  std::vector<std::pair<double, size_t>> ranked;
  for (size_t c = 1; c < grid.size(); ++c) {
    const double low = bounds.low * grid[c];
    const double high = bounds.high * grid[c];
    const double rounding = grid[c] * grid[c] / 12;
    double sum = 0;
    for (size_t j = 0; j < row.size(); ++j) {
      const double beyond = std::max(std::max(row[j] - high, low - row[j]), 0.0);
      sum += column_weights[j] * std::max(beyond * beyond, rounding);
    }
    ranked.emplace_back(sum, c);
  }
  std::sort(ranked.begin(), ranked.end());
  ranked.resize(std::max<size_t>(count, 1) - 1);
  std::vector<size_t> kept = {0};
  for (const auto& [sum, c] : ranked) kept.push_back(c);
  std::sort(kept.begin(), kept.end());
  std::vector<double> out;
  for (size_t c : kept) out.push_back(grid[c]);
  grid = std::move(out);
}

}  // namespace octet::accuracy
