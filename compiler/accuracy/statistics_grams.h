// Grams out of a statistics file.
#pragma once

#include "compiler/accuracy/gram.h"
#include "compiler/calibration/layer_statistics.h"

namespace octet::accuracy {

// In the units of the float data. Products that the file does not hold (across blocks) are 0.
// `layout` has the groups and columns of the statistics.
GramSums gram_sums(const WeightLayout& layout, const calibration::LayerStatistics& seen);

}  // namespace octet::accuracy
