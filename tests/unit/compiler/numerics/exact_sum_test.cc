#include "compiler/numerics/exact_sum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace octet::numerics {
namespace {

template <typename T>
ExactSum sum_of(const std::vector<T>& terms) {
  ExactSum sum;
  for (const T x : terms) sum.add(x);
  return sum;
}

// Terms of the whole range of double, with their sums as Python's math.fsum gives them.
struct Reference {
  std::array<double, 6> terms;
  double sum;
};
const Reference kReferences[] = {
    {{-0x1.128b2f3a47e10p+125, -0x1.099950c2c0146p-685, -0x1.8d116ecd95a94p+706,
      -0x1.93bd04d2bcc16p-828, -0x1.4a23d58d69964p+554, 0x1.8d116ecd95a94p+706},
     -0x1.4a23d58d69964p+554},
    {{-0x1.1a61dbf29c77fp+119, -0x1.907a70c1e840bp+106, 0x1.c6f8770a0d7e6p+143,
      0x1.4cbd87a7f31c4p+4, 0x1.8673472fd7fe4p+105, 0x0.0p+0},
     0x1.c6f875efa5386p+143},
    {{-0x1.830e07ad61432p+768, 0x1.0a097c9ec8dc4p+0, 0x1.b1fee08b34a94p+3, -0x1.d70820e2febd0p+4,
      -0x1.0f88081765a84p+144, 0x0.0p+0},
     -0x1.830e07ad61432p+768},
    {{0x1.05c6af1e19cb0p-1, -0x1.7e62aa01e2f46p+110, -0x1.65dc9f4c82a8fp+108, 0x1.8ca81808e40eep-4,
      0x1.b4d66a2d4a1bep+155, 0x0.0p+0},
     0x1.b4d66a2d4a0d2p+155},
    {{-0x1.26bb7da76c30cp+488, -0x1.43435cc905939p+131, 0x1.9c1caaf21f77ap+126,
      -0x1.74e69a5cc8f97p+144, -0x1.7b4514544c19ap+1, 0x1.26bb7da76c30cp+488},
     -0x1.74f04d7084851p+144},
    {{-0x1.1c2442eae1b83p-4, -0x1.895fd7a33f323p+100, -0x1.9d33a00c0a122p+419, 0x1.7961fd83ee52dp+5,
      0x1.4fd58da2bf913p+2, 0x1.9d33a00c0a122p+419},
     -0x1.895fd7a33f323p+100},
    {{-0x1.842e7fc0bd334p+130, -0x1.c215a830e645cp-230, 0x1.84b5a80bbc013p+150,
      0x1.a2eddba723284p-386, -0x1.332dd330907f1p-2, -0x1.84b5a80bbc013p+150},
     -0x1.842e7fc0bd334p+130},
    {{0x1.425940463256ep-5, 0x1.f47aebdf2f3a0p+151, -0x1.785729664b6acp+423,
      -0x1.7abec53d1828ep+130, -0x1.e8e7278c6ee28p+105, 0x0.0p+0},
     -0x1.785729664b6acp+423},
    {{1e308, 1.0, -1e308, 0x1p-1074, 0.0, 0.0}, 1.0},
    {{1.0, 0x1p-53, 0.0, 0.0, 0.0, 0.0}, 1.0},
    {{1.0, 0x1p-53, 0x1p-1074, 0.0, 0.0, 0.0}, 0x1.0000000000001p+0},
    {{1.0, 0x1p-52, 0x1p-53, 0.0, 0.0, 0.0}, 0x1.0000000000002p+0},
    {{-1.0, -0x1p-53, 0.0, 0.0, 0.0, 0.0}, -1.0},
    {{0x1p-1074, 0x1p-1074, 0x1p-1074, 0.0, 0.0, 0.0}, 0x3p-1074},
};

TEST(ExactSum, RoundsTheExactSumOnce) {
  for (const Reference& reference : kReferences) {
    std::vector<double> terms(reference.terms.begin(), reference.terms.end());
    std::sort(terms.begin(), terms.end());
    do {
      ASSERT_EQ(sum_of(terms).value(), reference.sum);
    } while (std::next_permutation(terms.begin(), terms.end()));
  }
}

// Floats with exponents in [-40, 40] have an exact sum in 128 bits.
TEST(ExactSum, AgreesWithAnIntegerSumInAnyOrderAndSplit) {
  std::mt19937 random(5);
  std::uniform_real_distribution<float> fraction(0.5F, 1.0F);
  std::uniform_int_distribution<int> exponent(-40, 40);
  std::vector<float> terms;
  __int128 wanted = 0;  // in units of 2^-64
  for (int i = 0; i < 20000; ++i) {
    const float x = std::ldexp(fraction(random), exponent(random)) * (i % 2 == 0 ? 1.0F : -1.0F);
    terms.push_back(x);
    int e = 0;
    const auto m = static_cast<int64_t>(std::ldexp(std::frexp(x, &e), 24));
    wanted += static_cast<__int128>(m) << (e - 24 + 64);
  }
  const ExactSum whole = sum_of(terms);
  EXPECT_EQ(whole.value(), std::ldexp(static_cast<double>(wanted), -64));
  for (int round = 0; round < 5; ++round) {
    std::shuffle(terms.begin(), terms.end(), random);
    std::array<ExactSum, 3> parts;
    for (const float x : terms) parts[random() % 3].add(x);
    parts[2].merge(parts[0]);
    parts[1].merge(parts[2]);
    EXPECT_EQ(parts[1].limbs(), whole.limbs());
    EXPECT_EQ(parts[1], whole);
  }
}

TEST(ExactSum, CancelsToZeroWithCanonicalLimbs) {
  std::mt19937_64 random(9);
  std::vector<double> terms;
  while (terms.size() < 2000) {
    const uint64_t bits = random();
    double x = 0;
    std::memcpy(&x, &bits, sizeof(x));
    if (!std::isfinite(x)) continue;
    terms.push_back(x);
    terms.push_back(-x);
  }
  std::shuffle(terms.begin(), terms.end(), random);
  EXPECT_EQ(sum_of(terms), ExactSum());
  EXPECT_EQ(sum_of(terms).value(), 0.0);
  terms.push_back(-0x1p-1074);
  std::shuffle(terms.begin(), terms.end(), random);
  EXPECT_EQ(sum_of(terms).value(), -0x1p-1074);
}

TEST(ExactSum, AddsFloatsAsTheirDoubles) {
  for (const float x : {0x1p-149F, -3.5F, std::numeric_limits<float>::max(), 0x1p-126F, -0.0F}) {
    ExactSum a;
    ExactSum b;
    a.add(x);
    b.add(static_cast<double>(x));
    EXPECT_EQ(a, b);
    EXPECT_EQ(a.value(), static_cast<double>(x));
  }
}

TEST(ExactSum, HoldsSumsBeyondTheRangeOfDouble) {
  ExactSum sum;
  for (int i = 0; i < 100; ++i) sum.add(std::numeric_limits<double>::max());
  EXPECT_EQ(sum.value(), std::numeric_limits<double>::infinity());
  for (int i = 0; i < 99; ++i) sum.add(-std::numeric_limits<double>::max());
  EXPECT_EQ(sum.value(), std::numeric_limits<double>::max());
  // Doubling by merging reaches 2^60 terms.
  ExactSum many = sum;
  for (int i = 0; i < 60; ++i) many.merge(ExactSum(many));
  many.merge(many);
  EXPECT_EQ(many.value(), std::numeric_limits<double>::infinity());
}

TEST(ExactSum, ReadsItsLimbsBack) {
  for (const Reference& reference : kReferences) {
    const ExactSum sum =
        sum_of(std::vector<double>(reference.terms.begin(), reference.terms.end()));
    ExactSum back = ExactSum::from_limbs(sum.limbs());
    EXPECT_EQ(back, sum);
    EXPECT_EQ(back.value(), reference.sum);
    back.add(1.0);
    back.add(-1.0);
    EXPECT_EQ(back, sum);
  }
}

}  // namespace
}  // namespace octet::numerics
