// Formulas of integer operators against exact arithmetic: dyadic scales make every product exact in
// float64, ties included.
#include "compiler/numerics/integer_arithmetic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "compiler/numerics/quantize.h"

namespace octet::numerics {
namespace {

constexpr QuantizedRange kUnsigned{0, 0, 255};
constexpr QuantizedRange kSigned{0, -128, 127};

// The nearest integer, ties to even, in exact arithmetic.
int32_t nearest(double x, const QuantizedRange& range) {
  const double below = std::floor(x);
  const double rest = x - below;
  double out = below;
  if (rest > 0.5 || (rest == 0.5 && std::fmod(below, 2.0) != 0.0)) out = below + 1.0;
  return static_cast<int32_t>(
      std::min(std::max(out, static_cast<double>(range.qmin)), static_cast<double>(range.qmax)));
}

TEST(IntegerArithmetic, RoundsHalfToEvenAndSaturates) {
  for (const auto& range : {kUnsigned, kSigned}) {
    for (int32_t i = -1200; i <= 1200; ++i) {
      const float x = static_cast<float>(i) * 0.25F;
      EXPECT_EQ(round_saturated(x, range), nearest(static_cast<double>(x), range)) << x;
    }
    EXPECT_EQ(round_saturated(std::numeric_limits<float>::infinity(), range), range.qmax);
    EXPECT_EQ(round_saturated(-std::numeric_limits<float>::infinity(), range), range.qmin);
    EXPECT_EQ(round_saturated(std::numeric_limits<float>::quiet_NaN(), {5, 0, 255}), 5);
  }
}

// The zero point is inside the rounding: an odd one moves ties to the other neighbour.
TEST(IntegerArithmetic, AddIsExactForDyadicScales) {
  for (const int32_t y_zero : {0, 7, 128}) {
    const QuantizedAdd add(0.0625F, 3, 0.03125F, 130, 0.125F, y_zero);
    for (int32_t a = 0; a < 256; ++a) {
      for (int32_t b = 0; b < 256; ++b) {
        const double exact = (a - 3) * 0.5 + (b - 130) * 0.25 + y_zero;
        ASSERT_EQ(round_saturated(add(a, b), kUnsigned), nearest(exact, kUnsigned))
            << a << " " << b;
      }
    }
  }
}

// 23.5 and a little: sums rounded after each step fall on the other side.
TEST(IntegerArithmetic, AddRoundsProductAndSumOnce) {
  const QuantizedAdd add(0.07885762F, 136, 0.08475851F, 121, 0.06303392F, 114);
  EXPECT_EQ(round_saturated(add(126, 63), kUnsigned), 24);
}

TEST(IntegerArithmetic, MulIsExactForDyadicScales) {
  for (const int32_t y_zero : {0, -9}) {
    const QuantizedMul multiply(0.0625F, -4, 0.25F, 11, 0.5F, y_zero);
    for (int32_t a = -128; a < 128; ++a) {
      for (int32_t b = -128; b < 128; ++b) {
        const double exact = (a + 4) * (b - 11) * 0.03125 + y_zero;
        ASSERT_EQ(round_saturated(multiply(a, b), kSigned), nearest(exact, kSigned))
            << a << " " << b;
      }
    }
  }
}

// Rows against one number at a time; the widths leave rests of every vector length.
TEST(IntegerArithmetic, RowsAreLikeSingleNumbers) {
  std::mt19937 random(3);
  for (const size_t channels : {1U, 3U, 8U, 16U, 37U, 130U}) {
    std::vector<float> multipliers;
    std::vector<int32_t> bias;
    for (size_t c = 0; c < channels; ++c) {
      multipliers.push_back(0x1p-10F * static_cast<float>(1 + random() % 64));
      bias.push_back(static_cast<int32_t>(random() % 2001) - 1000);
    }
    std::vector<int32_t> sums(channels * 531);
    for (int32_t& s : sums) s = static_cast<int32_t>(random() % 20001) - 10000;
    sums[0] = std::numeric_limits<int32_t>::max();  // wraps around with a positive bias
    for (const auto& range : {QuantizedRange{7, 0, 255}, QuantizedRange{-3, -128, 127}}) {
      std::vector<uint8_t> out(sums.size());
      std::vector<float> real(sums.size());
      const OutputStage stage(multipliers, bias);
      stage.requantize(sums, range, out);
      stage.dequantize(sums, real);
      for (size_t i = 0; i < sums.size(); ++i) {
        const size_t c = i % channels;
        const auto sum =
            static_cast<int32_t>(static_cast<uint32_t>(sums[i]) + static_cast<uint32_t>(bias[c]));
        const int32_t expected =
            requantize(sum, multipliers[c], range.zero_point, range.qmin, range.qmax);
        ASSERT_EQ(out[i], static_cast<uint8_t>(expected)) << channels << " " << i;
        ASSERT_EQ(real[i], static_cast<float>(sum) * multipliers[c]);
      }
    }
  }
}

TEST(IntegerArithmetic, NoBiasIsABiasOfZero) {
  const std::vector<int32_t> sums = {100, -100};
  std::vector<uint8_t> out(2);
  OutputStage({0.5F, 0.5F}, {}).requantize(sums, {128, 0, 255}, out);
  EXPECT_EQ(out, (std::vector<uint8_t>{178, 78}));
}

}  // namespace
}  // namespace octet::numerics
