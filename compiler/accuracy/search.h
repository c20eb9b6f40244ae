// `--effort best`: from the default recipe's plan, one change after the other is tried; what brings
// the network's outputs nearer to float on calibration samples kept apart stays.
//
//   1. whole recipes (recipe_trials.h): weights rounded towards the float outputs, other exponents
//      and headrooms in equalization;
//   2. ranges that clip or widen (range_trials.h), tensor by tensor;
//   3. weights rounded again under the ranges found;
//   4. layer by layer (layer_trials.h): plain rounding, no bias correction.
//
// Samples are halved: candidates come from one half, every change is judged on (at most 48 of) the
// other. A whole recipe is learnt from the first half alone to be judged, so that it cannot have
// learnt the samples it is judged on; it stays if a typical sample's outputs come nearer to float
// (judge.h, gain_over) and the noise summed over samples falls, and is made again from all samples.
// A single change stays if a typical sample's outputs come nearer by more than chance explains, do
// not go further from float on the half that candidates come from, and the noise summed over
// samples falls. Where few of the judged samples speak for some output (effective_samples.h),
// nothing is tried: what those few say does not carry over. No clock decides: trials are bounded by
// the multiply-adds they take, so the plan is the same for any number of threads on any machine,
// unless the search is interrupted; then the best so far is the result.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compiler/accuracy/recipe.h"

namespace octet::accuracy {

struct SearchOptions {
  // Asked between trials; true ends the search.
  std::function<bool()> stop = nullptr;
  // Called when the default plan is there and the search begins.
  std::function<void()> begin = nullptr;
  // Multiply-adds that trials may take in all.
  double work = 3e12;
};

struct KeptChange {
  std::string what;   // "range by l4", "equalization with alpha 0.8", ...
  std::string where;  // a value, a node, or empty for all
  double gain = 0.0;  // dB on a typical judged sample
};

struct SearchReport {
  size_t judged = 0;       // samples
  double speaking = 0.0;   // OutputErrors::effective_samples of them
  bool few_speak = false;  // too few of them: nothing was tried
  size_t trials = 0;       // done
  size_t planned = 0;      // of
  bool interrupted = false;
  double before = 0.0;  // dB, joint error of the outputs on the judged samples
  double after = 0.0;
  std::vector<KeptChange> kept;
};

struct SearchResult {
  RecipeResult recipe;
  SearchReport report;
};

// The fewest samples a search can work with: kBadData for fewer.
inline constexpr size_t kLeastSearchSamples = 8;

Result<SearchResult> plan_with_search(const std::shared_ptr<const ir::Graph>& canonical,
                                      const data::Dataset& dataset, const plan::BackendSpec& spec,
                                      const plan::Recipe& recipe, const RecipeOptions& options,
                                      const SearchOptions& search);

}  // namespace octet::accuracy
