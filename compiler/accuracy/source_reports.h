// Parts of an analysis that follow from one source alone.
#pragma once

#include <utility>

#include "compiler/accuracy/analysis.h"
#include "compiler/accuracy/layers.h"
#include "compiler/calibration/statistics.h"
#include "compiler/ir/quant_params.h"

namespace octet::accuracy {

// What the quantizer covers, half a step beyond its ends included: less is rounding, not clipping.
std::pair<float, float> covered_by(const ir::QuantParams& params);

// TensorReport::use for a range of this width; 0 without a histogram.
double range_use(const calibration::TensorStatistics& statistics, float covered);

// The spread of a layer's rows and how many of them are zeros.
void describe_rows(const ir::Graph& graph, const Layer& layer, WeightReport& report);

// Most first; layers keep pointing to their weights and tensors.
void sort_reports(Analysis& analysis);

}  // namespace octet::accuracy
