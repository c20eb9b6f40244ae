// Decides which values are quantized, with which parameters, and says why. Edits nothing.
#pragma once

#include <set>
#include <string>

#include "compiler/base/result.h"
#include "compiler/calibration/statistics.h"
#include "compiler/ir/graph.h"
#include "compiler/plan/backend_spec.h"
#include "compiler/plan/quant_plan.h"
#include "compiler/plan/recipe.h"

namespace octet::plan {

// `graph` is canonical and `statistics` were gathered on it: kUsage when the fingerprints differ or
// a recipe selector matches nothing, kBadData when a needed value was never observed.
Result<QuantPlan> make_plan(const ir::Graph& graph, const calibration::Statistics& statistics,
                            const BackendSpec& spec, const Recipe& recipe);

// The values whose statistics make_plan will ask for, and of those the ones that need a histogram.
struct NeededStatistics {
  std::set<ir::ValueId> values;
  std::set<ir::ValueId> histograms;
};
NeededStatistics needed_statistics(const ir::Graph& graph, const BackendSpec& spec,
                                   const Recipe& recipe);

}  // namespace octet::plan
