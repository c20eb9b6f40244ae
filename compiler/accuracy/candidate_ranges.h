// Ranges that may serve an activation better than all that was seen: proposals, to be judged at the
// outputs of the network (search.h). By themselves they mislead.
#pragma once

#include <string>
#include <vector>

#include "compiler/calibration/range.h"
#include "compiler/calibration/statistics.h"

namespace octet::accuracy {

struct CandidateRange {
  std::string method;  // "mse", "l3", "l4", "kl", "percentile:99.99", "widening", ...
  calibration::Range range;
};

// Expected mean of |x - q(x)|^power over the observed elements for a quantizer of `levels` levels
// over `range`, from the histogram: (D / 2)^power / (power + 1) for each element inside (none for
// what is zero), |x - end|^power outside, D = (max - min) / (levels - 1). 0 without a histogram.
double expected_error(const calibration::TensorStatistics& statistics,
                      const calibration::Range& range, int64_t levels, double power);

// The range about 0 of least expected_error: 48 steps an end, one end after the other.
calibration::Range least_error_range(const calibration::TensorStatistics& statistics,
                                     const calibration::Range& observed, int64_t levels,
                                     calibration::RangeShape shape, double power);

// In a fixed order. `current`: what the plan has. Candidates hold zero, differ from `current` and
// from each other by more than 2 % of its width, and are at least 1/32 as wide. Nothing without a
// histogram.
std::vector<CandidateRange> candidate_ranges(const calibration::TensorStatistics& statistics,
                                             const calibration::Range& current, int64_t levels,
                                             calibration::RangeShape shape);

// A little wider and narrower than `current`: another step puts what the network reads most often
// (a flat background, the grid of an 8-bit picture) elsewhere between two levels.
std::vector<CandidateRange> resized_ranges(const calibration::Range& current);

}  // namespace octet::accuracy
