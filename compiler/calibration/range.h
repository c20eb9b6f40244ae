// From what was observed to the range that a quantizer covers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/base/result.h"
#include "compiler/calibration/statistics.h"

namespace octet::calibration {

enum class RangeKind {
  kMinMax,         // all that was seen; the default, the only one that never failed
  kAverageMinMax,  // means over the samples of each sample's extremes
  kPercentile,     // cuts off the same share of elements at both ends together
  kKl,             // least Kullback-Leibler divergence (Migacz 2017, TensorRT)
  kMse,            // least mean squared quantization error
};

struct RangeMethod {
  RangeKind kind = RangeKind::kMinMax;
  double percentile = 99.99;  // in (50, 100]; kPercentile only

  bool needs_histogram() const {
    return kind != RangeKind::kMinMax && kind != RangeKind::kAverageMinMax;
  }
  bool operator==(const RangeMethod&) const = default;
};

// "min-max", "average", "percentile", "percentile:99.9", "kl", "mse". kUsage with the nearest name
// otherwise.
Result<RangeMethod> parse_range_method(std::string_view text);
std::string to_string(const RangeMethod& method);

struct Range {
  float min = 0.0F;
  float max = 0.0F;
  bool operator==(const Range&) const = default;
};

// The smallest range that holds both.
Range unite(const Range& a, const Range& b);

// kBadData when nothing was observed, or the method needs a histogram that was not gathered.
// `levels` is qmax - qmin + 1 of the quantizer (256 for 8 bits), for the methods that weigh
// rounding against clipping. The result lies within what was observed; a range that must be
// symmetric is searched as such with `symmetric`.
enum class RangeShape { kAnywhere, kSymmetric };
Result<Range> choose_range(const TensorStatistics& statistics, const RangeMethod& method,
                           int64_t levels, RangeShape shape);

}  // namespace octet::calibration
