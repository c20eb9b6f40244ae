// Constant operands of integer kernels: scales and zero points as they stand in the node.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/interpreter/kernel.h"
#include "compiler/numerics/integer_arithmetic.h"

namespace octet::interpreter {

inline bool is_byte(ir::DType dtype) {
  return dtype == ir::DType::kInt8 || dtype == ir::DType::kUint8;
}

// One scale and one zero point; nothing where a run computes them.
struct ScaleAndZero {
  float scale = 1.0F;
  int32_t zero_point = 0;
};
std::optional<ScaleAndZero> scale_and_zero(const KernelRequest& request, size_t scale,
                                           size_t zero_point);

// `count` scales, from as many or from one.
std::optional<std::vector<float>> scales_of(const KernelRequest& request, size_t operand,
                                            int64_t count);

// True when the operand is absent or a constant of zeros.
bool is_zero(const KernelRequest& request, size_t operand);

// The same for the output, with the range of its type.
struct OutputRange {
  float scale = 1.0F;
  numerics::QuantizedRange range;
};
std::optional<OutputRange> output_range(const KernelRequest& request, size_t scale,
                                        size_t zero_point);

// The layout that integer kernels work in: channels last from rank 3 to 5, row-major otherwise.
Layout integer_layout(std::span<const int64_t> shape);

onednn::Desc integer_desc(std::span<const int64_t> shape, ir::DType dtype, const Layout& layout);

}  // namespace octet::interpreter
