// What `octet analyze` says of every tensor, weight and layer, out of what was measured.
#pragma once

#include <vector>

#include "compiler/accuracy/analyze.h"
#include "compiler/accuracy/layer_probe.h"
#include "compiler/accuracy/noise_sources.h"
#include "compiler/accuracy/tensor_survey.h"
#include "compiler/calibration/statistics.h"

namespace octet::accuracy {

// All borrowed.
struct MeasuredSources {
  const AnalyzeInput& input;
  const NoiseSources& sources;
  const TensorSurvey& survey;
  const calibration::Statistics& statistics;
  const std::vector<double>& tensor_noise;  // of each source alone, relative to the outputs
  const std::vector<double>& weight_noise;
  const std::vector<size_t>& probed;     // layers of `sources`
  const std::vector<LayerNoise>& local;  // of those
  double sum = 0.0;                      // of all noises alone
};

// In the order of the sources.
std::vector<TensorReport> tensor_reports(const MeasuredSources& measured);
std::vector<WeightReport> weight_reports(const MeasuredSources& measured);
std::vector<LayerReport> layer_reports(const MeasuredSources& measured);

}  // namespace octet::accuracy
