#include "compiler/calibration/extremes.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "compiler/base/vectorized.h"

namespace octet::calibration {

// Independent lanes, because a compiler may not reorder one running minimum; clones for wider
// registers, because this loop reads every activation of every sample.
OCTET_VECTORIZED std::optional<Extremes> finite_extremes(std::span<const float> values) {
  constexpr size_t kLanes = 32;
  constexpr uint32_t kExponent = 0x7f800000;
  std::array<float, kLanes> low;
  std::array<float, kLanes> high;
  std::array<uint32_t, kLanes> bad{};
  low.fill(values.front());
  high.fill(values.front());
  const size_t whole = values.size() / kLanes * kLanes;
  const float* data = values.data();
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) {
      const float x = data[i + j];
      low[j] = x < low[j] ? x : low[j];
      high[j] = x > high[j] ? x : high[j];
      bad[j] |= (std::bit_cast<uint32_t>(x) & kExponent) == kExponent ? 1U : 0U;
    }
  }
  for (size_t i = whole; i < values.size(); ++i) {
    const float x = data[i];
    low[0] = x < low[0] ? x : low[0];
    high[0] = x > high[0] ? x : high[0];
    bad[0] |= (std::bit_cast<uint32_t>(x) & kExponent) == kExponent ? 1U : 0U;
  }
  Extremes out{low[0], high[0]};
  uint32_t any_bad = bad[0] | ((std::bit_cast<uint32_t>(values.front()) & kExponent) == kExponent);
  for (size_t j = 1; j < kLanes; ++j) {
    out.min = low[j] < out.min ? low[j] : out.min;
    out.max = high[j] > out.max ? high[j] : out.max;
    any_bad |= bad[j];
  }
  if (any_bad != 0) return std::nullopt;
  return Extremes{out.min + 0.0F, out.max + 0.0F};
}

}  // namespace octet::calibration
