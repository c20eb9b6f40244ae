// Alone in its file: compiled for vectorization, because every sample passes through here.
#include <bit>
#include <cstring>

#include "compiler/data/fit.h"

namespace octet::data {
namespace {

// An exponent of all ones carries into the sign bit when one is added to it.
template <typename Bits, typename Float>
bool all_finite(const Float* values, size_t count, Bits exponent, Bits one) {
  Bits carries = 0;
  for (size_t i = 0; i < count; ++i) {
    carries |= (std::bit_cast<Bits>(values[i]) & exponent) + one;
  }
  return carries >> (sizeof(Bits) * 8 - 1) == 0;
}

template <typename Bits, typename Float>
std::optional<size_t> first(std::span<const Float> values, Bits exponent, Bits one) {
  constexpr size_t kBlock = 4096;
  for (size_t begin = 0; begin < values.size(); begin += kBlock) {
    const size_t count = std::min(kBlock, values.size() - begin);
    if (all_finite(values.data() + begin, count, exponent, one)) continue;
    size_t at = begin;
    while (all_finite(values.data() + at, 1, exponent, one)) ++at;
    return at;
  }
  return std::nullopt;
}

}  // namespace

std::optional<size_t> first_non_finite(std::span<const float> values) {
  return first<uint32_t>(values, 0x7F800000U, 0x00800000U);
}

std::optional<size_t> first_non_finite(std::span<const double> values) {
  return first<uint64_t>(values, uint64_t{0x7FF} << 52, uint64_t{1} << 52);
}

}  // namespace octet::data
