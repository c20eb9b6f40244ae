#include "compiler/interpreter/kernels/look_up.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define OCTET_BYTE_PERMUTES 1
#endif

namespace octet::interpreter {
namespace {

void look_up_one_by_one(const ops::ByteTable& table, const uint8_t* x, int64_t count, uint8_t* y) {
  for (int64_t i = 0; i < count; ++i) y[i] = table[x[i]];
}

#ifdef OCTET_BYTE_PERMUTES

// The table in four registers: each instruction picks 64 bytes from 128.
__attribute__((target("avx512f,avx512bw,avx512vbmi"))) void look_up_permuted(
    const ops::ByteTable& table, const uint8_t* x, int64_t count, uint8_t* y) {
  constexpr int64_t kWidth = 64;
  const __m512i first = _mm512_loadu_si512(table.data());
  const __m512i second = _mm512_loadu_si512(table.data() + kWidth);
  const __m512i third = _mm512_loadu_si512(table.data() + 2 * kWidth);
  const __m512i fourth = _mm512_loadu_si512(table.data() + 3 * kWidth);
  for (int64_t i = 0; i < count; i += kWidth) {
    const int64_t rest = count - i;
    const __mmask64 lanes = rest >= kWidth ? ~__mmask64{0} : (__mmask64{1} << rest) - 1;
    const __m512i bytes = _mm512_maskz_loadu_epi8(lanes, x + i);
    const __m512i low = _mm512_permutex2var_epi8(first, bytes, second);
    const __m512i high = _mm512_permutex2var_epi8(third, bytes, fourth);
    const __m512i out = _mm512_mask_blend_epi8(_mm512_movepi8_mask(bytes), low, high);
    _mm512_mask_storeu_epi8(y + i, lanes, out);
  }
}

#endif

}  // namespace

void look_up(const ops::ByteTable& table, const uint8_t* x, int64_t count, uint8_t* y) {
#ifdef OCTET_BYTE_PERMUTES
  static const bool permutes =
      __builtin_cpu_supports("avx512vbmi") != 0 && __builtin_cpu_supports("avx512bw") != 0;
  if (permutes) return look_up_permuted(table, x, count, y);
#endif
  look_up_one_by_one(table, x, count, y);
}

}  // namespace octet::interpreter
