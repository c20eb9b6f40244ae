// Small parts that the inference of many operators shares.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/ops/schema.h"

namespace octet::ops {

using ir::DType;
using Facts = std::vector<ir::ValueFacts>;

inline ir::ValueFacts fact(DType dtype, ir::Shape shape) {
  return {ir::TensorType{dtype, std::move(shape), std::nullopt}, std::nullopt};
}

// A list of one: ValueFacts holds optionals, so that braces alone would be ambiguous.
inline Facts one_fact(DType dtype, ir::Shape shape) { return {fact(dtype, std::move(shape))}; }

// One output with element type and shape of input 0. Quantization parameters are not handed on.
Result<Facts> infer_same_as_input(const InferContext& context);

// One output that holds elements of input 0 in another shape: per-tensor quantization is handed on.
ir::ValueFacts passed_through(const InferContext& context, ir::Shape shape);

// `axis` in [-rank, rank) made non-negative; kMalformed "axis 5 for a rank of 4" otherwise. `what`
// names the number in the message.
Result<int64_t> normalize_axis(int64_t axis, size_t rank, std::string_view what = "axis");

// All axes, in the given order; kMalformed also when one occurs twice.
Result<std::vector<int64_t>> normalize_axes(std::span<const int64_t> axes, size_t rank,
                                            std::string_view what = "axis");

// Element type common to the operands that are present and known: kUndefined when none is.
// kMalformed "input 1: int32 where input 0 is float32" when two differ.
Result<DType> common_dtype(const InferContext& context, std::initializer_list<size_t> operands);
Result<DType> common_dtype_of_all(const InferContext& context);

// kMalformed when the operand is known to have another rank; fine when it is absent or unknown.
Status require_rank(const InferContext& context, size_t operand, size_t rank);

// The extents of an integer operand of rank 1 that inference must know to give a shape: its
// constant elements, or nothing.
std::optional<std::vector<int64_t>> constant_int64s(const InferContext& context, size_t operand);

// A shape of `rank` unknown extents.
inline ir::Shape unknown_shape(size_t rank) { return ir::Shape(std::vector<ir::Dim>(rank)); }

// As many facts as the node has outputs, all "not known".
inline Facts unknown_facts(const InferContext& context) {
  return Facts(context.node.outputs.size());
}

// Partial shape values are worth their memory only while they are short.
inline constexpr int64_t kMaxElements = 1024;

}  // namespace octet::ops
