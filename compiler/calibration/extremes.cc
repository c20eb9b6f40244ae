#include "compiler/calibration/extremes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "compiler/base/vectorized.h"

namespace octet::calibration {

namespace {

struct Sums {
  Extremes extremes;
  float sum = 0.0F;  // not finite when a value is not
};

// Independent lanes, because a compiler may not reorder one running minimum; clones for wider
// registers, because this loop reads every activation of every sample. A sum, because to look at
// each value takes longer.
OCTET_VECTORIZED Sums sums_of(std::span<const float> values) {
  constexpr size_t kLanes = 32;
  constexpr size_t kLine = 16;    // of the cache
  constexpr size_t kAhead = 512;  // a prefetch beyond the end does no harm
  std::array<float, kLanes> low;
  std::array<float, kLanes> high;
  std::array<float, kLanes> sum{};
  low.fill(values.front());
  high.fill(values.front());
  const size_t whole = values.size() / kLanes * kLanes;
  const float* data = values.data();
  for (size_t i = 0; i < whole; i += kLanes) {
    __builtin_prefetch(data + i + kAhead);
    __builtin_prefetch(data + i + kAhead + kLine);
    for (size_t j = 0; j < kLanes; ++j) {
      const float x = data[i + j];
      low[j] = x < low[j] ? x : low[j];
      high[j] = x > high[j] ? x : high[j];
      sum[j] += x;
    }
  }
  for (size_t i = whole; i < values.size(); ++i) {
    const float x = data[i];
    low[0] = x < low[0] ? x : low[0];
    high[0] = x > high[0] ? x : high[0];
    sum[0] += x;
  }
  for (size_t half = kLanes / 2; half > 0; half /= 2) {
    for (size_t j = 0; j < half; ++j) {
      low[j] = low[j + half] < low[j] ? low[j + half] : low[j];
      high[j] = high[j + half] > high[j] ? high[j + half] : high[j];
      sum[j] += sum[j + half];
    }
  }
  return {{low[0] + 0.0F, high[0] + 0.0F}, sum[0]};
}

bool is_finite(float x) { return std::isfinite(x); }

}  // namespace

std::optional<Extremes> finite_extremes(std::span<const float> values) {
  const Sums sums = sums_of(values);
  // Great values may add up to infinity.
  if (!std::isfinite(sums.sum) && !std::all_of(values.begin(), values.end(), is_finite)) {
    return std::nullopt;
  }
  return sums.extremes;
}

}  // namespace octet::calibration
