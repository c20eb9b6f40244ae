#include "compiler/numerics/quantize.h"

#include <gtest/gtest.h>

#include <cfenv>
#include <cmath>
#include <limits>
#include <vector>

namespace octet::numerics {
namespace {

// A finite float as significand * 2^exponent.
struct Dyadic {
  int64_t significand = 0;
  int exponent = 0;
};

Dyadic dyadic(float x) {
  Dyadic out;
  const float fraction = std::frexp(x, &out.exponent);
  out.significand = static_cast<int64_t>(std::ldexp(fraction, 24));
  out.exponent -= 24;
  return out;
}

// numerator / denominator rounded half to even; denominator > 0.
__int128 divide_half_even(__int128 numerator, __int128 denominator) {
  const bool negative = numerator < 0;
  if (negative) numerator = -numerator;
  __int128 quotient = numerator / denominator;
  const __int128 twice_rest = 2 * (numerator % denominator);
  if (twice_rest > denominator || (twice_rest == denominator && quotient % 2 != 0)) ++quotient;
  return negative ? -quotient : quotient;
}

// round_half_even(float32(x / scale)) in integers only: the quotient to 24 bits, then to a whole
// number. For |x / scale| below 2^20 and above 2^-20.
int64_t rounded_quotient(float x, float scale) {
  if (x == 0.0F) return 0;
  const Dyadic a = dyadic(x);
  const Dyadic b = dyadic(scale);
  int shift = 24;  // |a| / |b| is in (1/2, 2): one of the two shifts leaves 24 bits
  __int128 quotient =
      divide_half_even(static_cast<__int128>(a.significand) << shift, b.significand);
  if (quotient >= (1 << 24) || quotient <= -(1 << 24)) {
    shift = 23;
    quotient = divide_half_even(static_cast<__int128>(a.significand) << shift, b.significand);
  }
  const int exponent = a.exponent - b.exponent - shift;
  if (exponent >= 0) return static_cast<int64_t>(quotient << exponent);
  if (exponent < -60) return 0;
  return static_cast<int64_t>(divide_half_even(quotient, static_cast<__int128>(1) << -exponent));
}

struct Type {
  int32_t qmin;
  int32_t qmax;
};
constexpr Type kTypes[] = {{-128, 127}, {0, 255}, {-127, 127}, {-8, 7}, {0, 15}, {-2, 1}, {0, 3}};

// Around every integer and every half in reach, for every zero point of the type.
void check_all(float scale, Type type) {
  const int reach = type.qmax - type.qmin + 3;
  for (int halves = -2 * reach; halves <= 2 * reach; ++halves) {
    const auto middle = static_cast<float>(0.5 * halves * static_cast<double>(scale));
    for (const float x :
         {std::nextafter(middle, -INFINITY), middle, std::nextafter(middle, INFINITY)}) {
      const int64_t rounded = rounded_quotient(x, scale);
      for (int32_t zero = type.qmin; zero <= type.qmax; ++zero) {
        const int64_t wanted =
            std::min<int64_t>(std::max<int64_t>(rounded + zero, type.qmin), type.qmax);
        ASSERT_EQ(quantize(x, scale, zero, type.qmin, type.qmax), wanted)
            << x << " / " << scale << " + " << zero;
      }
    }
  }
}

TEST(Quantize, FollowsTheFormulaAroundEveryTieForEveryZeroPoint) {
  for (const Type type : kTypes) {
    for (const float scale : {1.0F, 0.1F, 1.0F / 255.0F, 2.0F / 127.0F, 3e-5F, 1234.5F, 0x1p-20F}) {
      check_all(scale, type);
    }
  }
}

TEST(Quantize, BreaksExactTiesToTheEvenQuotientBeforeTheZeroPoint) {
  for (const Type type : kTypes) {
    for (const float scale : {1.0F, 0.5F, 0x1p-7F, 0x1p-100F, 0x1p+60F}) {
      for (int32_t zero = type.qmin; zero <= type.qmax; ++zero) {
        for (int32_t k = type.qmin - type.qmax - 2; k <= type.qmax - type.qmin + 2; ++k) {
          const float x = std::ldexp(static_cast<float>(2 * k + 1), std::ilogb(scale) - 1);
          const int32_t even = k % 2 == 0 ? k : k + 1;
          const int32_t wanted = std::min(std::max(even + zero, type.qmin), type.qmax);
          ASSERT_EQ(quantize(x, scale, zero, type.qmin, type.qmax), wanted);
        }
      }
    }
  }
}

TEST(Quantize, SaturatesAtBothEnds) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kMax = std::numeric_limits<float>::max();
  for (const Type type : kTypes) {
    for (int32_t zero = type.qmin; zero <= type.qmax; ++zero) {
      for (const float big : {kInf, kMax, 1e10F, 3e9F}) {
        EXPECT_EQ(quantize(big, 0.25F, zero, type.qmin, type.qmax), type.qmax);
        EXPECT_EQ(quantize(-big, 0.25F, zero, type.qmin, type.qmax), type.qmin);
      }
    }
  }
  EXPECT_EQ(quantize(kMax, 1e-30F, 0, INT32_MIN, INT32_MAX), INT32_MAX);
  EXPECT_EQ(quantize(-kMax, 1e-30F, 0, INT32_MIN, INT32_MAX), INT32_MIN);
  EXPECT_EQ(quantize(16777217.0F * 64, 1.0F, 0, INT32_MIN, INT32_MAX), 1073741824);
}

TEST(Quantize, SendsNanToTheZeroPointAndSurvivesDegenerateScales) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(quantize(nan, 0.1F, 7, -128, 127), 7);
  EXPECT_EQ(quantize(0.0F, 0.0F, 7, -128, 127), 7);
  EXPECT_EQ(quantize(1.0F, 0.0F, 7, -128, 127), 127);
  EXPECT_EQ(quantize(1.0F, nan, -3, -128, 127), -3);
}

TEST(Quantize, SpanFormsGiveTheResultsOfTheScalarForm) {
  std::vector<float> x;
  for (int i = -3000; i <= 3000; ++i) x.push_back(static_cast<float>(i) * 0.05F);
  for (int i = -40; i <= 40; ++i) x.push_back(std::ldexp(i % 2 == 0 ? 1.0F : -1.0F, 3 * i));
  for (const float special : {INFINITY, -INFINITY, NAN, -0.0F, 0.0F, 0x1p-149F, 3e38F, -3e38F}) {
    x.push_back(special);
  }
  std::vector<int8_t> s(x.size());
  std::vector<uint8_t> u(x.size());
  std::vector<float> back(x.size());
  for (const float scale : {0.1F, 0.5F, 1.0F / 255.0F, 0x1p-126F, 1e30F}) {
    for (int32_t zero = 0; zero < 256; zero += 5) {
      quantize(x, scale, zero - 128, s);
      quantize(x, scale, zero, u);
      for (size_t i = 0; i < x.size(); ++i) {
        ASSERT_EQ(s[i], quantize(x[i], scale, zero - 128, -128, 127)) << x[i] << " / " << scale;
        ASSERT_EQ(u[i], quantize(x[i], scale, zero, 0, 255)) << x[i] << " / " << scale;
      }
      dequantize(s, scale, zero - 128, back);
      for (size_t i = 0; i < x.size(); ++i) {
        ASSERT_EQ(back[i], dequantize(s[i], scale, zero - 128));
      }
      dequantize(u, scale, zero, back);
      for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(back[i], dequantize(u[i], scale, zero));
    }
  }
}

TEST(Dequantize, DoesNotOverflowOnTheWidestIntegers) {
  EXPECT_EQ(dequantize(INT32_MIN, 1.0F, 1), -0x1p31F);
  EXPECT_EQ(dequantize(INT32_MAX, 1.0F, INT32_MIN), 0x1p32F);
}

TEST(FakeQuantize, IsIdempotentForScalesOfAModel) {
  for (const float scale : {0.1F, 0.013F, 2.0F / 255.0F}) {
    for (float x = -4.0F; x < 4.0F; x += 0.0137F) {
      const float once = fake_quantize(x, scale, 3, -128, 127);
      EXPECT_EQ(fake_quantize(once, scale, 3, -128, 127), once);
    }
  }
}

TEST(RoundHalfEven, RoundsEveryHalfToTheEvenNeighbour) {
  for (int k = -5000; k <= 5000; ++k) {
    const float even = static_cast<float>(k % 2 == 0 ? k : k + 1);
    EXPECT_EQ(round_half_even(static_cast<float>(k) + 0.5F), even);
    EXPECT_EQ(round_half_even(static_cast<double>(k) + 0.5), static_cast<double>(even));
    EXPECT_EQ(round_half_even(static_cast<float>(k)), static_cast<float>(k));
  }
  EXPECT_EQ(round_half_even(0x1.fffffep-2F), 0.0F);
  EXPECT_EQ(round_half_even(8388607.5F), 8388608.0F);
  EXPECT_EQ(round_half_even(4503599627370495.5), 4503599627370496.0);
  EXPECT_EQ(round_half_even(1e30F), 1e30F);
  EXPECT_TRUE(std::signbit(round_half_even(-0.25F)));
  EXPECT_TRUE(std::signbit(round_half_even(-0.0)));
  EXPECT_TRUE(std::isnan(round_half_even(std::nanf(""))));
  EXPECT_EQ(round_half_even(-std::numeric_limits<double>::infinity()),
            -std::numeric_limits<double>::infinity());
}

TEST(RoundHalfEven, DoesNotDependOnTheRoundingMode) {
  const int before = std::fegetround();
  for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    std::fesetround(mode);
    const float a = round_half_even(2.5F);
    const float b = round_half_even(-2.75F);
    const double c = round_half_even(1.25);
    std::fesetround(before);
    EXPECT_EQ(a, 2.0F);
    EXPECT_EQ(b, -3.0F);
    EXPECT_EQ(c, 1.0);
  }
}

TEST(Requantize, MultipliesInFloatAndRoundsHalfToEven) {
  EXPECT_EQ(requantize(5, 0.5F, 10, 0, 255), 12);
  EXPECT_EQ(requantize(7, 0.5F, 10, 0, 255), 14);
  EXPECT_EQ(requantize(-5, 0.5F, 10, 0, 255), 8);
  EXPECT_EQ(requantize(INT32_MAX, 1.0F, 0, -128, 127), 127);
  EXPECT_EQ(requantize(INT32_MIN, 1.0F, 5, -128, 127), -128);
  // 2^24 + 1 is not a float: the conversion of the accumulator rounds first.
  EXPECT_EQ(requantize(16777217, 0x1p-24F, 0, -128, 127), 1);
  EXPECT_EQ(requantize(8388609 * 2 + 1, 0x1p-17F, 0, -128, 127), 127);
}

TEST(CastToInteger, TruncatesSaturatesAndSendsNanToZero) {
  EXPECT_EQ(cast_to_integer(2.9, DType::kInt32), 2);
  EXPECT_EQ(cast_to_integer(-2.9, DType::kInt32), -2);
  EXPECT_EQ(cast_to_integer(-2.9, DType::kUint8), 0);
  EXPECT_EQ(cast_to_integer(300.0, DType::kUint8), 255);
  EXPECT_EQ(cast_to_integer(-9.0, DType::kInt4), -8);
  EXPECT_EQ(cast_to_integer(9.0, DType::kInt4), 7);
  EXPECT_EQ(cast_to_integer(1e30, DType::kInt64), INT64_MAX);
  EXPECT_EQ(cast_to_integer(-1e30, DType::kInt64), INT64_MIN);
  EXPECT_EQ(cast_to_integer(0x1p63, DType::kInt64), INT64_MAX);
  EXPECT_EQ(cast_to_integer(-0x1p63, DType::kInt64), INT64_MIN);
  EXPECT_EQ(static_cast<uint64_t>(cast_to_integer(0x1p63, DType::kUint64)), uint64_t{1} << 63);
  EXPECT_EQ(static_cast<uint64_t>(cast_to_integer(1e30, DType::kUint64)), UINT64_MAX);
  EXPECT_EQ(cast_to_integer(-1.0, DType::kUint64), 0);
  EXPECT_EQ(cast_to_integer(0.25, DType::kBool), 1);
  EXPECT_EQ(cast_to_integer(0.0, DType::kBool), 0);
  for (const DType dtype : {DType::kInt8, DType::kUint32, DType::kInt64, DType::kUint64}) {
    EXPECT_EQ(cast_to_integer(std::nan(""), dtype), 0);
    EXPECT_GE(cast_to_integer(INFINITY, DType::kUint32), 0);
  }
}

}  // namespace
}  // namespace octet::numerics
