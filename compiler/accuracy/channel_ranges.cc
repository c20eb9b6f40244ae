#include "compiler/accuracy/channel_ranges.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "compiler/calibration/extremes.h"

namespace octet::accuracy {

using ir::Tensor;
using ir::ValueId;

namespace {

void merge_planes(std::span<const float> values, size_t inner, std::vector<float>& seen,
                  std::vector<float>& least) {
  const size_t channels = seen.size();
  for (size_t begin = 0, c = 0; begin < values.size(); begin += inner, c = (c + 1) % channels) {
    const auto extremes = calibration::finite_extremes(values.subspan(begin, inner));
    if (!extremes) continue;
    seen[c] = std::max({seen[c], extremes->max, -extremes->min});
    least[c] = std::min(least[c], extremes->min);
  }
}

}  // namespace

ChannelRanges::ChannelRanges(const std::vector<Axis>& values) {
  for (const Axis& value : values) entries_[value.value].axis = value.axis;
}

void ChannelRanges::observe(ValueId value, const Tensor& tensor) {
  const auto it = entries_.find(value);
  if (it == entries_.end() || tensor.dtype() != ir::DType::kFloat32) return;
  const size_t axis = it->second.axis;
  if (axis >= tensor.rank()) return;
  const auto channels = static_cast<size_t>(tensor.shape()[axis]);
  size_t inner = 1;
  for (size_t a = axis + 1; a < tensor.rank(); ++a) {
    inner *= static_cast<size_t>(tensor.shape()[a]);
  }
  std::vector<float> seen(channels, 0.0F);
  std::vector<float> least(channels, HUGE_VALF);
  const auto values = tensor.data<float>();
  if (inner == 1) {
    for (size_t begin = 0; begin < values.size(); begin += channels) {
      for (size_t c = 0; c < channels; ++c) {
        seen[c] = std::max(seen[c], std::abs(values[begin + c]));
        least[c] = std::min(least[c], values[begin + c]);
      }
    }
  } else {
    merge_planes(values, inner, seen, least);
  }
  const std::lock_guard lock(mutex_);
  std::vector<float>& all = it->second.magnitudes;
  all.resize(std::max(all.size(), channels), 0.0F);
  std::vector<float>& lowest = it->second.least;
  lowest.resize(std::max(lowest.size(), channels), HUGE_VALF);
  for (size_t c = 0; c < channels; ++c) {
    all[c] = std::max(all[c], seen[c]);
    lowest[c] = std::min(lowest[c], least[c]);
  }
}

void ChannelRanges::put(ValueId value, std::vector<float> magnitudes) {
  const auto it = entries_.find(value);
  if (it != entries_.end()) it->second.magnitudes = std::move(magnitudes);
}

const std::vector<float>& ChannelRanges::of(ValueId value) const {
  static const std::vector<float> none;
  const auto it = entries_.find(value);
  return it == entries_.end() ? none : it->second.magnitudes;
}

const std::vector<float>& ChannelRanges::least_of(ValueId value) const {
  static const std::vector<float> none;
  const auto it = entries_.find(value);
  return it == entries_.end() ? none : it->second.least;
}

std::vector<ValueId> ChannelRanges::values() const {
  std::vector<ValueId> out;
  for (const auto& [value, entry] : entries_) out.push_back(value);
  return out;
}

}  // namespace octet::accuracy
