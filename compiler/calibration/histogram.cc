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

// Counts into several tables in turn: values that repeat, as zeros do behind Relu, would wait for
// each other in one.
void count_in_pieces(std::span<const float> values, float inverse_width,
                     std::vector<uint64_t>& counts) {
  constexpr size_t kPiece = 1024;
  constexpr size_t kTables = 4;
  constexpr size_t kWorthTables = 1 << 14;
  constexpr size_t kMostPerTables = size_t{1} << 30;  // keeps 32 bits from running over
  std::array<uint16_t, kPiece> bins;
  std::array<std::array<uint32_t, Histogram::kBins + 16>, kTables> tables;
  while (!values.empty()) {
    const std::span<const float> part = values.first(std::min(values.size(), kMostPerTables));
    values = values.subspan(part.size());
    const bool with_tables = part.size() >= kWorthTables;
    if (with_tables) tables = {};
    for (size_t at = 0; at < part.size(); at += kPiece) {
      const size_t count = std::min(kPiece, part.size() - at);
      bins_of(part.data() + at, count, inverse_width, Histogram::kHalf, bins.data());
      size_t i = 0;
      for (; with_tables && i + kTables <= count; i += kTables) {
        for (size_t t = 0; t < kTables; ++t) ++tables[t][bins[i + t]];
      }
      for (; i < count; ++i) ++counts[bins[i]];
    }
    if (!with_tables) continue;
    for (const auto& table : tables) {
      for (size_t i = 0; i < counts.size(); ++i) counts[i] += table[i];
    }
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

void Histogram::add(std::span<const float> values) {
  if (values.empty()) return;
  const auto [min, max] = std::minmax_element(values.begin(), values.end());
  add(values, {*min, *max});
}

void Histogram::add(std::span<const float> values, const Extremes& extremes) {
  if (values.empty()) return;
  if (counts_.empty()) counts_.assign(kBins, 0);
  raise_to(least_exponent(extremes.min, extremes.max));
  if (-exponent_ > kGreatestFloatExponent) {
    const double inverse = std::ldexp(1.0, -exponent_);
    for (float x : values) ++counts_[static_cast<size_t>(bin_of(x, inverse) + kHalf)];
  } else {
    count_in_pieces(values, std::ldexp(1.0F, -exponent_), counts_);
  }
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
