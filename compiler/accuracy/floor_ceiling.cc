#include "compiler/accuracy/floor_ceiling.h"

#include <algorithm>
#include <array>
#include <bit>

#include "compiler/numerics/quantize.h"

namespace octet::accuracy {
namespace {

using Columns = std::array<double, kMostSearchedColumns>;

}  // namespace

FloorCeiling search_floor_ceiling(const Gram& gram, std::span<const double> row, double scale,
                                  const Bounds& bounds) {
  const size_t n = gram.columns;
  FloorCeiling out{std::vector<double>(n), 0};
  Columns change{};
  Columns step{};            // from floor to ceiling, in units of the weight
  std::vector<size_t> open;  // columns with two choices
  for (size_t j = 0; j < n; ++j) {
    const double target = std::clamp(row[j] / scale, bounds.low, bounds.high);
    double low = numerics::round_half_even(target);
    const bool dead = gram.values[j * (n + 1)] == 0.0;
    if (!dead && low > target) low -= 1;
    if (!dead && low < target) {
      open.push_back(j);
      step[j] = scale;
    }
    out.integers[j] = low;
    change[j] = low * scale - row[j];
  }
  Columns gradient{};
  for (size_t j = 0; j < n; ++j) {
    for (size_t i = 0; i < n; ++i) gradient[j] += change[i] * gram.values[i * n + j];
    out.error += change[j] * gradient[j];
  }

  // In Gray code order choice number c differs from the one before in the column of c's lowest set
  // bit; bit b of c ^ (c >> 1) says whether column open[b] is at its ceiling.
  double error = out.error;
  size_t best = 0;
  for (size_t c = 1; c < (size_t{1} << open.size()); ++c) {
    const size_t j = open[static_cast<size_t>(std::countr_zero(c))];
    const double* column = gram.values.data() + j * n;
    error += step[j] * (2 * gradient[j] + step[j] * column[j]);
    for (size_t i = 0; i < n; ++i) gradient[i] += step[j] * column[i];
    step[j] = -step[j];
    if (error < out.error) {
      out.error = error;
      best = c;
    }
  }
  for (size_t b = 0; b < open.size(); ++b) {
    if (((best ^ (best >> 1)) >> b) & 1) out.integers[open[b]] += 1;
  }
  return out;
}

}  // namespace octet::accuracy
