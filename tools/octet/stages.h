// From samples, statistics or batch norms to a plan: what `quantize` does in one process and the
// other verbs one by one.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "compiler/accuracy/draft.h"
#include "compiler/accuracy/recipe.h"
#include "compiler/accuracy/search.h"
#include "compiler/calibration/calibrate.h"
#include "compiler/data/dataset.h"
#include "compiler/ir/graph.h"
#include "compiler/plan/backend_spec.h"
#include "compiler/plan/quant_plan.h"
#include "tools/octet/invocation.h"
#include "tools/octet/model_input.h"
#include "tools/octet/shared_options.h"

namespace octet::tools {

// What quantize and plan are given: --data or --stats, one of them, and nothing about samples
// beside a statistics file. kReal where the samples are still to be opened.
Result<Samples> given_samples(const DataOptions& data, const std::string& statistics);

// Calibrates with progress and a warning about useless samples; errors of the model begin with its
// path.
Result<calibration::Statistics> gather(const std::string& model,
                                       std::shared_ptr<const ir::Graph> graph,
                                       const data::Dataset& dataset,
                                       calibration::CalibrateOptions options,
                                       const Invocation& invocation);

// A plan out of samples, and what was done for it.
struct MadePlan {
  plan::QuantPlan plan;
  int64_t samples = 0;
  std::optional<accuracy::RecipeReport> report;  // of the default effort, and of the best
  std::optional<accuracy::SearchReport> search;  // of the best effort
  std::string why_fast;                          // of the other
  std::shared_ptr<const accuracy::Draft> draft;  // to decide further from
  bool from_statistics = false;                  // the report is of a statistics file
  std::shared_ptr<const ir::Graph> real;  // the float graph that the plan's quantizers speak of
};
Result<MadePlan> plan_from_samples(const std::string& model,
                                   const std::shared_ptr<const ir::Graph>& graph,
                                   const data::Dataset& dataset, const plan::BackendSpec& spec,
                                   const plan::Recipe& recipe, const ChosenEffort& effort,
                                   const Invocation& invocation);
// The same out of a statistics file, whose second-order statistics are used where it has some.
Result<MadePlan> plan_from_file(const std::string& statistics,
                                const std::shared_ptr<const ir::Graph>& graph,
                                const plan::BackendSpec& spec, const plan::Recipe& recipe,
                                const PlanOptions& options, const Invocation& invocation);
// A plan out of the model's batch norms (--data none). `data`: its preprocess tells what the input
// ranges over. kUsage for options that need samples.
Result<MadePlan> plan_from_norms(const std::string& model,
                                 const std::shared_ptr<const ir::Graph>& graph,
                                 const DataOptions& data, const plan::BackendSpec& spec,
                                 const plan::Recipe& recipe, const PlanOptions& options,
                                 const Invocation& invocation);

Result<calibration::Statistics> read_statistics(const std::string& path);

}  // namespace octet::tools
