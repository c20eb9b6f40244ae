#include "compiler/calibration/histogram.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace octet::calibration {
namespace {

// floor(x / 2^exponent). The product is exact: a float times a power of two fits a double.
int64_t bin_of(float x, double inverse_width) {
  return static_cast<int64_t>(std::floor(static_cast<double>(x) * inverse_width));
}

}  // namespace

int Histogram::least_exponent(float min, float max) {
  const float magnitude = std::max(std::abs(min), std::abs(max));
  if (magnitude == 0.0F) return kLeastExponent;
  int exponent = std::max(std::ilogb(magnitude) - 10, kLeastExponent);
  const auto fits = [&](int e) {
    const double inverse = std::ldexp(1.0, -e);
    return bin_of(min, inverse) >= -kHalf && bin_of(max, inverse) < kHalf;
  };
  while (!fits(exponent)) ++exponent;
  return exponent;
}

void Histogram::add(std::span<const float> values) {
  if (values.empty()) return;
  if (counts_.empty()) counts_.assign(kBins, 0);
  const auto [min, max] = std::minmax_element(values.begin(), values.end());
  raise_to(least_exponent(*min, *max));
  const double inverse = std::ldexp(1.0, -exponent_);
  for (float x : values) ++counts_[static_cast<size_t>(bin_of(x, inverse) + kHalf)];
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
