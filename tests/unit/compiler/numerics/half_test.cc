#include "compiler/numerics/half.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace octet::numerics {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// Values of the codes 0 to 127 in units of the least subnormal, as ml_dtypes 0.5 decodes
// float8_e4m3fnuz and float8_e5m2fnuz. The formats without "uz" have the same values in their
// units up to the codes of NaN and infinity.
constexpr std::array<int64_t, 128> kE4M3Magnitudes = {
    0,      1,      2,      3,      4,      5,      6,      7,     8,     9,      10,     11,
    12,     13,     14,     15,     16,     18,     20,     22,    24,    26,     28,     30,
    32,     36,     40,     44,     48,     52,     56,     60,    64,    72,     80,     88,
    96,     104,    112,    120,    128,    144,    160,    176,   192,   208,    224,    240,
    256,    288,    320,    352,    384,    416,    448,    480,   512,   576,    640,    704,
    768,    832,    896,    960,    1024,   1152,   1280,   1408,  1536,  1664,   1792,   1920,
    2048,   2304,   2560,   2816,   3072,   3328,   3584,   3840,  4096,  4608,   5120,   5632,
    6144,   6656,   7168,   7680,   8192,   9216,   10240,  11264, 12288, 13312,  14336,  15360,
    16384,  18432,  20480,  22528,  24576,  26624,  28672,  30720, 32768, 36864,  40960,  45056,
    49152,  53248,  57344,  61440,  65536,  73728,  81920,  90112, 98304, 106496, 114688, 122880,
    131072, 147456, 163840, 180224, 196608, 212992, 229376, 245760};

constexpr std::array<int64_t, 128> kE5M2Magnitudes = {
    0,          1,          2,          3,          4,          5,          6,          7,
    8,          10,         12,         14,         16,         20,         24,         28,
    32,         40,         48,         56,         64,         80,         96,         112,
    128,        160,        192,        224,        256,        320,        384,        448,
    512,        640,        768,        896,        1024,       1280,       1536,       1792,
    2048,       2560,       3072,       3584,       4096,       5120,       6144,       7168,
    8192,       10240,      12288,      14336,      16384,      20480,      24576,      28672,
    32768,      40960,      49152,      57344,      65536,      81920,      98304,      114688,
    131072,     163840,     196608,     229376,     262144,     327680,     393216,     458752,
    524288,     655360,     786432,     917504,     1048576,    1310720,    1572864,    1835008,
    2097152,    2621440,    3145728,    3670016,    4194304,    5242880,    6291456,    7340032,
    8388608,    10485760,   12582912,   14680064,   16777216,   20971520,   25165824,   29360128,
    33554432,   41943040,   50331648,   58720256,   67108864,   83886080,   100663296,  117440512,
    134217728,  167772160,  201326592,  234881024,  268435456,  335544320,  402653184,  469762048,
    536870912,  671088640,  805306368,  939524096,  1073741824, 1342177280, 1610612736, 1879048192,
    2147483648, 2684354560, 3221225472, 3758096384, 4294967296, 5368709120, 6442450944, 7516192768};

struct Float8 {
  DType dtype;
  const std::array<int64_t, 128>& magnitudes;
  int unit_exponent;
  int max_code;
  bool unsigned_zero;
};

const Float8 kFormats[] = {
    {DType::kFloat8E4M3FN, kE4M3Magnitudes, -9, 0x7E, false},
    {DType::kFloat8E4M3FNUZ, kE4M3Magnitudes, -10, 0x7F, true},
    {DType::kFloat8E5M2, kE5M2Magnitudes, -16, 0x7B, false},
    {DType::kFloat8E5M2FNUZ, kE5M2Magnitudes, -17, 0x7F, true},
};

float magnitude(const Float8& format, int code) {
  return std::ldexp(static_cast<float>(format.magnitudes[static_cast<size_t>(code)]),
                    format.unit_exponent);
}

TEST(Float8, DecodesAndEncodesEveryFiniteCode) {
  for (const Float8& format : kFormats) {
    for (int code = 0; code <= format.max_code; ++code) {
      const float value = magnitude(format, code);
      const auto bits = static_cast<uint8_t>(code);
      EXPECT_EQ(float8_to_float(bits, format.dtype), value);
      EXPECT_EQ(float_to_float8(value, format.dtype, Overflow::kSaturate), bits);
      EXPECT_EQ(float_to_float8(value, format.dtype, Overflow::kNonFinite), bits);
      if (code == 0 && format.unsigned_zero) continue;
      const auto negative = static_cast<uint8_t>(code | 0x80);
      EXPECT_EQ(float8_to_float(negative, format.dtype), -value);
      EXPECT_EQ(std::signbit(float8_to_float(negative, format.dtype)), true);
      EXPECT_EQ(float_to_float8(-value, format.dtype, Overflow::kSaturate), negative);
    }
  }
}

TEST(Float8, DecodesTheCodesThatAreNotFinite) {
  EXPECT_TRUE(std::isnan(float8_to_float(0x7F, DType::kFloat8E4M3FN)));
  EXPECT_TRUE(std::isnan(float8_to_float(0xFF, DType::kFloat8E4M3FN)));
  EXPECT_TRUE(std::isnan(float8_to_float(0x80, DType::kFloat8E4M3FNUZ)));
  EXPECT_TRUE(std::isnan(float8_to_float(0x80, DType::kFloat8E5M2FNUZ)));
  EXPECT_EQ(float8_to_float(0x7C, DType::kFloat8E5M2), kInf);
  EXPECT_EQ(float8_to_float(0xFC, DType::kFloat8E5M2), -kInf);
  for (const uint8_t bits : {0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF}) {
    EXPECT_TRUE(std::isnan(float8_to_float(bits, DType::kFloat8E5M2)));
  }
}

TEST(Float8, RoundsEveryTieToTheEvenCode) {
  for (const Float8& format : kFormats) {
    for (int code = 0; code < format.max_code; ++code) {
      const float tie = 0.5F * (magnitude(format, code) + magnitude(format, code + 1));
      const int even = code % 2 == 0 ? code : code + 1;
      const auto encode = [&](float x) {
        return int{float_to_float8(x, format.dtype, Overflow::kSaturate)};
      };
      EXPECT_EQ(encode(tie), even);
      EXPECT_EQ(encode(std::nextafter(tie, 0.0F)), code);
      EXPECT_EQ(encode(std::nextafter(tie, kInf)), code + 1);
      const int minus = 0x80;
      EXPECT_EQ(encode(-tie), even == 0 && format.unsigned_zero ? 0 : even | minus);
    }
  }
}

// The tables of ONNX Cast, version 24.
TEST(Float8, HandlesSpecialValuesAsCastDoes) {
  struct Case {
    DType dtype;
    uint8_t max, infinity, minus_infinity, minus_zero;
  };
  for (const Case& c : {Case{DType::kFloat8E4M3FN, 0x7E, 0x7F, 0xFF, 0x80},
                        Case{DType::kFloat8E4M3FNUZ, 0x7F, 0x80, 0x80, 0x00},
                        Case{DType::kFloat8E5M2, 0x7B, 0x7C, 0xFC, 0x80},
                        Case{DType::kFloat8E5M2FNUZ, 0x7F, 0x80, 0x80, 0x00}}) {
    for (const float big : {kInf, 1e30F, std::numeric_limits<float>::max()}) {
      EXPECT_EQ(float_to_float8(big, c.dtype, Overflow::kSaturate), c.max);
      EXPECT_EQ(float_to_float8(-big, c.dtype, Overflow::kSaturate), c.max | 0x80);
      EXPECT_EQ(float_to_float8(big, c.dtype, Overflow::kNonFinite), c.infinity);
      EXPECT_EQ(float_to_float8(-big, c.dtype, Overflow::kNonFinite), c.minus_infinity);
    }
    EXPECT_EQ(float_to_float8(-0.0F, c.dtype, Overflow::kSaturate), c.minus_zero);
    const uint8_t nan = float_to_float8(std::nanf(""), c.dtype, Overflow::kSaturate);
    EXPECT_TRUE(std::isnan(float8_to_float(nan, c.dtype)));
  }
  // 464 is the tie between 448 and the 480 that the format does not have.
  EXPECT_EQ(float_to_float8(464.0F, DType::kFloat8E4M3FN, Overflow::kNonFinite), 0x7E);
  EXPECT_EQ(float_to_float8(465.0F, DType::kFloat8E4M3FN, Overflow::kNonFinite), 0x7F);
}

TEST(Float4, DecodesEncodesAndSaturates) {
  constexpr std::array<float, 8> kValues = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6};
  for (uint8_t code = 0; code < 8; ++code) {
    EXPECT_EQ(float8_to_float(code, DType::kFloat4E2M1), kValues[code]);
    EXPECT_EQ(float8_to_float(code | 8, DType::kFloat4E2M1), -kValues[code]);
    EXPECT_EQ(float_to_float8(-kValues[code], DType::kFloat4E2M1, Overflow::kSaturate), code | 8);
  }
  EXPECT_EQ(float_to_float8(0.25F, DType::kFloat4E2M1, Overflow::kSaturate), 0);
  EXPECT_EQ(float_to_float8(0.75F, DType::kFloat4E2M1, Overflow::kSaturate), 2);
  EXPECT_EQ(float_to_float8(5.0F, DType::kFloat4E2M1, Overflow::kSaturate), 6);
  EXPECT_EQ(float_to_float8(2.5F, DType::kFloat4E2M1, Overflow::kSaturate), 4);
  EXPECT_EQ(float_to_float8(-1e9F, DType::kFloat4E2M1, Overflow::kSaturate), 0xF);
  EXPECT_EQ(float_to_float8(kInf, DType::kFloat4E2M1, Overflow::kNonFinite), 0x7);
}

TEST(Float8E8M0, RoundTripsEveryPowerAndRoundsUp) {
  for (int code = 0; code < 255; ++code) {
    const float value = float8_to_float(static_cast<uint8_t>(code), DType::kFloat8E8M0);
    EXPECT_EQ(value, std::ldexp(1.0F, code - 127));
    EXPECT_EQ(float_to_float8(value, DType::kFloat8E8M0, Overflow::kSaturate), code);
    const float more = std::nextafter(value, kInf);
    EXPECT_EQ(float_to_float8(more, DType::kFloat8E8M0, Overflow::kSaturate),
              std::min(code + 1, 254));
  }
  EXPECT_TRUE(std::isnan(float8_to_float(0xFF, DType::kFloat8E8M0)));
  EXPECT_EQ(float_to_float8(kInf, DType::kFloat8E8M0, Overflow::kSaturate), 0xFE);
  EXPECT_EQ(float_to_float8(kInf, DType::kFloat8E8M0, Overflow::kNonFinite), 0xFF);
}

// The value of a 16-bit pattern from its fields, for finite patterns.
double value_of(uint16_t bits, int fraction_bits, int bias) {
  const int exponent = (bits & 0x7FFF) >> fraction_bits;
  const int fraction = bits & ((1 << fraction_bits) - 1);
  const int significand = exponent == 0 ? fraction : fraction | (1 << fraction_bits);
  const double magnitude = std::ldexp(significand, std::max(exponent, 1) - bias - fraction_bits);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST(Half, RoundTripsAllPatterns) {
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    const float value = half_to_float(bits);
    if ((bits & 0x7FFF) > 0x7C00) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_TRUE(std::isnan(half_to_float(float_to_half(value))));
      continue;
    }
    ASSERT_EQ(float_to_half(value), bits);
    if ((bits & 0x7FFF) == 0x7C00) {
      EXPECT_TRUE(std::isinf(value));
      continue;
    }
    ASSERT_EQ(value, value_of(bits, 10, 15));
  }
}

TEST(Half, RoundsEveryTieToTheEvenPattern) {
  for (uint16_t code = 0; code < 0x7C00; ++code) {
    // Beyond the last finite value lies, for rounding, 2^16.
    const double next = code == 0x7BFF ? 65536.0 : value_of(code + 1, 10, 15);
    const auto tie = static_cast<float>(0.5 * (value_of(code, 10, 15) + next));
    ASSERT_EQ(float_to_half(tie), code % 2 == 0 ? code : code + 1);
    ASSERT_EQ(float_to_half(std::nextafter(tie, 0.0F)), code);
    ASSERT_EQ(float_to_half(std::nextafter(tie, kInf)), code + 1);
    ASSERT_EQ(float_to_half(-tie), (code % 2 == 0 ? code : code + 1) | 0x8000);
  }
  EXPECT_EQ(float_to_half(1e30F), 0x7C00);
  EXPECT_EQ(float_to_half(-1e30F), 0xFC00);
  EXPECT_EQ(float_to_half(0x1p-149F), 0);
}

TEST(Bfloat16, RoundTripsAllPatterns) {
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    const float value = bfloat16_to_float(bits);
    if ((bits & 0x7FFF) > 0x7F80) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_TRUE(std::isnan(bfloat16_to_float(float_to_bfloat16(value))));
      continue;
    }
    ASSERT_EQ(float_to_bfloat16(value), bits);
  }
}

TEST(Bfloat16, RoundsEveryTieToTheEvenPattern) {
  for (uint32_t code = 0; code < 0x7F80; ++code) {
    const auto tie = std::bit_cast<float>(code << 16 | 0x8000U);
    ASSERT_EQ(float_to_bfloat16(tie), code % 2 == 0 ? code : code + 1);
    ASSERT_EQ(float_to_bfloat16(std::nextafter(tie, 0.0F)), code);
    ASSERT_EQ(float_to_bfloat16(std::nextafter(tie, kInf)), code + 1);
  }
  EXPECT_EQ(float_to_bfloat16(std::numeric_limits<float>::max()), 0x7F80);
}

}  // namespace
}  // namespace octet::numerics
