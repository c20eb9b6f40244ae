// What the integer forms of Conv, MatMul and Gemm share: exact 32-bit sums by oneDNN's int8
// primitives, then the output stage of compiler/numerics/integer_arithmetic.h.
#pragma once

#include <utility>
#include <vector>

#include "compiler/interpreter/kernels/integer_operands.h"
#include "compiler/interpreter/kernels/onednn_kernel.h"
#include "compiler/interpreter/threads.h"

namespace octet::interpreter {

// True where oneDNN's sums of products of 8-bit integers do not saturate: machines with VNNI. On
// others pairs of products are added in 16 bits.
bool has_exact_integer_products();

// Operand positions.
struct IntegerLinearOperands {
  size_t data = 0;
  size_t weight = 0;
  size_t bias = 0;  // int32; SIZE_MAX when the operator has none
};

// From sums to the output: integers, or float32.
struct OutputStage {
  enum class Kind { kRequantize, kToFloat };
  Kind kind = Kind::kRequantize;
  numerics::Requantization requantization;  // range and zero point only where integers come out
};

struct IntegerLinearParts {
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
                                      IntegerLinearParts parts, OutputStage stage);

// Attributes for a source with this zero point.
dnnl::primitive_attr integer_attributes(int32_t source_zero_point);

// The bias as constant integers: none when absent, nothing when a run computes it.
std::optional<std::vector<int32_t>> integer_bias(const KernelRequest& request, size_t operand,
                                                 int64_t channels);

}  // namespace octet::interpreter
