#include "compiler/numerics/affine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "compiler/numerics/quantize.h"

namespace octet::numerics {
namespace {

constexpr float kMax = std::numeric_limits<float>::max();
constexpr float kMinNormal = std::numeric_limits<float>::min();

struct Type {
  int32_t qmin;
  int32_t qmax;
};
constexpr Type kTypes[] = {{-128, 127}, {-127, 127}, {0, 255}, {0, 127}, {-8, 7}, {0, 15}};

void check(float min, float max, Type type, Symmetry symmetry) {
  const ScaleZeroPoint p = choose_scale(min, max, type.qmin, type.qmax, symmetry);
  ASSERT_TRUE(std::isfinite(p.scale)) << min << ' ' << max;
  ASSERT_GE(p.scale, kMinNormal) << min << ' ' << max;
  ASSERT_GE(p.zero_point, type.qmin);
  ASSERT_LE(p.zero_point, type.qmax);
  ASSERT_EQ(fake_quantize(0.0F, p.scale, p.zero_point, type.qmin, type.qmax), 0.0F);
  if (p.scale > 1e30F || p.scale == 1.0F) return;
  // No value of the range is further than a step from its image.
  for (const float x : {min, max, 0.5F * min + 0.5F * max}) {
    if (symmetry == Symmetry::kSymmetric && type.qmin == 0 && type.qmax != 255) continue;
    const float image = fake_quantize(x, p.scale, p.zero_point, type.qmin, type.qmax);
    ASSERT_LE(std::fabs(image - x), p.scale * 1.001F) << x << " in " << min << ' ' << max;
  }
}

TEST(ChooseScale, GivesAFiniteNormalScaleAndAnExactZeroForAnyRange) {
  std::mt19937 random(1);
  std::uniform_int_distribution<uint32_t> bits;
  for (int i = 0; i < 200000; ++i) {
    float a = 0;
    float b = 0;
    const uint32_t a_bits = bits(random);
    const uint32_t b_bits = bits(random);
    std::memcpy(&a, &a_bits, 4);
    std::memcpy(&b, &b_bits, 4);
    if (!std::isfinite(a) || !std::isfinite(b)) continue;
    const Type type = kTypes[i % 6];
    check(std::min(a, b), std::max(a, b), type, Symmetry::kAsymmetric);
    check(std::min(a, b), std::max(a, b), type, Symmetry::kSymmetric);
  }
}

TEST(ChooseScale, WidensTheRangeToContainZero) {
  const ScaleZeroPoint positive = choose_scale(2.0F, 5.1F, 0, 255, Symmetry::kAsymmetric);
  EXPECT_EQ(positive.scale, 5.1F / 255.0F);
  EXPECT_EQ(positive.zero_point, 0);
  const ScaleZeroPoint negative = choose_scale(-5.1F, -2.0F, 0, 255, Symmetry::kAsymmetric);
  EXPECT_EQ(negative.scale, 5.1F / 255.0F);
  EXPECT_EQ(negative.zero_point, 255);
}

TEST(ChooseScale, RoundsTheZeroPointHalfToEven) {
  // -min / scale = 0.5 and 1.5 with scale 1.
  EXPECT_EQ(choose_scale(-0.5F, 254.5F, 0, 255, Symmetry::kAsymmetric).zero_point, 0);
  EXPECT_EQ(choose_scale(-1.5F, 253.5F, 0, 255, Symmetry::kAsymmetric).zero_point, 2);
  EXPECT_EQ(choose_scale(-1.5F, 253.5F, -128, 127, Symmetry::kAsymmetric).zero_point, -126);
}

TEST(ChooseScale, GivesTheGreatestMagnitudeOver127ForSymmetricInt8) {
  for (const Type type : {Type{-128, 127}, Type{-127, 127}}) {
    const ScaleZeroPoint p = choose_scale(-3.0F, 2.0F, type.qmin, type.qmax, Symmetry::kSymmetric);
    EXPECT_EQ(p.scale, 3.0F / 127.0F);
    EXPECT_EQ(p.zero_point, 0);
    EXPECT_EQ(choose_scale(0.5F, 2.0F, type.qmin, type.qmax, Symmetry::kSymmetric).scale,
              2.0F / 127.0F);
  }
  const ScaleZeroPoint u8 = choose_scale(-3.0F, 2.0F, 0, 255, Symmetry::kSymmetric);
  EXPECT_EQ(u8.scale, 3.0F / 127.0F);
  EXPECT_EQ(u8.zero_point, 128);
  EXPECT_EQ(choose_scale(-3.0F, 2.0F, 0, 15, Symmetry::kSymmetric).zero_point, 8);
  EXPECT_EQ(choose_scale(-3.5F, 2.0F, -8, 7, Symmetry::kSymmetric).scale, 0.5F);
}

TEST(ChooseScale, GivesScaleOneForAnAllZeroOrDenormalRange) {
  for (const float tiny : {0.0F, 0x1p-149F, 0x1p-127F}) {
    const ScaleZeroPoint asymmetric = choose_scale(-tiny, tiny, 0, 255, Symmetry::kAsymmetric);
    EXPECT_EQ(asymmetric.scale, 1.0F);
    EXPECT_EQ(asymmetric.zero_point, 0);
    const ScaleZeroPoint symmetric = choose_scale(-tiny, tiny, -127, 127, Symmetry::kSymmetric);
    EXPECT_EQ(symmetric.scale, 1.0F);
    EXPECT_EQ(symmetric.zero_point, 0);
  }
  EXPECT_EQ(choose_scale(0, 0, -128, 127, Symmetry::kAsymmetric).zero_point, -128);
}

TEST(ChooseScale, DoesNotOverflowOnTheWholeRangeOfFloat) {
  const ScaleZeroPoint p = choose_scale(-kMax, kMax, -128, 127, Symmetry::kAsymmetric);
  EXPECT_TRUE(std::isfinite(p.scale));
  EXPECT_FLOAT_EQ(p.scale, static_cast<float>(2.0 * static_cast<double>(kMax) / 255.0));
  EXPECT_TRUE(std::isfinite(choose_scale(-kMax, kMax, 0, 1, Symmetry::kAsymmetric).scale));
  EXPECT_TRUE(std::isfinite(choose_scale(-kMax, kMax, -1, 1, Symmetry::kSymmetric).scale));
}

}  // namespace
}  // namespace octet::numerics
