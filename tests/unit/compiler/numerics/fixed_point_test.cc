// Fixed-point requantization against the definitions its libraries publish, written another way:
// wide integers and division that truncates.
#include "compiler/numerics/fixed_point.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace octet::numerics {
namespace {

constexpr int32_t kMin = std::numeric_limits<int32_t>::min();
constexpr int32_t kMax = std::numeric_limits<int32_t>::max();

// gemmlowp: (ab + nudge) / 2^31 with a nudge of 2^30 or 1 - 2^30, truncated.
int32_t doubling_high(int32_t a, int32_t b) {
  if (a == kMin && b == kMin) return kMax;
  const int64_t product = int64_t{a} * b;
  const int64_t nudge = product >= 0 ? (int64_t{1} << 30) : 1 - (int64_t{1} << 30);
  return static_cast<int32_t>((product + nudge) / (int64_t{1} << 31));
}

// SQRDMULH of the ARM instruction set: (2ab + 2^31) >> 32, saturated.
int32_t sqrdmulh(int32_t a, int32_t b) {
  const __int128 doubled = 2 * static_cast<__int128>(a) * b;
  const auto high = static_cast<int64_t>((doubled + (int64_t{1} << 31)) >> 32);
  return high > kMax ? kMax : static_cast<int32_t>(high);
}

// x / 2^exponent to the nearest integer, ties away from zero.
int32_t nearest_quotient(int32_t x, int32_t exponent) {
  const int64_t divisor = int64_t{1} << exponent;
  const int64_t magnitude = (2 * std::abs(int64_t{x}) + divisor) / (2 * divisor);
  return static_cast<int32_t>(x < 0 ? -magnitude : magnitude);
}

std::vector<int32_t> interesting(std::mt19937& random) {
  std::vector<int32_t> out = {0, 1, -1, kMin, kMin + 1, kMax, 1 << 30, -(1 << 30), 3 << 29};
  for (int i = 0; i < 600; ++i) {
    const auto x = static_cast<int32_t>(random());
    out.push_back(x);
    out.push_back(x >> (random() % 31));
    out.push_back(x & ~((1 << (random() % 31)) - 1));  // ends in zeros: ties
  }
  return out;
}

TEST(FixedPoint, DoublingHighIsThatOfGemmlowpAndOfTheInstruction) {
  std::mt19937 random(1);
  const std::vector<int32_t> numbers = interesting(random);
  for (const int32_t a : numbers) {
    for (const int32_t b : numbers) {
      ASSERT_EQ(rounding_doubling_high(a, b), doubling_high(a, b)) << a << " " << b;
      ASSERT_EQ(rounding_doubling_high(a, b), sqrdmulh(a, b)) << a << " " << b;
    }
  }
}

TEST(FixedPoint, DoublingHighRoundsTiesUp) {
  EXPECT_EQ(rounding_doubling_high(1, 1 << 30), 1);    // 0.5
  EXPECT_EQ(rounding_doubling_high(-1, 1 << 30), 0);   // -0.5
  EXPECT_EQ(rounding_doubling_high(-3, 1 << 30), -1);  // -1.5
}

TEST(FixedPoint, ShiftRoundsTiesAwayFromZero) {
  for (int32_t exponent = 0; exponent <= 31; ++exponent) {
    for (int32_t x = -70000; x <= 70000; ++x) {
      ASSERT_EQ(rounding_shift_right(x, exponent), nearest_quotient(x, exponent))
          << x << " " << exponent;
    }
    for (const int32_t x : {kMin, kMin + 1, kMax, kMax - 1}) {
      ASSERT_EQ(rounding_shift_right(x, exponent), nearest_quotient(x, exponent))
          << x << " " << exponent;
    }
  }
}

TEST(FixedPoint, MultiplierIsNormalized) {
  for (const double factor : {1.0, 0.75, 0.5, 1e-3, 0.1234567890123, 3.7, 1000.25, 0x1p-32}) {
    const FixedPointMultiplier multiplier(factor);
    EXPECT_GE(multiplier.mantissa(), 1 << 30) << factor;
    EXPECT_NEAR(std::ldexp(multiplier.mantissa(), multiplier.exponent() - 31), factor,
                factor * 0x1p-31);
  }
  // 1 - 2^-40 rounds up to 1, which needs the next exponent.
  EXPECT_EQ(FixedPointMultiplier(1.0 - 0x1p-40).mantissa(), 1 << 30);
  EXPECT_EQ(FixedPointMultiplier(1.0 - 0x1p-40).exponent(), 1);
}

TEST(FixedPoint, MultiplierOfWhatCannotBeHeld) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double factor : {0.0, 0x1p-33, std::nan("")}) {
    EXPECT_EQ(FixedPointMultiplier(factor)(kMax), 0) << factor;
  }
  for (const double factor : {0x1p30, 1e30, kInfinity}) {
    EXPECT_EQ(FixedPointMultiplier(factor)(3), kMax - 1) << factor;  // the mantissa is not 1
    EXPECT_EQ(FixedPointMultiplier(factor)(0), 0) << factor;
  }
  EXPECT_EQ(FixedPointMultiplier(-kInfinity)(3), 1 - kMax);
  EXPECT_EQ(FixedPointMultiplier(-0.5)(10), -5);
}

// MultiplyByQuantizedMultiplier of TensorFlow Lite, two roundings, in exact integers.
TEST(FixedPoint, MultiplierRoundsTwice) {
  std::mt19937 random(2);
  std::uniform_real_distribution<double> exponents(-30.0, 6.0);
  for (int i = 0; i < 200000; ++i) {
    const FixedPointMultiplier multiplier(std::exp2(exponents(random)));
    const auto x = static_cast<int32_t>(random()) >> (8 + random() % 20);
    const int32_t e = multiplier.exponent();
    const int64_t shifted = int64_t{x} * (int64_t{1} << std::max(e, 0));
    const auto high = doubling_high(static_cast<int32_t>(shifted), multiplier.mantissa());
    ASSERT_EQ(multiplier(x), nearest_quotient(high, std::max(-e, 0))) << x;
  }
}

// 3 * 0.1666... is 0.5 less a little; the first rounding makes a tie of it, the second goes up.
TEST(FixedPoint, TwoRoundingsDifferFromOne) {
  const FixedPointMultiplier sixth(0.49999999 / 4096.0);
  EXPECT_EQ(sixth(4096), 1);
  EXPECT_LT(4096 * (0.49999999 / 4096.0), 0.5);
}

TEST(FixedPoint, RequantizeAddsTheZeroPointAndSaturates) {
  const FixedPointMultiplier half(0.5);
  EXPECT_EQ(requantize(5, half, {10, 0, 255}), 13);  // 2.5 goes away from zero
  EXPECT_EQ(requantize(-5, half, {10, 0, 255}), 8);  // the multiplication's own tie goes up
  EXPECT_EQ(requantize(-1000, half, {10, 0, 255}), 0);
  EXPECT_EQ(requantize(1000, half, {10, 0, 255}), 255);
  EXPECT_EQ(requantize(kMax, FixedPointMultiplier(1e9), {10, -128, 127}), 127);
  EXPECT_EQ(requantize(kMin, FixedPointMultiplier(1e9), {-10, -128, 127}), -128);
}

TEST(FixedPoint, StageIsRowsOfRequantize) {
  std::mt19937 random(3);
  std::vector<FixedPointMultiplier> multipliers;
  std::vector<int32_t> bias;
  for (int c = 0; c < 7; ++c) {
    multipliers.emplace_back(0.001 * (c + 1));
    bias.push_back(c * 1000 - 3000);
  }
  std::vector<int32_t> sums(7 * 30);
  for (int32_t& s : sums) s = static_cast<int32_t>(random() % 200001) - 100000;
  sums[3] = kMax;  // wraps around with its bias
  const QuantizedRange range{7, 0, 255};
  std::vector<uint8_t> out(sums.size());
  FixedPointStage(multipliers, bias).requantize(sums, range, out);
  for (size_t i = 0; i < sums.size(); ++i) {
    const auto sum =
        static_cast<int32_t>(static_cast<uint32_t>(sums[i]) + static_cast<uint32_t>(bias[i % 7]));
    ASSERT_EQ(out[i], requantize(sum, multipliers[i % 7], range)) << i;
  }
}

// Every pair of bytes: within one step of the real sum, and exact where scales are powers of two.
TEST(FixedPoint, AddIsCloseAndExactForDyadicScales) {
  const QuantizedRange range{7, 0, 255};
  const FixedPointAdd close(0.017F, 3, 0.031F, 130, 0.043F, range);
  const FixedPointAdd exact(0.0625F, 3, 0.03125F, 130, 0.25F, range);
  for (int32_t a = 0; a < 256; ++a) {
    for (int32_t b = 0; b < 256; ++b) {
      const double real = ((a - 3) * 0.017 + (b - 130) * 0.031) / 0.043 + 7;
      const double clamped = std::min(std::max(real, 0.0), 255.0);
      ASSERT_NEAR(close(a, b), clamped, 0.501) << a << " " << b;
      const double steps = ((a - 3) * 0.25 + (b - 130) * 0.125) + 7;
      const double bounded = std::min(std::max(steps, 0.0), 255.0);
      ASSERT_LE(std::abs(exact(a, b) - bounded), 0.5) << a << " " << b;
    }
  }
}

// Halves of a step everywhere: they go away from zero, whatever the zero point.
TEST(Neon, AddRoundsHalfAwayFromZeroBeforeTheZeroPoint) {
  for (const int32_t y_zero : {6, 7}) {
    const QuantizedRange range{y_zero, 0, 255};
    const NeonAdd add(0.25F, 100, 0.25F, 30, 0.5F, range);
    for (int32_t a = 0; a < 256; ++a) {
      for (int32_t b = 0; b < 256; ++b) {
        const double steps = std::round((a - 100 + b - 30) * 0.5) + y_zero;
        ASSERT_EQ(add(a, b), std::min(std::max(steps, 0.0), 255.0)) << a << " " << b;
      }
    }
  }
}

TEST(Neon, AddIsCloseForAnyScales) {
  const QuantizedRange range{-7, -128, 127};
  const NeonAdd add(0.0171F, 3, 0.0313F, -30, 0.043F, range);
  const NeonAdd tiny(0.0171F, 3, 1e-9F, -30, 0.043F, range);  // outside of what NEON takes
  for (int32_t a = -128; a < 128; ++a) {
    for (int32_t b = -128; b < 128; ++b) {
      const double real = ((a - 3) * 0.0171 + (b + 30) * 0.0313) / 0.043 - 7;
      ASSERT_NEAR(add(a, b), std::min(std::max(real, -128.0), 127.0), 0.5001);
      ASSERT_NEAR(tiny(a, b), std::min(std::max((a - 3) * 0.0171 / 0.043 - 7, -128.0), 127.0),
                  0.5001);
    }
  }
}

// An odd zero point moves ties to the other neighbour: it is inside the rounding.
TEST(Neon, MulRoundsOnce) {
  for (const int32_t y_zero : {0, 5}) {
    const NeonMul multiply(0.5F, 2, 0.5F, 4, 0.5F, {y_zero, 0, 255});
    for (int32_t a = 0; a < 256; ++a) {
      const double exact = (a - 2) * (9 - 4) * 0.5 + y_zero;
      const double nearest = std::nearbyint(exact);
      ASSERT_EQ(multiply(a, 9), std::min(std::max(nearest, 0.0), 255.0)) << a;
    }
  }
}

TEST(FixedPoint, MulIsClose) {
  const QuantizedRange range{-9, -128, 127};
  const FixedPointMul multiply(0.06F, -4, 0.05F, 11, 0.5F, range);
  for (int32_t a = -128; a < 128; ++a) {
    for (int32_t b = -128; b < 128; ++b) {
      const double real = (a + 4) * (b - 11) * (0.06 * 0.05 / 0.5) - 9;
      // The first rounding is to 1/128 of a step here.
      ASSERT_NEAR(multiply(a, b), std::min(std::max(real, -128.0), 127.0), 0.5 + 1.0 / 256);
    }
  }
}

}  // namespace
}  // namespace octet::numerics
