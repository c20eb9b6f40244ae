#include "compiler/calibration/histogram.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "compiler/base/vectorized.h"

namespace octet::calibration {
namespace {

// floor(x / 2^exponent). The product is exact: a float times a power of two fits a double.
int64_t bin_of(float x, double inverse_width) {
  return static_cast<int64_t>(std::floor(static_cast<double>(x) * inverse_width));
}

constexpr int kGreatestFloatExponent = 127;  // of a power of two that is a float

// The same in float32, `half` added; |x * inverse_width| <= half. The product is exact unless it is
// too small to be a normal number, and then x has the sign that floor needs.
OCTET_VECTORIZED void bins_of(const float* values, size_t count, float inverse_width, int32_t half,
                              uint16_t* bins) {
  for (size_t i = 0; i < count; ++i) {
    const float x = values[i];
    const float product = x * inverse_width;
    const auto whole = static_cast<int32_t>(product);
    const int32_t below = static_cast<int32_t>(product < static_cast<float>(whole)) |
                          (static_cast<int32_t>(x < 0.0F) & static_cast<int32_t>(whole == 0));
    bins[i] = static_cast<uint16_t>(whole - below + half);
  }
}

// The least exponent at which both values have a bin.
int least_exponent(float min, float max) {
  const float magnitude = std::max(std::abs(min), std::abs(max));
  if (magnitude == 0.0F) return Histogram::kLeastExponent;
  int exponent = std::max(std::ilogb(magnitude) - 10, Histogram::kLeastExponent);
  const auto fits = [&](int e) {
    const double inverse = std::ldexp(1.0, -e);
    return bin_of(min, inverse) >= -Histogram::kHalf && bin_of(max, inverse) < Histogram::kHalf;
  };
  while (!fits(exponent)) ++exponent;
  return exponent;
}

}  // namespace

// Counts many values: several tables in turn, since values that repeat, as zeros do behind Relu,
// would wait for each other in one.
class Histogram::Counter {
 public:
  Counter(Histogram& histogram, size_t values) : to_(histogram), use_tables_(values >= kWorth) {
    if (use_tables_) tables_ = {};
  }
  ~Counter() { flush(); }
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  // At most kPiece values.
  void add(std::span<const float> piece, const Extremes& extremes) {
    const int exponent = least_exponent(extremes.min, extremes.max);
    if (exponent > to_.exponent_ || uncounted_ > kMost) {
      flush();
      to_.raise_to(exponent);
    }
    if (-to_.exponent_ > kGreatestFloatExponent) {
      const double inverse = std::ldexp(1.0, -to_.exponent_);
      for (float x : piece) ++to_.counts_[static_cast<size_t>(bin_of(x, inverse) + kHalf)];
      return;
    }
    bins_of(piece.data(), piece.size(), std::ldexp(1.0F, -to_.exponent_), kHalf, bins_.data());
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
  static constexpr size_t kWorth = 1 << 14;
  static constexpr size_t kMost = size_t{1} << 30;  // keeps 32 bits from running over
  // Apart from the counts so that tables are not a multiple of 4 KiB from each other: the processor
  // takes a load from one for a load from another there.
  static constexpr size_t kApart = 16;

  void flush() {
    uncounted_ = 0;
    if (!use_tables_) return;
    for (auto& table : tables_) {
      for (size_t i = 0; i < to_.counts_.size(); ++i) to_.counts_[i] += table[i];
      table = {};
    }
  }

  Histogram& to_;
  bool use_tables_;
  size_t uncounted_ = 0;
  std::array<uint16_t, kPiece> bins_;
  std::array<std::array<uint32_t, kBins + kApart>, kTables> tables_;
};

void Histogram::add(std::span<const float> values) {
  if (values.empty()) return;
  if (counts_.empty()) counts_.assign(kBins, 0);
  Counter counter(*this, values.size());
  for (size_t at = 0; at < values.size(); at += kPiece) {
    const auto piece = values.subspan(at, std::min(kPiece, values.size() - at));
    const auto [min, max] = std::minmax_element(piece.begin(), piece.end());
    counter.add(piece, {*min, *max});
  }
}

std::optional<Extremes> Histogram::add_finite(std::span<const float> values) {
  if (values.empty()) return Extremes();
  if (counts_.empty()) counts_.assign(kBins, 0);
  Counter counter(*this, values.size());
  Extremes all = {values.front() + 0.0F, values.front() + 0.0F};
  for (size_t at = 0; at < values.size(); at += kPiece) {
    const auto piece = values.subspan(at, std::min(kPiece, values.size() - at));
    const auto extremes = finite_extremes(piece);
    if (!extremes) return std::nullopt;
    all.min = std::min(all.min, extremes->min);
    all.max = std::max(all.max, extremes->max);
    counter.add(piece, *extremes);
  }
  return all;
}

void Histogram::merge(const Histogram& other) {
  if (other.counts_.empty()) return;
  if (counts_.empty()) {
    *this = other;
    return;
  }
  Histogram raised = other;
  raised.raise_to(exponent_);
  raise_to(raised.exponent_);
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += raised.counts_[i];
}

void Histogram::raise_to(int exponent) {
  if (exponent <= exponent_) return;
  const int shift = std::min(exponent - exponent_, 62);
  exponent_ = exponent;
  if (counts_.empty()) return;
  std::vector<uint64_t> coarse(kBins, 0);
  for (int i = 0; i < kBins; ++i) {
    // An arithmetic shift is floor division, which negative bins need.
    const int64_t bin = (static_cast<int64_t>(i) - kHalf) >> shift;
    coarse[static_cast<size_t>(bin + kHalf)] += counts_[static_cast<size_t>(i)];
  }
  counts_ = std::move(coarse);
}

uint64_t Histogram::total() const {
  return std::accumulate(counts_.begin(), counts_.end(), uint64_t{0});
}

double Histogram::bin_width() const { return std::ldexp(1.0, exponent_); }

double Histogram::lower_edge(int index) const {
  return static_cast<double>(index - kHalf) * bin_width();
}

Histogram Histogram::from_counts(int exponent, std::vector<uint64_t> counts) {
  Histogram out;
  out.exponent_ = exponent;
  out.counts_ = std::move(counts);
  return out;
}

}  // namespace octet::calibration
