// Operands of the integer operators (MatMulInteger, ConvInteger, the QLinear family): elements less
// their zero points, and multipliers from scales.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compiler/numerics/device_arithmetic.h"
#include "compiler/numerics/integer_arithmetic.h"
#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/scratch.h"

namespace octet::ops {

// The elements of an int8 or uint8 operand less its zero points, modulo 2^32: sums of their
// products may overflow 32 bits, and wrap around then. `zero_point` broadcasts to the operand under
// the shape `zero_shape`; null means 0. kMalformed when the types or shapes do not fit.
Result<Scratch<uint32_t>> less_zero_point(const EvaluateContext& context, size_t operand,
                                          const Tensor* zero_point,
                                          std::vector<int64_t> zero_shape);

// A scalar operand (one element, any rank) as float32.
Result<float> scalar_scale(const EvaluateContext& context, size_t operand);
// A scalar integer operand of the given type.
Result<int32_t> scalar_zero_point(const EvaluateContext& context, size_t operand, DType dtype);
// Scales: one, or `count`.
Result<std::vector<float>> vector_scale(const EvaluateContext& context, size_t operand,
                                        int64_t count);

// What an accumulator is multiplied with: f32(f32(a_scale * b_scale) / y_scale), as ONNX Runtime
// does it.
inline float output_multiplier(float a_scale, float b_scale, float y_scale) {
  const float product = a_scale * b_scale;
  return product / y_scale;
}
// The same for fixed point, in float64, as TensorFlow Lite does it.
inline double fixed_point_factor(float a_scale, float b_scale, float y_scale) {
  return static_cast<double>(a_scale) * b_scale / static_cast<double>(y_scale);
}

// True when sums of products of these operands are of saturating pairs on the context's device.
inline bool saturates_pairs(const EvaluateContext& context, const Tensor& u, const Tensor& s) {
  return context.device.saturates_pairs() && u.dtype() == DType::kUint8 &&
         s.dtype() == DType::kInt8;
}

// What saturation changes in a sum of `count` products u(0) * s(0) + u(1) * s(1) + ...; modulo
// 2^32.
template <typename LoadU, typename LoadS>
uint32_t pair_errors(int64_t count, LoadU&& u, LoadS&& s) {
  uint32_t sum = 0;
  for (int64_t k = 0; k + 1 < count; k += 2) {
    sum += static_cast<uint32_t>(numerics::pair_error(u(k), s(k), u(k + 1), s(k + 1)));
  }
  return sum;
}

// An int8 or uint8 operand with one scale and one zero point, which are the operands behind it.
struct QuantizedOperand {
  DType dtype = DType::kUint8;
  std::span<const uint8_t> bytes;
  float scale = 1.0F;
  int32_t zero_point = 0;

  int32_t operator[](int64_t i) const {
    const uint8_t byte = bytes[static_cast<size_t>(i)];
    return dtype == DType::kInt8 ? static_cast<int8_t>(byte) : byte;
  }
};

// Tensor, scale and zero point at operands `tensor`, `scale`, `zero_point`; the last may be
// omitted.
Result<QuantizedOperand> quantized_operand(const EvaluateContext& context, size_t tensor,
                                           size_t scale, size_t zero_point);

// What an output is quantized to: scale and zero point at these operands, the zero point being
// omitted only where `dtype` says the type.
struct OutputQuantization {
  DType dtype = DType::kUint8;
  float scale = 1.0F;
  numerics::QuantizedRange range;
};
Result<OutputQuantization> output_quantization(const EvaluateContext& context, size_t scale,
                                               size_t zero_point, DType dtype);

// The quantization of an operator's output, for inference.
Result<ir::ValueFacts> quantized_output(const InferContext& context, ir::Shape shape, size_t scale,
                                        size_t zero_point);
// The same where the zero point may be omitted: the type is then that of operand `data`.
Result<ir::ValueFacts> quantized_output(const InferContext& context, ir::Shape shape, size_t scale,
                                        size_t zero_point, size_t data);

}  // namespace octet::ops
