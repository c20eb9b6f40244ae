// What a layer's integers do to its output, from the sums of gram.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compiler/accuracy/gram.h"
#include "compiler/base/result.h"

namespace octet::accuracy {

// Integers and scales of a layer, rows over columns.
struct RowIntegers {
  std::vector<int32_t> integers;
  std::vector<float> scales;  // a row, or rows x blocks
  // Of blocked weights: the block of each column, and how many there are.
  std::vector<size_t> block_of = {};
  size_t blocks = 1;

  float scale(size_t row, size_t column) const {
    return block_of.empty() ? scales[row] : scales[row * blocks + block_of[column]];
  }
  double value(size_t row, size_t column, size_t columns) const {
    return integers[row * columns + column] * static_cast<double>(scale(row, column));
  }
};

// Mean squared change of the layer's output over the columns kept apart, summed over channels, up
// to a factor: D H D^T for D = z s - w. `rows`: the float weights.
Result<double> apart_error(const WeightLayout& layout, const GramSums& grams,
                           const std::vector<float>& rows, const RowIntegers& integers,
                           size_t threads);

// W m - z s m~ per channel: what is missing from the mean of the output. `real` and `quantized` are
// sums over the same `count` columns (groups x columns), those of integers in units of x_scale.
std::vector<double> mean_shift(const WeightLayout& layout, const std::vector<float>& rows,
                               const RowIntegers& integers, std::span<const double> real,
                               std::span<const double> quantized, double x_scale, int64_t count);

}  // namespace octet::accuracy
