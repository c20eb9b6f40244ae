// Quantize, dequantize, requantize: the one place that rounds.
//
// ONNX QuantizeLinear / DequantizeLinear (opset 10 to 25):
//   q = saturate(round_half_even(x / scale) + zero_point)
//   x = (q - zero_point) * scale
// The division is a division (not a product with the reciprocal), and rounding comes before the
// zero point is added; both are visible at ties.
#pragma once

#include <cstdint>
#include <span>

#include "compiler/numerics/dtype.h"

namespace octet::numerics {

// x rounded to the nearest integer, ties to even, whatever the rounding mode of the machine is.
float round_half_even(float x);
double round_half_even(double x);

// NaN becomes the zero point, infinities saturate; zero_point lies in [qmin, qmax].
int32_t quantize(float x, float scale, int32_t zero_point, int32_t qmin, int32_t qmax);

inline float dequantize(int32_t q, float scale, int32_t zero_point) {
  return static_cast<float>(int64_t{q} - zero_point) * scale;
}

// x quantized and dequantized.
float fake_quantize(float x, float scale, int32_t zero_point, int32_t qmin, int32_t qmax);

// The same, element by element, for one scale; vectorized, with the results of the scalar form.
void quantize(std::span<const float> x, float scale, int32_t zero_point, std::span<int8_t> q);
void quantize(std::span<const float> x, float scale, int32_t zero_point, std::span<uint8_t> q);
void dequantize(std::span<const int8_t> q, float scale, int32_t zero_point, std::span<float> x);
void dequantize(std::span<const uint8_t> q, float scale, int32_t zero_point, std::span<float> x);

// An int32 accumulator of products to an output of another scale, as ONNX Runtime's QLinearConv,
// QLinearMatMul and QGemm do it: v = float(acc) * multiplier, clamped, rounded
// half to even, zero point added.
int32_t requantize(int32_t accumulator, float multiplier, int32_t zero_point, int32_t qmin,
                   int32_t qmax);

// float -> integer conversion of Cast: truncation toward zero; NaN gives 0 and values outside the
// type saturate (the standard leaves both open). kBool gives 1 for all but zero; kUint64 gives the
// bits of the unsigned value.
int64_t cast_to_integer(double x, DType dtype);

}  // namespace octet::numerics
