// Requantization without floating-point numbers, as ARM's integer libraries do it: a multiplier is
// an integer of 31 bits and a shift.
//
// The formulas are those of gemmlowp's fixedpoint.h (SaturatingRoundingDoublingHighMul, which is
// the instruction SQRDMULH, and RoundingDivideByPOT) put together as TensorFlow Lite's
// MultiplyByQuantizedMultiplier, which rounds twice; CMSIS-NN's arm_nn_requantize computes the same
// numbers. XNNPACK's "rndnu" and builds of TensorFlow Lite with single rounding round once, half
// up: they differ at ties, and where the first rounding makes one. ONNX Runtime, QNNPACK in PyTorch
// and KleidiAI requantize in float32 on ARM (integer_arithmetic.h); what ONNX Runtime's NEON
// kernels do otherwise is at the end.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compiler/numerics/integer_arithmetic.h"

namespace octet::numerics {

// round(a * b / 2^31), ties toward plus infinity; INT32_MIN * INT32_MIN saturates.
int32_t rounding_doubling_high(int32_t a, int32_t b);

// round(x / 2^exponent), ties away from zero; exponent 0 to 31.
int32_t rounding_shift_right(int32_t x, int32_t exponent);

// A real factor as mantissa * 2^(exponent - 31).
class FixedPointMultiplier {
 public:
  // The mantissa is rounded to 31 bits, ties away from zero, and lies in [2^30, 2^31). A factor
  // below 2^-32, and NaN, is 0; one of 2^30 and above is the greatest there is. Factors below 0 are
  // mirrored.
  explicit FixedPointMultiplier(double factor);

  // rounding_shift_right(rounding_doubling_high(x * 2^left, mantissa), right), where only one of
  // left and right is not 0; the shift to the left saturates.
  int32_t operator()(int32_t x) const;

  int32_t mantissa() const { return mantissa_; }
  int32_t exponent() const { return exponent_; }

 private:
  int32_t mantissa_ = 0;
  int32_t exponent_ = 0;
};

// multiplier(sum) + zero point, saturated.
int32_t requantize(int32_t sum, const FixedPointMultiplier& multiplier,
                   const QuantizedRange& range);

// The same from sums in rows of one per channel, as OutputStage does it with float32 multipliers.
// Sum and bias wrap around at 32 bits.
class FixedPointStage {
 public:
  // One multiplier per channel; one bias per channel, or none.
  FixedPointStage(std::vector<FixedPointMultiplier> multipliers, std::vector<int32_t> bias);

  // uint8 by qmin == 0, else int8 by its bits.
  void requantize(std::span<const int32_t> sums, const QuantizedRange& range,
                  std::span<uint8_t> out) const;

 private:
  std::vector<FixedPointMultiplier> multipliers_;
  std::vector<int32_t> bias_;
};

// What an operator of two 8-bit operands begins and ends with, however it computes between.
struct OffsetOperands {
  int32_t a_zero = 0;
  int32_t b_zero = 0;
  QuantizedRange range = {};

  int32_t a(int32_t q) const { return q - a_zero; }
  int32_t b(int32_t q) const { return q - b_zero; }
  // Steps without the zero point, as integers of the output.
  int32_t result(int64_t steps) const;
};

// TensorFlow Lite's Add of 8-bit operands: with t = 2 * max(a_scale, b_scale), both operands less
// their zero points are shifted left by 20 bits and multiplied with a_scale / t and b_scale / t;
// the sum is multiplied with t / (2^20 * y_scale).
class FixedPointAdd {
 public:
  FixedPointAdd(float a_scale, int32_t a_zero, float b_scale, int32_t b_zero, float y_scale,
                const QuantizedRange& range);
  int32_t operator()(int32_t a, int32_t b) const;

 private:
  OffsetOperands operands_;
  FixedPointMultiplier a_;
  FixedPointMultiplier b_;
  FixedPointMultiplier y_;
};

// TensorFlow Lite's Mul: (a - a_zero) * (b - b_zero) requantized by a_scale * b_scale / y_scale.
class FixedPointMul {
 public:
  FixedPointMul(float a_scale, int32_t a_zero, float b_scale, int32_t b_zero, float y_scale,
                const QuantizedRange& range);
  int32_t operator()(int32_t a, int32_t b) const;

 private:
  OffsetOperands operands_;
  FixedPointMultiplier multiplier_;
};

// QLinearAdd of ONNX Runtime on ARM64, in 22 bits: with ra = a_scale / y_scale, rb = b_scale /
// y_scale, 2^e <= max(ra, rb) < 2^(e + 1) and S = 21 - e,
//   (a - a_zero) * round(ra * 2^S) + (b - b_zero) * round(rb * 2^S)
// is divided by 2^S, ties away from zero; then the zero point, then saturation. Where a ratio lies
// outside of [2^-14, 2^8), it is QuantizedAdd.
class NeonAdd {
 public:
  NeonAdd(float a_scale, int32_t a_zero, float b_scale, int32_t b_zero, float y_scale,
          const QuantizedRange& range);
  int32_t operator()(int32_t a, int32_t b) const;

 private:
  OffsetOperands operands_;
  QuantizedAdd real_;
  int32_t shift_ = -1;  // none: real_
  int64_t a_multiplier_ = 0;
  int64_t b_multiplier_ = 0;
};

// QLinearMul of ONNX Runtime on ARM64: fma((a - a_zero) * (b - b_zero), a_scale * b_scale /
// y_scale, y_zero), rounded half to even with the zero point inside.
class NeonMul {
 public:
  NeonMul(float a_scale, int32_t a_zero, float b_scale, int32_t b_zero, float y_scale,
          const QuantizedRange& range);
  int32_t operator()(int32_t a, int32_t b) const;

 private:
  QuantizedRange range_;
  QuantizedMul real_;
};

}  // namespace octet::numerics
