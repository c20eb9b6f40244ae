#include "compiler/calibration/histogram_builder.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compiler/base/vectorized.h"

namespace octet::calibration {
namespace {

constexpr int kGreatestFloatExponent = 127;  // of a power of two that is a float

struct Widths {
  float below = 0.0F;  // inverse, of bins of negative values
  float above = 0.0F;
};

// floor(x / width) + half in float32; |x / width| <= half. The product is exact unless it is too
// small to be a normal number, and then x has the sign that floor needs.
OCTET_VECTORIZED void bins_of(const float* values, size_t count, Widths inverse, int32_t half,
                              uint16_t* bins) {
  for (size_t i = 0; i < count; ++i) {
    const float x = values[i];
    const float product = x * (x < 0.0F ? inverse.below : inverse.above);
    const auto whole = static_cast<int32_t>(product);
    const int32_t below = static_cast<int32_t>(product < static_cast<float>(whole)) |
                          (static_cast<int32_t>(x < 0.0F) & static_cast<int32_t>(whole == 0));
    bins[i] = static_cast<uint16_t>(whole - below + half);
  }
}

// Of a side without values any float does.
float inverse_width(int exponent) {
  return std::ldexp(1.0F, std::min(-exponent, kGreatestFloatExponent));
}

// Bins [first, last) of `counts` at a greater exponent; floor division halves towards minus
// infinity.
void coarsen(std::vector<uint64_t>& counts, int first, int last, int half, int shift) {
  std::vector<uint64_t> coarse(counts.size(), 0);
  for (int i = first; i < last; ++i) {
    const int64_t bin = (static_cast<int64_t>(i) - half) >> std::min(shift, 62);
    coarse[static_cast<size_t>(bin + half)] += counts[static_cast<size_t>(i)];
  }
  std::copy(coarse.begin() + first, coarse.begin() + last, counts.begin() + first);
}

}  // namespace

std::optional<Extremes> HistogramBuilder::add(std::span<const float> values,
                                              const CountedElements& elements) {
  if (values.empty()) return Extremes();
  if (counts_.empty()) {
    counts_.assign(kBins, 0);
    recent_.assign(kBins, Pair());
  }
  if (weight_ != elements.weight()) flush(elements.weight());
  std::optional<Extremes> all;
  std::optional<Extremes> extremes;  // of the stretch
  const auto look = [&](std::span<const float> stretch) {
    extremes = finite_extremes(stretch);
    if (!extremes) return false;
    if (!all) all = extremes;
    all->min = std::min(all->min, extremes->min);
    all->max = std::max(all->max, extremes->max);
    return true;
  };
  const auto take = [&](std::span<const float> counted) {
    fit(*extremes);
    for (size_t at = 0; at < counted.size(); at += kPiece) {
      count(counted.subspan(at, std::min(kPiece, counted.size() - at)), *extremes);
    }
  };
  if (!elements.pass(values, look, take)) return std::nullopt;
  if (!elements.all()) {
    fit(*all);
    ++counts_[bin_of(all->min)];
    ++counts_[bin_of(all->max)];
  }
  return all;
}

void HistogramBuilder::fit(const Extremes& extremes) {
  if (extremes.min >= fits_.min && extremes.max <= fits_.max) return;
  fits_ = {std::min(fits_.min, extremes.min), std::max(fits_.max, extremes.max)};
  const int below = extremes.min < 0.0F ? Histogram::least_exponent(extremes.min, 0.0F) : below_;
  const int above = extremes.max > 0.0F ? Histogram::least_exponent(0.0F, extremes.max) : above_;
  if (below <= below_ && above <= above_) return;
  flush(weight_);
  if (below > below_) {
    coarsen(counts_, 0, kHalf, kHalf, below - below_);
    below_ = below;
  }
  if (above > above_) {
    coarsen(counts_, kHalf, kBins, kHalf, above - above_);
    above_ = above;
  }
}

size_t HistogramBuilder::bin_of(float x) const {
  const double bin = std::floor(std::ldexp(static_cast<double>(x), -(x < 0.0F ? below_ : above_)));
  return static_cast<size_t>(static_cast<int64_t>(bin) + kHalf);
}

void HistogramBuilder::count(std::span<const float> piece, const Extremes& extremes) {
  const bool tiny = (extremes.min < 0.0F && -below_ > kGreatestFloatExponent) ||
                    (extremes.max > 0.0F && -above_ > kGreatestFloatExponent);
  if (tiny) {
    for (const float x : piece) counts_[bin_of(x)] += weight_;
    return;
  }
  if (recent_count_ + piece.size() > kMostRecent) flush(weight_);
  recent_count_ += piece.size();
  std::array<uint16_t, kPiece> bins;
  const Widths inverse = {inverse_width(below_), inverse_width(above_)};
  bins_of(piece.data(), piece.size(), inverse, kHalf, bins.data());
  Pair* const pairs = recent_.data();
  size_t i = 0;
  for (; i + 1 < piece.size(); i += 2) {
    ++pairs[bins[i]][0];
    ++pairs[bins[i + 1]][1];
  }
  if (i < piece.size()) ++pairs[bins[i]][0];
}

void HistogramBuilder::flush(uint64_t weight) {
  if (recent_count_ > 0) {
    counts_ = counts();
    std::fill(recent_.begin(), recent_.end(), Pair());
    recent_count_ = 0;
  }
  weight_ = weight;
}

std::vector<uint64_t> HistogramBuilder::counts() const {
  std::vector<uint64_t> out = counts_;
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] += weight_ * (uint64_t{recent_[i][0]} + recent_[i][1]);
  }
  return out;
}

// Bins [first, first + kHalf).
Histogram HistogramBuilder::side(int first, int exponent) const {
  const std::vector<uint64_t> all = counts();
  std::vector<uint64_t> counts(kBins, 0);
  std::copy_n(all.begin() + first, kHalf, counts.begin() + first);
  return Histogram::from_counts(exponent, std::move(counts));
}

Histogram HistogramBuilder::all() const {
  if (counts_.empty()) return {};
  Histogram out = side(kHalf, above_);
  out.merge(side(0, below_));
  return out;
}

Histogram HistogramBuilder::rectified() const {
  if (counts_.empty()) return {};
  std::vector<uint64_t> out = counts();
  const uint64_t negative = std::accumulate(out.begin(), out.begin() + kHalf, uint64_t{0});
  std::fill_n(out.begin(), kHalf, 0);
  out[kHalf] += negative;
  return Histogram::from_counts(above_, std::move(out));
}

}  // namespace octet::calibration
