// What the integer forms of Conv, MatMul and Gemm share: exact sums of products by oneDNN, then the
// output stage of compiler/numerics/integer_arithmetic.h.
#pragma once

#include <utility>
#include <vector>

#include "compiler/interpreter/kernels/integer_operands.h"
#include "compiler/interpreter/kernels/onednn_kernel.h"
#include "compiler/interpreter/kernels/pair_errors.h"
#include "compiler/interpreter/threads.h"
#include "compiler/numerics/fixed_point.h"

namespace octet::interpreter {

// How oneDNN computes sums that are exact.
enum class Products {
  kInteger,         // int8 primitives, on machines with VNNI; others add pairs in 16 bits
  kIntegerToBytes,  // the same, the output stage within: sums below 2^24, no zero point to add
  kFloat,           // float32 primitives on integer-valued numbers whose sums stay below 2^24
};

// What sums become: integers of this range, or float32 where there is none.
struct IntegerLinearOutput {
  std::vector<float> multipliers;  // one per output channel
  std::vector<int32_t> bias;       // one per output channel, or none
  std::optional<numerics::QuantizedRange> range;
  // In place of `multipliers`, where there is a range: on devices that requantize in fixed point.
  std::vector<numerics::FixedPointMultiplier> fixed = {};
  // Not empty where sums are of saturating pairs. Sums must then come as rows of one per channel.
  PairErrors pair_errors = {};

  bool is_plain() const { return fixed.empty() && pair_errors.empty(); }
};

// The way for this machine and these weights, `axis` running over output channels, and data of type
// `x_dtype` with zero point `x_zero`; nothing where no way is exact.
std::optional<Products> exact_products(const ir::Tensor& weights, int64_t axis, ir::DType x_dtype,
                                       int32_t x_zero, const IntegerLinearOutput& output);

// Takes the zero point of data that is not padded into the bias: bias[c] -= zero * sum of weights
// of c, which gives the same sums at 32 bits. `zero_point` becomes 0. Nothing changes for kFloat,
// which subtracts it from the data.
std::optional<Products> fold_zero_point(const ir::Tensor& weights, int64_t axis, ir::DType x_dtype,
                                        int32_t& zero_point, IntegerLinearOutput& output);

// Operand positions.
struct IntegerLinearOperands {
  size_t data = 0;
  size_t weight = 0;
  size_t bias = 0;  // int32; SIZE_MAX when the operator has none
};

struct IntegerLinearParts {
  Products products = Products::kInteger;
  dnnl::primitive primitive;
  onednn::Desc src;
  onednn::Desc weights_as_stored;
  onednn::Desc weights;
  std::optional<onednn::Desc> bias;
  onednn::Desc dst;
  onednn::Desc scratch;
  Layout src_layout;
  Layout dst_layout;
  int32_t source_zero_point = 0;
  size_t threads = 1;
};

Result<KernelPtr> make_integer_linear(const KernelRequest& request,
                                      const IntegerLinearOperands& operands,
                                      IntegerLinearParts parts, IntegerLinearOutput output);

// Element types of what the primitive reads and writes.
struct ProductTypes {
  dnnl::memory::data_type src, weights, dst;
};
ProductTypes product_types(Products products, ir::DType x_dtype, ir::DType y_dtype);

// The bias that the primitive itself adds, if any, along the last of `rank` axes.
std::optional<onednn::Desc> product_bias(Products products, const IntegerLinearOutput& output,
                                         size_t rank);

dnnl::primitive_attr integer_attributes(Products products, int32_t source_zero_point,
                                        const IntegerLinearOutput& output);

// The bias as constant integers: none when absent, nothing when a run computes it.
std::optional<std::vector<int32_t>> integer_bias(const KernelRequest& request, size_t operand,
                                                 int64_t channels);

}  // namespace octet::interpreter
