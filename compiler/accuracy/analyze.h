// Measures where the noise of a plan comes from; see analysis.h for what the figures mean.
//
// Ranges, channels and samples are looked at over all samples, noise over a few, evenly spread: as
// many of 16 as keep (sources + cures) runs below 1.2e12 multiply-adds and their inputs below a
// sixteenth of the memory, but at least 4 (or what there is). So the figures hang on the model and
// the data alone, never on the machine's speed or the number of threads.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "compiler/accuracy/analysis.h"
#include "compiler/accuracy/held_samples.h"
#include "compiler/base/budget.h"
#include "compiler/base/result.h"
#include "compiler/calibration/statistics.h"
#include "compiler/data/dataset.h"
#include "compiler/plan/backend_spec.h"
#include "compiler/plan/quant_plan.h"

namespace octet::accuracy {

struct AnalyzeInput {
  // The float graph that the plan's quantizers speak of: its scalings are done in it.
  std::shared_ptr<const ir::Graph> real;
  const plan::QuantPlan& plan;
  const plan::BackendSpec& spec;
  // Whether the recipe has equalized what it can: then that is no cure any more.
  enum class Equalized { kDone, kNot } equalized = Equalized::kNot;
};

struct AnalyzeOptions {
  size_t threads = 1;
  int64_t max_memory = MemoryBudget::default_limit_bytes();
  size_t cured = 10;  // sources for which cures are tried
  // (what is being done, steps done, all steps); from any thread, one call at a time.
  std::function<void(const std::string&, size_t, size_t)> progress = nullptr;
};

struct AnalyzeResult {
  Analysis analysis;
  calibration::Statistics statistics;  // of the inputs and every quantized tensor, with histograms
  HeldSamples samples;                 // that noise was measured on
};

// Errors are those of calibration: kBadData names the sample.
Result<AnalyzeResult> analyze(const AnalyzeInput& input, const data::Dataset& dataset,
                              const AnalyzeOptions& options);

// The statistics alone, of the same values: for a second set of samples to be held against the
// first.
Result<calibration::Statistics> observed_statistics(const AnalyzeInput& input,
                                                    const data::Dataset& dataset,
                                                    const AnalyzeOptions& options);

}  // namespace octet::accuracy
