// What could be done about a source of noise, tried on the samples that noise is measured on.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/accuracy/analyze.h"
#include "compiler/accuracy/noise_sources.h"
#include "compiler/accuracy/output_noise.h"

namespace octet::accuracy {

// An edit of the float graph, whose noise at the outputs is to be measured.
struct Trial {
  Cure cure;
  std::function<Status(ir::Graph&)> edit;
  double before = 0.0;  // the source's noise without the cure
};

struct CureContext {
  const AnalyzeInput& input;
  const PartQuantized& part;
  const NoiseSources& sources;
  const TensorSurvey& survey;
  const calibration::Statistics& statistics;
  const HeldSamples& samples;
  const AnalyzeOptions& options;
};

// Clipped ranges (mse, percentile 99.99 and 99.9), and equalization where that is still to be done,
// as each channel getting the share of the range that it would have then.
Result<std::vector<Trial>> tensor_trials(const CureContext& context, size_t tensor);

// Rounding by second order where it is to nearest; a scale per channel where there is one for all;
// the columns that read dead channels set to zero, where they set a scale.
Result<std::vector<Trial>> weight_trials(const CureContext& context, size_t weight);

}  // namespace octet::accuracy
