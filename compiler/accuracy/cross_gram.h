// Sums of x x~^T over the sampled columns of one layer: x what the float model's layer reads, x~
// what the quantized model's does at the same places. With them, weights can be chosen so that the
// float output comes out of quantized inputs.
//
// For weights W and integers z with scales s, the mean squared difference of outputs is
//   E = W G W^T - 2 W C Z^T + Z H Z^T,   Z = z s, C = mean x x~^T, H = mean x~ x~^T,
// of which the first term does not depend on z. Where a bias takes up the difference of the means,
// C and H are centred: C - m m~^T, H - m~ m~^T.
#pragma once

#include <span>
#include <vector>

#include "compiler/accuracy/gram.h"
#include "compiler/accuracy/layer_error.h"

namespace octet::accuracy {

struct CrossSums {
  std::vector<double> fit;    // groups x columns (of x) x columns (of x~)
  std::vector<double> apart;  // the same
};

// Both: one tensor per sample, of equal shapes sample by sample. kResourceLimit as gather_grams.
Result<CrossSums> gather_cross(const ir::Node& node, const WeightLayout& layout,
                               std::span<const int64_t> weight_shape, const LayerInputs& real,
                               const LayerInputs& quantized, size_t threads, int64_t max_memory);

enum class Means { kKept, kTakenOut };

// H and C of one group, summed over one part of the columns or both, in units of x~.
struct GroupMoments {
  std::vector<double> gram;   // columns x columns
  std::vector<double> cross;  // columns x columns
};
// `real`: sums of the float columns; `x_scale`: real numbers per unit of the quantized ones.
GroupMoments group_moments(const GramSums& grams, const CrossSums& cross, const ColumnSums& real,
                           double x_scale, int64_t group, Columns columns, Means means);

// W + W (C - H) (H + lambda)^-1: the real weights for which E is least, held at W by a ridge of
// `damping` times H's mean diagonal. Rows that come out not finite, and all rows where H is not
// positive definite in spite of the ridge, stay as they are.
Result<std::vector<float>> target_rows(const GroupMoments& moments, const WeightRows& rows,
                                       double damping, size_t threads);

// E of real weights `moved` in the place of `rows` without its first term, both of one group.
Result<double> moment_error(const GroupMoments& moments, const WeightRows& rows,
                            std::span<const float> moved, size_t threads);

// E of the integers of one group without its first term, in units of x~ squared. `rows` and
// `integers` are of the whole layer.
Result<double> moment_error(const GroupMoments& moments, const WeightLayout& layout, int64_t group,
                            std::span<const float> rows, const RowIntegers& integers,
                            size_t threads);

}  // namespace octet::accuracy
