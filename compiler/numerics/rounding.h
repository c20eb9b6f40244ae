// Rounding to an integer as loops want it. Included by headers of compiler/numerics only.
#pragma once

#include <bit>
#include <cstdint>

#include "compiler/base/vectorized.h"

namespace octet::numerics {

// x rounded half to even, for |x| below the range of Int. Truncation, comparison and the exact
// difference do not depend on the rounding mode, need no library call and vectorize.
template <typename Int, typename Float>
OCTET_INLINE Int round_to_integer(Float x) {
  const Int whole = static_cast<Int>(x);
  const Float rest = x - static_cast<Float>(whole);
  const Int odd = whole & 1;
  const Int up = static_cast<Int>(rest > Float(0.5)) | (static_cast<Int>(rest == Float(0.5)) & odd);
  const Int down =
      static_cast<Int>(rest < Float(-0.5)) | (static_cast<Int>(rest == Float(-0.5)) & odd);
  return whole + up - down;
}

// The same for |x| < 2^22 under the rounding mode that programs start with, in two instructions:
// next to 1.5 * 2^23 floats are one apart, so the addition rounds.
OCTET_INLINE int32_t round_small(float x) {
  constexpr float kShift = 12582912.0F;
  return std::bit_cast<int32_t>(x + kShift) - std::bit_cast<int32_t>(kShift);
}

}  // namespace octet::numerics
