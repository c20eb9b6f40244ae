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

size_t bin_in_double(float x, int exponent, int half) {
  const double bin = std::floor(std::ldexp(static_cast<double>(x), -exponent));
  return static_cast<size_t>(static_cast<int64_t>(bin) + half);
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

// Counts into several tables in turn where there are many values: those that repeat, as zeros do
// behind Relu, would wait for each other in one.
class HistogramBuilder::Counter {
 public:
  Counter(HistogramBuilder& builder, size_t values) : to_(builder), use_tables_(values >= kWorth) {
    if (use_tables_) tables_ = {};
  }
  ~Counter() { flush(); }
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  // At most kPiece values.
  void add(std::span<const float> piece, const Extremes& extremes) {
    fit(extremes);
    const bool tiny = (extremes.min < 0.0F && -to_.below_ > kGreatestFloatExponent) ||
                      (extremes.max > 0.0F && -to_.above_ > kGreatestFloatExponent);
    if (tiny) {
      for (float x : piece) {
        ++to_.counts_[bin_in_double(x, x < 0.0F ? to_.below_ : to_.above_, kHalf)];
      }
      return;
    }
    const Widths inverse = {inverse_width(to_.below_), inverse_width(to_.above_)};
    bins_of(piece.data(), piece.size(), inverse, kHalf, bins_.data());
    const uint16_t* const bins = bins_.data();
    size_t i = 0;
    if (use_tables_) {
      uint32_t* const a = tables_[0].data();
      uint32_t* const b = tables_[1].data();
      uint32_t* const c = tables_[2].data();
      uint32_t* const d = tables_[3].data();
      for (; i + kTables <= piece.size(); i += kTables) {
        ++a[bins[i]];
        ++b[bins[i + 1]];
        ++c[bins[i + 2]];
        ++d[bins[i + 3]];
      }
    }
    for (; i < piece.size(); ++i) ++to_.counts_[bins[i]];
    uncounted_ += piece.size();
  }

 private:
  static constexpr size_t kTables = 4;
  static constexpr size_t kWorth = 1 << 16;
  static constexpr size_t kMost = size_t{1} << 30;  // keeps 32 bits from running over
  // Tables that lie a multiple of 4 KiB apart would wait for each other, too: processors tell a
  // load from an earlier store by the low bits of their addresses.
  static constexpr size_t kApart = 16;

  // Of a side without values any float does.
  static float inverse_width(int exponent) {
    return std::ldexp(1.0F, std::min(-exponent, kGreatestFloatExponent));
  }

  // Makes bins wide enough.
  void fit(const Extremes& extremes) {
    const int below =
        extremes.min < 0.0F ? Histogram::least_exponent(extremes.min, 0.0F) : to_.below_;
    const int above =
        extremes.max > 0.0F ? Histogram::least_exponent(0.0F, extremes.max) : to_.above_;
    if (below <= to_.below_ && above <= to_.above_ && uncounted_ <= kMost) return;
    flush();
    if (below > to_.below_) {
      coarsen(to_.counts_, 0, kHalf, kHalf, below - to_.below_);
      to_.below_ = below;
    }
    if (above > to_.above_) {
      coarsen(to_.counts_, kHalf, kBins, kHalf, above - to_.above_);
      to_.above_ = above;
    }
  }

  void flush() {
    uncounted_ = 0;
    if (!use_tables_) return;
    for (auto& table : tables_) {
      for (size_t i = 0; i < to_.counts_.size(); ++i) to_.counts_[i] += table[i];
      table = {};
    }
  }

  HistogramBuilder& to_;
  bool use_tables_;
  size_t uncounted_ = 0;
  std::array<uint16_t, kPiece> bins_;
  std::array<std::array<uint32_t, kBins + kApart>, kTables> tables_;
};

std::optional<Extremes> HistogramBuilder::add(std::span<const float> values) {
  if (values.empty()) return Extremes();
  if (counts_.empty()) counts_.assign(kBins, 0);
  Counter counter(*this, values.size());
  std::optional<Extremes> all;
  for (size_t at = 0; at < values.size(); at += kPiece) {
    const auto piece = values.subspan(at, std::min(kPiece, values.size() - at));
    const auto extremes = finite_extremes(piece);
    if (!extremes) return std::nullopt;
    if (!all) all = extremes;
    all->min = std::min(all->min, extremes->min);
    all->max = std::max(all->max, extremes->max);
    counter.add(piece, *extremes);
  }
  return all;
}

// Bins [first, first + kHalf).
Histogram HistogramBuilder::side(int first, int exponent) const {
  std::vector<uint64_t> counts(kBins, 0);
  std::copy_n(counts_.begin() + first, kHalf, counts.begin() + first);
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
  std::vector<uint64_t> counts(counts_);
  std::fill_n(counts.begin(), kHalf, 0);
  counts[kHalf] += std::accumulate(counts_.begin(), counts_.begin() + kHalf, uint64_t{0});
  return Histogram::from_counts(above_, std::move(counts));
}

}  // namespace octet::calibration
