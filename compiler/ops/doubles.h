// Floating point operands of any width as double, and back: for operators whose arithmetic is done
// in double and rounded once.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/scratch.h"

namespace octet::ops {

// The elements of a float16, bfloat16, float32 or float64 operand; kUnsupported for other types.
Result<Scratch<double>> doubles_of(const EvaluateContext& context, size_t operand);
// The same; no elements when the operand is absent.
Result<Scratch<double>> optional_doubles_of(const EvaluateContext& context, size_t operand);

// A new tensor of a floating point type with these elements, each rounded once (16-bit types by way
// of float32).
Result<Tensor> tensor_of_doubles(const EvaluateContext& context, DType dtype,
                                 std::vector<int64_t> shape, std::span<const double> elements);

// kMalformed "input 2: float32[3], must be of shape [4]" when the extents differ. An extent of -1
// in `shape` fits any.
Status require_shape(const EvaluateContext& context, size_t operand,
                     std::span<const int64_t> shape);
// kMalformed when the operand, if it is there, has another rank.
Status require_rank(const EvaluateContext& context, size_t operand, size_t rank);

// The product of extents that a model names; kResourceLimit when it overflows.
Result<int64_t> element_product(std::span<const int64_t> extents);

}  // namespace octet::ops
