// What the integer forms of Conv, MatMul and Gemm share: exact sums of products by oneDNN, then the
// output stage of compiler/numerics/integer_arithmetic.h.
#pragma once

#include <utility>
#include <vector>

#include "compiler/interpreter/kernels/integer_operands.h"
#include "compiler/interpreter/kernels/onednn_kernel.h"
#include "compiler/interpreter/threads.h"

namespace octet::interpreter {

// How oneDNN computes sums that are exact.
enum class Products {
  kInteger,  // int8 primitives, on machines with VNNI; others add pairs of products in 16 bits
  kFloat,    // float32 primitives on integer-valued numbers whose sums stay below 2^24
};

// The way for this machine and these weights, `axis` running over output channels and `x_zero` and
// `x_dtype` saying how large the other factor gets; nothing where no way is exact.
std::optional<Products> exact_products(const ir::Tensor& weights, int64_t axis, ir::DType x_dtype,
                                       int32_t x_zero);

// Operand positions.
struct IntegerLinearOperands {
  size_t data = 0;
  size_t weight = 0;
  size_t bias = 0;  // int32; SIZE_MAX when the operator has none
};

// From sums to the output: integers of this range, or float32 where there is none.
struct IntegerLinearOutput {
  numerics::OutputStage stage;
  std::optional<numerics::QuantizedRange> range;
};

struct IntegerLinearParts {
  Products products = Products::kInteger;
  dnnl::primitive primitive;
  onednn::Desc src;
  onednn::Desc weights_as_stored;
  onednn::Desc weights;
  onednn::Desc sums;
  onednn::Desc scratch;
  Layout src_layout;
  Layout dst_layout;
  int32_t source_zero_point = 0;
  size_t threads = 1;
};

Result<KernelPtr> make_integer_linear(const KernelRequest& request,
                                      const IntegerLinearOperands& operands,
                                      IntegerLinearParts parts, IntegerLinearOutput output);

// Element types of source, weights and sums.
struct ProductTypes {
  dnnl::memory::data_type src, weights, sums;
};
ProductTypes product_types(Products products, ir::DType x_dtype);

// Attributes for a source with this zero point.
dnnl::primitive_attr integer_attributes(Products products, int32_t source_zero_point);

// The bias as constant integers: none when absent, nothing when a run computes it.
std::optional<std::vector<int32_t>> integer_bias(const KernelRequest& request, size_t operand,
                                                 int64_t channels);

}  // namespace octet::interpreter
