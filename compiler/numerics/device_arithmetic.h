// How a device departs from integer_arithmetic.h, where it does.
#pragma once

#include <cstdint>

#include "compiler/base/vectorized.h"

namespace octet::numerics {

struct DeviceArithmetic {
  enum class Sums {
    kExact,
    // Products of uint8 and int8 are added in pairs that saturate to 16 bits, and the pairs
    // exactly: saturating_pair below.
    kSaturatingPairs,
  };
  enum class Requantization {
    kFloat,       // by a float32 multiplier: integer_arithmetic.h
    kFixedPoint,  // by an integer multiplier and a shift: fixed_point.h
  };
  // Of QLinearAdd and QLinearMul, where requantization is by float32 multipliers.
  enum class Elementwise {
    kX86,   // integer_arithmetic.h
    kNeon,  // NeonAdd and NeonMul of fixed_point.h
  };
  Sums sums = Sums::kExact;
  Requantization requantization = Requantization::kFloat;
  Elementwise elementwise = Elementwise::kX86;

  bool saturates_pairs() const { return sums == Sums::kSaturatingPairs; }
  bool is_neon() const { return elementwise == Elementwise::kNeon; }
  bool is_fixed_point() const { return requantization == Requantization::kFixedPoint; }
};

// The instruction VPMADDUBSW, which x86 without VNNI multiplies bytes with: u0 * s0 + u1 * s1 of
// stored bytes, uint8 and int8, saturated to int16.
//
// ONNX Runtime's matrix product (MLAS, AVX2 and AVX-512 without VNNI) pairs products 2j and 2j + 1
// of a sum, the last one with 0 when their number is odd; zero points are taken off afterwards, in
// 32 bits. Convolutions are such products: their sums run over the kernel's positions in row-major
// order and, within each, over the channels of the group; padding is the zero point. Depthwise
// convolutions, and operands of types other than uint8 by int8, are exact there.
OCTET_INLINE int32_t saturating_pair(int32_t u0, int32_t s0, int32_t u1, int32_t s1) {
  const int32_t sum = u0 * s0 + u1 * s1;
  const int32_t low = sum < -32768 ? -32768 : sum;
  return low > 32767 ? 32767 : low;
}

// What saturation changes in the pair's sum. A sum of products on the device is the exact sum and
// these of all its pairs.
OCTET_INLINE int32_t pair_error(int32_t u0, int32_t s0, int32_t u1, int32_t s1) {
  return saturating_pair(u0, s0, u1, s1) - (u0 * s0 + u1 * s1);
}

// True when some pair of activations saturates with these weights.
OCTET_INLINE bool may_saturate(int32_t s0, int32_t s1) {
  const int32_t above = (s0 > 0 ? s0 : 0) + (s1 > 0 ? s1 : 0);
  const int32_t below = (s0 < 0 ? s0 : 0) + (s1 < 0 ? s1 : 0);
  return 255 * above > 32767 || 255 * below < -32768;
}

}  // namespace octet::numerics
