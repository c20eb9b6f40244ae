// Elementwise functions without branches or calls, so that loops over them become vector code.
//
// Every function gives the same bits on every instruction set: there is no contraction to FMA and
// no reduction across elements here. Polynomials are least-maximum fits of our own; errors are
// relative to the exact result, over the stated range.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "compiler/base/vectorized.h"

namespace octet::interpreter {

// (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2: 4e-9 of e^r.
OCTET_INLINE float exp_tail(float r) {
  float q = 0.00138131424F;
  q = q * r + 0.00836941879F;
  q = q * r + 0.0416684560F;
  q = q * r + 0.166665152F;
  return q * r + 0.499999940F;
}

// 2 ulp; 0 below -104, infinity above 88.73; not a number stays so.
OCTET_INLINE float exp_of(float x) {
  x = x < -104.0F ? -104.0F : x;
  x = x > 89.0F ? 89.0F : x;
  // Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the sum.
  constexpr float kShift = 12582912.0F;
  const float shifted = x * 1.44269504F + kShift;
  const float n = shifted - kShift;
  const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kShift);
  // ln 2 in two parts, the first short enough that n times it is exact.
  const float r = (x - n * 0.693145752F) - n * 1.42860677e-6F;
  const float e = 1.0F + (r + r * r * exp_tail(r));
  // 2^exponent as two factors, so that results at both ends of the range come out.
  const int32_t half = exponent >> 1;
  const float low = std::bit_cast<float>((half + 127) << 23);
  const float high = std::bit_cast<float>((exponent - half + 127) << 23);
  return e * low * high;
}

// e^x - 1 for x <= 0.
OCTET_INLINE float exp_minus_one_of(float x) {
  return x > -0.34F ? x + x * x * exp_tail(x) : exp_of(x) - 1.0F;
}

OCTET_INLINE float sigmoid_of(float x) { return 1.0F / (1.0F + exp_of(-x)); }

// 2e-7.
OCTET_INLINE float tanh_of(float x) {
  const float z = x * x;
  // tanh x = x + x^3 q(x^2) for |x| <= 0.63: 5e-9.
  float q = -0.00566698052F;
  q = q * z + 0.0206061807F;
  q = q * z - 0.0537300073F;
  q = q * z + 0.133313313F;
  q = q * z - 0.333332777F;
  const float near = x + x * z * q;
  const float magnitude = std::fabs(x);
  const float far = std::copysign(1.0F - 2.0F / (exp_of(2.0F * magnitude) + 1.0F), x);
  return magnitude < 0.625F ? near : far;
}

// 3e-7.
OCTET_INLINE float erf_of(float x) {
  const float z = x * x;
  // erf x = x q(x^2) for |x| <= 1: 2e-9.
  float q = 7.85400916e-05F;
  q = q * z - 0.000801024202F;
  q = q * z + 0.00518833380F;
  q = q * z - 0.0268538147F;
  q = q * z + 0.112835854F;
  q = q * z - 0.376126260F;
  q = q * z + 1.12837911F;
  const float near = x * q;
  // 1 - erf x = e^(-x^2) t p(t), t = 1 / (1 + x / 2), for 1 <= x <= 4: 2e-10 of erf x.
  const float magnitude = std::fabs(x);
  const float t = 1.0F / (1.0F + 0.5F * magnitude);
  float p = -0.0510059446F;
  p = p * t - 0.0537275709F;
  p = p * t + 0.381335467F;
  p = p * t + 0.131287441F;
  p = p * t + 0.312673807F;
  p = p * t + 0.278917581F;
  const float far = std::copysign(1.0F - exp_of(-z) * t * p, x);
  return magnitude < 1.0F ? near : far;
}

}  // namespace octet::interpreter
