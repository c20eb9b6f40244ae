// Fills histograms fast: of values, and of what Relu makes of them, in one pass.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "compiler/calibration/counted_elements.h"
#include "compiler/calibration/extremes.h"
#include "compiler/calibration/histogram.h"

namespace octet::calibration {

// Counts as Histogram does, but negative values and the others in bins of their own width, each as
// fine as that side allows. The wider of the two is the width of the histogram of all values, which
// the other side then joins without loss; the side that is not negative is what Relu leaves.
class HistogramBuilder {
 public:
  // Nothing when a value is NaN or infinite, and the counts are then not to be used; else the
  // extremes (zeros when there are no values). Where not all elements are counted, the extremes
  // are, once each: no range that is chosen by the histogram ends short of what it has seen.
  std::optional<Extremes> add(std::span<const float> values, const CountedElements& elements);

  Histogram all() const;        // of the values
  Histogram rectified() const;  // of max(value, 0)

 private:
  static constexpr size_t kPiece = 1024;  // values that stay in the nearest cache
  static constexpr int kHalf = Histogram::kHalf;
  static constexpr int kBins = Histogram::kBins;
  // Values that were binned one after the other count in turn in the elements of a pair: those that
  // repeat, as zeros do behind Relu, would wait for each other in one.
  // They are small, because those of the tensor before have pushed them out of the cache.
  using Pair = std::array<uint16_t, 2>;
  static constexpr uint64_t kMostRecent = UINT16_MAX;

  // Makes bins wide enough.
  void fit(const Extremes& extremes);
  // Of extremes that fit() has seen; at most kPiece, each with the weight of recent_.
  void count(std::span<const float> piece, const Extremes& extremes);
  size_t bin_of(float x) const;
  // Adds recent_ to counts_, and begins with a new weight.
  void flush(uint64_t weight);
  std::vector<uint64_t> counts() const;
  Histogram side(int first, int exponent) const;

  int below_ = Histogram::kLeastExponent;  // exponent of bins [0, kHalf)
  int above_ = Histogram::kLeastExponent;  // of the others
  Extremes fits_;                          // what these exponents hold for sure
  std::vector<uint64_t> counts_;           // recent_ apart
  std::vector<Pair> recent_;
  uint64_t recent_count_ = 0;
  uint64_t weight_ = 1;  // of what recent_ counts
};

}  // namespace octet::calibration
