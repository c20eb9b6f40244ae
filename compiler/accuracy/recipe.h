// The default accuracy recipe: what `octet quantize` does beyond choosing ranges.
//
//   1. a pass in float measures the channels; equalization (equalize.h) is decided and done;
//   2. a second pass gathers ranges and mean columns of the equalized model;
//   3. the plan is made as it would be without the recipe;
//   4. the lockstep pass (refine.h) rounds weights by second order and corrects biases.
//
// The result is a plan like any other: it says everything that was decided, and applying it to the
// canonical graph needs neither data nor this folder.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "compiler/accuracy/refine.h"
#include "compiler/base/result.h"
#include "compiler/calibration/calibrate.h"
#include "compiler/data/dataset.h"
#include "compiler/plan/backend_spec.h"
#include "compiler/plan/quant_plan.h"
#include "compiler/plan/recipe.h"

namespace octet::accuracy {

struct RecipeOptions {
  size_t threads = 1;
  int64_t max_memory = MemoryBudget::default_limit_bytes();
  // (what is being done, steps done, all steps); from any thread, one call at a time.
  std::function<void(const std::string&, size_t, size_t)> progress = nullptr;
};

struct RecipeReport {
  size_t equalized_tensors = 0;
  size_t equalized_channels = 0;
  size_t layers = 0;     // that second order looked at
  size_t rounded = 0;    // of those, the ones it changed
  size_t corrected = 0;  // biases
  size_t targeted = 0;   // layers rounded towards the float output (weights of less than 8 bits)
  size_t dead_channels = 0;  // absorbed into the next bias (per-tensor weights)
  size_t high_biases = 0;    // channels whose bias the next one took over (per-tensor weights)
  // The layers whose own output suffers most from their quantizers, worst first, at most 3.
  std::vector<LayerQuality> worst = {};
};

struct Draft;

struct RecipeResult {
  plan::QuantPlan plan;
  int64_t samples = 0;
  RecipeReport report;
  std::shared_ptr<const Draft> draft = nullptr;  // to decide further from; see draft.h
  // The float graph that the plan's quantizers speak of: the canonical one, equalized, with its
  // biases as they were.
  std::shared_ptr<const ir::Graph> equalized;
};

// The same plan for any number of threads. Errors are those of calibrate and make_plan.
Result<RecipeResult> plan_with_recipe(const std::shared_ptr<const ir::Graph>& canonical,
                                      const data::Dataset& dataset, const plan::BackendSpec& spec,
                                      const plan::Recipe& recipe, const RecipeOptions& options);

}  // namespace octet::accuracy
