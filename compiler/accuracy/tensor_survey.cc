#include "compiler/accuracy/tensor_survey.h"

#include <algorithm>
#include <cmath>

#include "compiler/calibration/extremes.h"

namespace octet::accuracy {

using ir::Graph;
using ir::Tensor;
using ir::ValueId;

namespace {

constexpr double kOutlier = 4.0;
constexpr double kGrown = 0.05;

// Least and greatest of every channel, a run of `inner` elements at a time.
void channel_extremes(std::span<const float> values, size_t inner, TensorSurvey::Seen& to) {
  const size_t channels = to.low.size();
  if (inner == 1) {
    for (size_t begin = 0; begin < values.size(); begin += channels) {
      for (size_t c = 0; c < channels; ++c) {
        to.low[c] = std::min(to.low[c], values[begin + c]);
        to.high[c] = std::max(to.high[c], values[begin + c]);
      }
    }
    return;
  }
  for (size_t begin = 0, c = 0; begin < values.size(); begin += inner, c = (c + 1) % channels) {
    const auto extremes = calibration::finite_extremes(values.subspan(begin, inner));
    if (!extremes) continue;
    to.low[c] = std::min(to.low[c], extremes->min);
    to.high[c] = std::max(to.high[c], extremes->max);
  }
}

}  // namespace

TensorSurvey::TensorSurvey(const std::vector<Watched>& watched) {
  for (const Watched& value : watched) {
    Entry& entry = entries_[value.value];
    entry.covered = value.covered;
    entry.samples = value.samples;
    entry.seen.axis = value.axis;
  }
}

void TensorSurvey::observe(size_t sample, ValueId value, const Tensor& tensor) {
  const auto it = entries_.find(value);
  if (it == entries_.end() || tensor.dtype() != ir::DType::kFloat32) return;
  const auto values = tensor.data<float>();
  const auto all = values.empty() ? std::nullopt : calibration::finite_extremes(values);
  if (!all) return;
  Entry& entry = it->second;
  const size_t axis = entry.seen.axis;
  const auto channels = axis < tensor.rank() ? static_cast<size_t>(tensor.shape()[axis]) : 1;
  size_t inner = 1;
  for (size_t a = axis + 1; a < tensor.rank(); ++a) {
    inner *= static_cast<size_t>(tensor.shape()[a]);
  }
  if (axis >= tensor.rank()) inner = values.size();
  Seen own;
  own.low.assign(channels, INFINITY);
  own.high.assign(channels, -INFINITY);
  channel_extremes(values, inner, own);
  if (entry.covered) {
    const auto covered = *entry.covered;
    own.saturated = std::count_if(values.begin(), values.end(),
                                  [&](float x) { return x < covered.first || x > covered.second; });
  }
  const std::lock_guard lock(mutex_);
  Seen& seen = entry.seen;
  if (entry.samples == Watched::Samples::kKept) seen.of_sample[sample] = {all->min, all->max};
  seen.elements += tensor.element_count();
  seen.saturated += own.saturated;
  seen.low.resize(std::max(seen.low.size(), channels), INFINITY);
  seen.high.resize(std::max(seen.high.size(), channels), -INFINITY);
  for (size_t c = 0; c < channels; ++c) {
    seen.low[c] = std::min(seen.low[c], own.low[c]);
    seen.high[c] = std::max(seen.high[c], own.high[c]);
  }
}

const TensorSurvey::Seen* TensorSurvey::of(ValueId value) const {
  const auto it = entries_.find(value);
  return it == entries_.end() || it->second.seen.elements == 0 ? nullptr : &it->second.seen;
}

std::vector<ValueId> TensorSurvey::values() const {
  std::vector<ValueId> out;
  for (const auto& [value, entry] : entries_) out.push_back(value);
  return out;
}

size_t channel_axis(const Graph& graph, ValueId value) {
  const ir::Shape& shape = graph.value(value).type.shape;
  const size_t rank = shape.has_rank() ? shape.rank() : 0;
  for (const ir::Use& use : graph.uses(value)) {
    const ir::Node& node = graph.node(use.node);
    if (use.implicit || use.index != 0) continue;
    if (node.is("Conv") || node.is("ConvTranspose")) return 1;
    if ((node.is("MatMul") || node.is("Gemm")) && rank > 0) return rank - 1;
  }
  if (rank == 4) return 1;
  return rank == 0 ? 0 : rank - 1;
}

ChannelFacts channel_facts(const TensorSurvey::Seen& seen) {
  ChannelFacts out;
  out.count = static_cast<int64_t>(seen.low.size());
  std::vector<float> alive;
  for (size_t c = 0; c < seen.low.size(); ++c) {
    const float magnitude = std::max(std::abs(seen.low[c]), std::abs(seen.high[c]));
    if (!std::isfinite(magnitude)) continue;
    if (magnitude > 0.0F) alive.push_back(magnitude);
    if (seen.low[c] != seen.high[c]) continue;
    (magnitude == 0.0F ? out.dead : out.constant).push_back(static_cast<int64_t>(c));
  }
  if (alive.empty()) return out;
  std::sort(alive.begin(), alive.end());
  const auto median = static_cast<double>(alive[alive.size() / 2]);
  for (size_t c = 0; c < seen.low.size(); ++c) {
    const float magnitude = std::max(std::abs(seen.low[c]), std::abs(seen.high[c]));
    const double times = static_cast<double>(magnitude) / median;
    if (!std::isfinite(magnitude) || times <= kOutlier) continue;
    out.outliers.push_back({static_cast<int64_t>(c), magnitude, times});
  }
  std::stable_sort(out.outliers.begin(), out.outliers.end(),
                   [](const auto& a, const auto& b) { return a.magnitude > b.magnitude; });
  return out;
}

namespace {

// The two least and the two greatest of the samples' extremes.
struct Ends {
  double low = INFINITY, next_low = INFINITY;
  double high = -INFINITY, next_high = -INFINITY;
  size_t low_at = 0, high_at = 0;
};

Ends ends_of(const TensorSurvey::Seen& seen) {
  Ends out;
  for (const auto& [sample, range] : seen.of_sample) {
    const auto low = static_cast<double>(range.first);
    const auto high = static_cast<double>(range.second);
    if (low < out.low) {
      out.next_low = std::exchange(out.low, low);
      out.low_at = sample;
    } else {
      out.next_low = std::min(out.next_low, low);
    }
    if (high > out.high) {
      out.next_high = std::exchange(out.high, high);
      out.high_at = sample;
    } else {
      out.next_high = std::max(out.next_high, high);
    }
  }
  return out;
}

std::optional<RangeGrowth> growth_of(const TensorSurvey::Seen& seen, const std::string& name) {
  const size_t count = seen.of_sample.size();
  if (count < 4) return std::nullopt;
  RangeGrowth out{name};
  double low = INFINITY;
  double high = -INFINITY;
  double early = 0.0;
  size_t place = 0;
  for (const auto& [sample, range] : seen.of_sample) {
    if (place++ == count - count / 4) early = high - low;
    if (static_cast<double>(range.first) >= low && static_cast<double>(range.second) <= high) {
      continue;
    }
    low = std::min(low, static_cast<double>(range.first));
    high = std::max(high, static_cast<double>(range.second));
    out.last_sample = sample;
  }
  if (!(high > low)) return std::nullopt;
  out.grown = 1.0 - early / (high - low);
  return out;
}

}  // namespace

SampleFacts sample_facts(const Graph& graph, const TensorSurvey& survey) {
  SampleFacts out;
  std::map<size_t, RangeSetter> setters;
  for (const ValueId id : survey.values()) {
    const TensorSurvey::Seen* seen = survey.of(id);
    if (seen == nullptr) continue;
    ++out.tensors;
    out.samples = std::max(out.samples, seen->of_sample.size());
    const std::string& name = graph.value(id).name;
    const auto growth = growth_of(*seen, name);
    if (growth && growth->grown > kGrown) out.grown.push_back(*growth);
    const Ends ends = ends_of(*seen);
    if (!(ends.high > ends.low) || seen->of_sample.size() < 2) continue;
    const auto set = [&](size_t sample, double gap) {
      if (!(gap > 0.0)) return;
      RangeSetter& setter = setters[sample];
      setter.sample = sample;
      ++setter.ends;
      if (gap <= setter.widest) return;
      setter.widest = gap;
      setter.tensor = name;
    };
    const double width = ends.high - ends.low;
    if (ends.low_at == ends.high_at) {
      const double rest = ends.next_high - ends.next_low;
      set(ends.low_at, 1.0 - rest / width);
      continue;
    }
    set(ends.low_at, (ends.next_low - ends.low) / width);
    set(ends.high_at, (ends.high - ends.next_high) / width);
  }
  for (const auto& [sample, setter] : setters) out.setters.push_back(setter);
  std::stable_sort(out.setters.begin(), out.setters.end(),
                   [](const auto& a, const auto& b) { return a.widest > b.widest; });
  std::stable_sort(out.grown.begin(), out.grown.end(),
                   [](const auto& a, const auto& b) { return a.grown > b.grown; });
  return out;
}

}  // namespace octet::accuracy
