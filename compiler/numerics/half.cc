#include "compiler/numerics/half.h"

#include <bit>
#include <cmath>
#include <limits>

namespace octet::numerics {
namespace {

// A format of one sign bit, exponent bits and `fraction_bits`, with subnormals. Codes without the
// sign rise with the magnitude, so that range checks compare codes.
struct Format {
  int fraction_bits;
  int bias;
  uint32_t max_code;  // of the greatest finite value
  uint32_t infinity;  // what stands beyond it: infinity or NaN
  uint32_t nan;
  uint32_t sign_bit;
  enum class Zero { kSigned, kUnsigned } zero;  // kUnsigned: the code of -0 is NaN
};

constexpr Format kHalf = {10, 15, 0x7BFF, 0x7C00, 0x7E00, 0x8000, Format::Zero::kSigned};
constexpr Format kBfloat16 = {7, 127, 0x7F7F, 0x7F80, 0x7FC0, 0x8000, Format::Zero::kSigned};
constexpr Format kE4M3FN = {3, 7, 0x7E, 0x7F, 0x7F, 0x80, Format::Zero::kSigned};
constexpr Format kE4M3FNUZ = {3, 8, 0x7F, 0x80, 0x80, 0x80, Format::Zero::kUnsigned};
constexpr Format kE5M2 = {2, 15, 0x7B, 0x7C, 0x7E, 0x80, Format::Zero::kSigned};
constexpr Format kE5M2FNUZ = {2, 16, 0x7F, 0x80, 0x80, 0x80, Format::Zero::kUnsigned};
// No NaN and no infinity: NaN becomes -0, everything else saturates.
constexpr Format kE2M1 = {1, 1, 0x7, 0x7, 0x8, 0x8, Format::Zero::kSigned};

const Format& format_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat8E4M3FNUZ:
      return kE4M3FNUZ;
    case DType::kFloat8E5M2:
      return kE5M2;
    case DType::kFloat8E5M2FNUZ:
      return kE5M2FNUZ;
    case DType::kFloat4E2M1:
      return kE2M1;
    default:
      return kE4M3FN;
  }
}

uint32_t shift_right_half_even(uint32_t value, int shift) {
  if (shift <= 0) return value;
  if (shift > 25) return 0;  // below half of the last place: value has 24 bits
  const uint32_t kept = value >> shift;
  const uint32_t rest = value & ((1U << shift) - 1);
  const uint32_t half = 1U << (shift - 1);
  return kept + (rest > half || (rest == half && (kept & 1) != 0) ? 1 : 0);
}

// The code of |x| for finite x, as if the exponent had no upper end.
uint32_t magnitude_code(uint32_t float_magnitude, const Format& format) {
  uint32_t significand = float_magnitude & 0x7FFFFF;
  int exponent = static_cast<int>(float_magnitude >> 23);
  if (exponent != 0) {
    significand |= 0x800000;
  } else {
    if (significand == 0) return 0;
    const int shift = std::countl_zero(significand) - 8;
    significand <<= shift;
    exponent = 1 - shift;
  }
  exponent += format.bias - 127;
  const int narrowing = 23 - format.fraction_bits;
  if (exponent < 1) return shift_right_half_even(significand, narrowing + 1 - exponent);
  // The leading bit adds one to the exponent field; a carry out of the fraction does as well.
  return (static_cast<uint32_t>(exponent - 1) << format.fraction_bits) +
         shift_right_half_even(significand, narrowing);
}

uint32_t encode(float x, const Format& format, Overflow overflow) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t sign = (bits >> 31) != 0 ? format.sign_bit : 0;
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) {
    return format.zero == Format::Zero::kSigned && format.nan != format.sign_bit ? sign | format.nan
                                                                                 : format.nan;
  }
  uint32_t code = magnitude == 0x7F800000 ? format.max_code + 1 : magnitude_code(magnitude, format);
  if (code > format.max_code) {
    if (overflow == Overflow::kNonFinite) return sign | format.infinity;
    code = format.max_code;
  }
  return code == 0 && format.zero == Format::Zero::kUnsigned ? 0 : sign | code;
}

float decode(uint32_t bits, const Format& format) {
  const uint32_t code = bits & (format.sign_bit - 1);
  const bool negative = (bits & format.sign_bit) != 0;
  float value = 0.0F;
  if (negative && code == 0 && format.zero == Format::Zero::kUnsigned) {
    return std::numeric_limits<float>::quiet_NaN();
  }
  if (code > format.max_code) {
    const bool infinite = format.infinity != format.nan && code == format.infinity;
    value =
        infinite ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  } else {
    const auto exponent = static_cast<int>(code >> format.fraction_bits);
    const uint32_t fraction = code & ((1U << format.fraction_bits) - 1);
    const uint32_t leading = exponent != 0 ? 1U << format.fraction_bits : 0;
    value = std::ldexp(static_cast<float>(leading + fraction),
                       (exponent != 0 ? exponent : 1) - format.bias - format.fraction_bits);
  }
  return std::copysign(value, negative ? -1.0F : 1.0F);
}

// Powers of two from 2^-127 on, no sign, no zero; rounds up as ONNX Cast does by default.
uint8_t encode_e8m0(float x, Overflow overflow) {
  constexpr uint8_t kNan = 0xFF;
  const auto bits = std::bit_cast<uint32_t>(x) & 0x7FFFFFFF;
  if (bits > 0x7F800000) return kNan;
  if (bits == 0x7F800000) return overflow == Overflow::kSaturate ? 0xFE : kNan;
  // 2^-127, the least value, is a subnormal float.
  if (bits <= 0x00400000) return 0;
  const uint32_t exponent = (bits >> 23) + ((bits & 0x7FFFFF) != 0 ? 1 : 0);
  if (exponent < 0xFF) return static_cast<uint8_t>(exponent);
  return overflow == Overflow::kSaturate ? 0xFE : kNan;
}

}  // namespace

uint16_t float_to_half(float x) {
  return static_cast<uint16_t>(encode(x, kHalf, Overflow::kNonFinite));
}

float half_to_float(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000U) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1F;
  const uint32_t fraction = bits & 0x3FF;
  if (exponent == 0) {
    const float value = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -value : value;
  }
  const uint32_t widened = exponent == 0x1F ? 0xFF : exponent + (127 - 15);
  return std::bit_cast<float>(sign | widened << 23 | fraction << 13);
}

uint16_t float_to_bfloat16(float x) {
  return static_cast<uint16_t>(encode(x, kBfloat16, Overflow::kNonFinite));
}

float bfloat16_to_float(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

uint8_t float_to_float8(float x, DType dtype, Overflow overflow) {
  if (dtype == DType::kFloat8E8M0) return encode_e8m0(x, overflow);
  return static_cast<uint8_t>(encode(x, format_of(dtype), overflow));
}

float float8_to_float(uint8_t bits, DType dtype) {
  if (dtype == DType::kFloat8E8M0) {
    if (bits == 0xFF) return std::numeric_limits<float>::quiet_NaN();
    return std::ldexp(1.0F, static_cast<int>(bits) - 127);
  }
  return decode(bits, format_of(dtype));
}

}  // namespace octet::numerics
