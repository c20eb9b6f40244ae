// The range choosers that look at a histogram. Results may reach beyond what was observed by less
// than a bin; choose_range cuts them back.
#pragma once

#include <cstdint>

#include "compiler/calibration/histogram.h"
#include "compiler/calibration/range.h"

namespace octet::calibration {

// The narrowest range whose tails together hold at most (100 - percentile) % of the elements: cut
// at equal shares on both sides, or by magnitude for a symmetric range.
Range percentile_range(const Histogram& histogram, double percentile, RangeShape shape);

// Migacz, "8-bit inference with TensorRT", GTC 2017 (S7310): over magnitudes, for each threshold t
// the clipped distribution P against Q, which has levels / 2 values; least KL(P || Q). The bins at
// zero are left out (an atom at zero has no rounding error and would outweigh the rest).
Range kl_range(const Histogram& histogram, int64_t levels);

// Least E(a, b) = N_in * D^2 / 12 + clipping error, D = (b - a) / (levels - 1), over a grid of 64
// steps an end; the clipping term from prefix sums of counts, first and second moments.
Range mse_range(const Histogram& histogram, const Range& observed, int64_t levels,
                RangeShape shape);

}  // namespace octet::calibration
