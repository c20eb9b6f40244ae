// The saturating pair against the instruction itself, where the machine has it.
#include "compiler/numerics/device_arithmetic.h"

#include <gtest/gtest.h>

#include <array>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace octet::numerics {
namespace {

TEST(SaturatingPair, SaturatesAtBothEnds) {
  EXPECT_EQ(saturating_pair(255, 127, 255, 127), 32767);
  EXPECT_EQ(saturating_pair(255, -128, 255, -128), -32768);
  EXPECT_EQ(saturating_pair(255, 64, 255, 64), 32640);  // 7 bits of weight are safe
  EXPECT_EQ(saturating_pair(255, -64, 255, -64), -32640);
  EXPECT_EQ(saturating_pair(255, 127, 255, -128), -255);
  EXPECT_EQ(pair_error(255, 64, 255, 64), 0);
  EXPECT_EQ(pair_error(255, 127, 255, 127), 32767 - 2 * 255 * 127);
}

TEST(SaturatingPair, MaySaturateSaysWhetherSomeActivationDoes) {
  for (int32_t s0 = -128; s0 < 128; ++s0) {
    for (int32_t s1 = -128; s1 < 128; ++s1) {
      const int32_t up = pair_error(s0 > 0 ? 255 : 0, s0, s1 > 0 ? 255 : 0, s1);
      const int32_t down = pair_error(s0 < 0 ? 255 : 0, s0, s1 < 0 ? 255 : 0, s1);
      ASSERT_EQ(may_saturate(s0, s1), up != 0 || down != 0) << s0 << " " << s1;
    }
  }
}

#if defined(__x86_64__)
__attribute__((target("ssse3"))) std::array<int16_t, 8> by_instruction(
    const std::array<uint8_t, 16>& u, const std::array<int8_t, 16>& s) {
  std::array<int16_t, 8> out;
  const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(u.data()));
  const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(s.data()));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out.data()), _mm_maddubs_epi16(a, b));
  return out;
}

// All activations and weights of one product with 64 of the other.
TEST(SaturatingPair, IsTheInstruction) {
  for (int32_t u0 = 0; u0 < 256; ++u0) {
    for (int32_t s0 = -128; s0 < 128; ++s0) {
      for (int32_t block = 0; block < 8; ++block) {
        std::array<uint8_t, 16> u;
        std::array<int8_t, 16> s;
        for (size_t i = 0; i < 8; ++i) {
          u[2 * i] = static_cast<uint8_t>(u0);
          s[2 * i] = static_cast<int8_t>(s0);
          u[2 * i + 1] = static_cast<uint8_t>(255 - 36 * static_cast<int32_t>(i));
          s[2 * i + 1] = static_cast<int8_t>(127 - 36 * block);
        }
        const auto found = by_instruction(u, s);
        for (size_t i = 0; i < 8; ++i) {
          ASSERT_EQ(saturating_pair(u0, s0, u[2 * i + 1], s[2 * i + 1]), found[i])
              << u0 << " " << s0;
        }
      }
    }
  }
}
#endif

}  // namespace
}  // namespace octet::numerics
