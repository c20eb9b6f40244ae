// Holding data against the inputs of the model.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/data/dataset.h"
#include "compiler/ir/tensor.h"

namespace octet::data {

// `input "x": ...` in front of messages.
std::string input_context(const InputSpec& input);

// kBadData unless data of type `found` can serve the input: the types are equal, or float64 serves
// float32, or int32 and int64 serve each other.
Status check_dtype(const InputSpec& input, ir::DType found);

// kBadData, with both shapes, unless `found` fits the input's shape.
Status check_shape(const InputSpec& input, const std::vector<int64_t>& found);

// The tensor in the input's type. Values must be finite and fit: kBadData with the position of the
// first that is not, counted in row-major order, otherwise.
Result<ir::Tensor> fit_values(const InputSpec& input, ir::Tensor tensor);

// Position of the first NaN or infinity.
std::optional<size_t> first_non_finite(std::span<const float> values);
std::optional<size_t> first_non_finite(std::span<const double> values);

}  // namespace octet::data
