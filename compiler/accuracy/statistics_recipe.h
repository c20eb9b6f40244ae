// The default recipe from a statistics file with second-order statistics, without a sample:
//
//   1. channels are equalized by their greatest magnitudes, where every range is min-max (other
//      choosers need histograms, which cannot be scaled channel by channel);
//   2. ranges of the equalized model follow exactly from the extremes of every channel;
//   3. the plan is made as it would be without the recipe;
//   4. weights are rounded by second order under the float model's Grams, scaled as the channels
//      were; the rounding noise of the layer's own data is added to their diagonal. Biases take up
//      what rounding moves in the mean of the output. Both only where columns kept apart say so.
//
// What it cannot have is the lockstep pass (refine.h): the noise of the layers before.
#pragma once

#include <memory>

#include "compiler/accuracy/recipe.h"
#include "compiler/calibration/statistics.h"

namespace octet::accuracy {

// Second-order statistics of fewer samples than this say too little.
inline constexpr int64_t kLeastStatisticsSamples = 8;

// The same plan for any number of threads. Errors are those of make_plan.
Result<RecipeResult> plan_from_statistics(const std::shared_ptr<const ir::Graph>& canonical,
                                          const calibration::Statistics& statistics,
                                          const plan::BackendSpec& spec, const plan::Recipe& recipe,
                                          const RecipeOptions& options);

}  // namespace octet::accuracy
