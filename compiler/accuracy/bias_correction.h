// A layer's bias takes up what quantization has shifted the mean of its output by.
#pragma once

#include <optional>
#include <vector>

#include "compiler/accuracy/gram.h"
#include "compiler/accuracy/layer_error.h"

namespace octet::accuracy {

// Whether both sums are over the same columns, some of them kept apart: only then do the means of
// the float and the quantized model compare.
bool comparable(const ColumnSums& real, const ColumnSums& quantized);

enum class Correction {
  kWhereItHelps,  // only if what the fitted columns say lowers the shift of those kept apart
  kAlways,
};

// `bias` with what is missing from the mean of each output channel, over all columns; nothing where
// that would not help. `real`: of the float model's data, `quantized`: of the integers, comparable.
std::optional<std::vector<float>> corrected_bias(const WeightLayout& layout,
                                                 const std::vector<float>& rows,
                                                 const RowIntegers& integers,
                                                 const ColumnSums& real,
                                                 const ColumnSums& quantized, double x_scale,
                                                 std::vector<float> bias, Correction when);

}  // namespace octet::accuracy
