// The arithmetic of integer kernels, one function per formula: what ONNX Runtime's x86 kernels
// compute from 8-bit operands, bit for bit (checked against it by tests/oracle/integer_kernels.py).
//
// A node between DequantizeLinear and QuantizeLinear defines the same numbers up to ties: these
// formulas round once, at other places, and that is what the device gives.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "compiler/base/vectorized.h"
#include "compiler/numerics/rounding.h"

namespace octet::numerics {

struct QuantizedRange {
  int32_t zero_point = 0;
  int32_t qmin = 0;
  int32_t qmax = 0;
};

// x rounded half to even and saturated; x counts steps and has the zero point in it. NaN gives the
// zero point.
int32_t round_saturated(float x, const QuantizedRange& range);

// The same for a number, in loops.
OCTET_INLINE int32_t round_saturated_finite(float x, const QuantizedRange& range) {
  const auto lowest = static_cast<float>(range.qmin);
  const auto greatest = static_cast<float>(range.qmax);
  x = x > lowest ? x : lowest;
  x = x < greatest ? x : greatest;
  return round_small(x);
}

// QLinearAdd: a * ra + b * rb + k with ra = sa / sc, rb = sb / sc and k = zc - (ra * za + rb * zb).
// As vector code with fused multiply-add has it: k = zc - fma(ra, za, rb * zb), and then
// fma(a, ra, fma(b, rb, k)). ONNX Runtime takes for b the operand that stands still along the
// innermost run of elements, if one does. The zero point is inside the rounding.
struct QuantizedAdd {
  QuantizedAdd(float a_scale, int32_t a_zero, float b_scale, int32_t b_zero, float y_scale,
               int32_t y_zero);
  float operator()(int32_t a, int32_t b) const {
    return fused(a, a_ratio, fused(b, b_ratio, constant));
  }
  static float fused(int32_t x, float ratio, float addend) {
    return std::fma(static_cast<float>(x), ratio, addend);
  }
  float a_ratio;
  float b_ratio;
  float constant;
};

// QLinearMul: ((a - za) * (b - zb)) * r + zc with r = sa * sb / sc.
struct QuantizedMul {
  QuantizedMul(float a_scale, int32_t a_zero, float b_scale, int32_t b_zero, float y_scale,
               int32_t y_zero)
      : a_zero(a_zero),
        b_zero(b_zero),
        ratio(a_scale * b_scale / y_scale),
        constant(static_cast<float>(y_zero)) {}
  float operator()(int32_t a, int32_t b) const {
    return static_cast<float>((a - a_zero) * (b - b_zero)) * ratio + constant;
  }
  int32_t a_zero;
  int32_t b_zero;
  float ratio;
  float constant;
};

// From sums of products, in rows of one sum per channel, to outputs. Sum and bias wrap around at 32
// bits.
class OutputStage {
 public:
  // One multiplier per channel; one bias per channel, or none.
  OutputStage(std::vector<float> multipliers, std::vector<int32_t> bias);

  // QLinearConv, QLinearMatMul, QGemm: float(sum + bias) * multiplier, clamped, rounded half to
  // even, zero point added. uint8 by qmin == 0, else int8 by its bits.
  void requantize(std::span<const int32_t> sums, const QuantizedRange& range,
                  std::span<uint8_t> out) const;
  // Where the output stays float: float(sum + bias) * multiplier.
  void dequantize(std::span<const int32_t> sums, std::span<float> out) const;

 private:
  // Repeated to a length that keeps vector units busy where channels are few.
  std::vector<float> multipliers_;
  std::vector<int32_t> bias_;
};

}  // namespace octet::numerics
