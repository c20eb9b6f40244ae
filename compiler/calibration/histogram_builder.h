// Fills histograms fast: of values, and of what Relu makes of them, in one pass.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "compiler/calibration/extremes.h"
#include "compiler/calibration/histogram.h"

namespace octet::calibration {

// Counts as Histogram does, but negative values and the others in bins of their own width, each as
// fine as that side allows. The wider of the two is the width of the histogram of all values, which
// the other side then joins without loss; the side that is not negative is what Relu leaves.
class HistogramBuilder {
 public:
  // Nothing when a value is NaN or infinite, and the counts are then not to be used; else the
  // extremes (zeros when there are no values).
  std::optional<Extremes> add(std::span<const float> values);

  Histogram all() const;        // of the values
  Histogram rectified() const;  // of max(value, 0)

 private:
  class Counter;
  static constexpr size_t kPiece = 1024;  // values that stay in the cache
  static constexpr int kHalf = Histogram::kHalf;
  static constexpr int kBins = Histogram::kBins;

  Histogram side(int first, int exponent) const;

  int below_ = Histogram::kLeastExponent;  // exponent of bins [0, kHalf)
  int above_ = Histogram::kLeastExponent;  // of the others
  std::vector<uint64_t> counts_;
};

}  // namespace octet::calibration
