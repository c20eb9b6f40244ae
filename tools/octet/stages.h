// The stages between the files: what `quantize` does in one process and the other verbs one by one.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "backends/backends.h"
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
// What the summary says of the samples: "calibrated on 100 samples".
std::string samples_text(const MadePlan& made);
// What the summary says of accuracy.
Json accuracy_json(const MadePlan& made);
std::string accuracy_text(const MadePlan& made);

Result<calibration::Statistics> read_statistics(const std::string& path);

// The canonical graph with the plan done to it, in the backend's form, checked against the
// backend's description.
Result<ir::Graph> apply_and_emit(ir::Graph canonical, const plan::QuantPlan& plan,
                                 const plan::BackendSpec& spec,
                                 backends::PlanFrom from = backends::PlanFrom::kPlanner);

// Writes the model; what is in the file has been read back and found equal before the name appears.
Status write_checked(const ir::Graph& graph, const std::string& path);

// What ran in integers and what stayed float.
struct PlanSummary {
  int64_t linear = 0;  // operators with a weight operand
  int64_t linear_integer = 0;
  int64_t nodes = 0;
  int64_t nodes_integer = 0;
  std::map<std::string, int64_t> float_reasons;  // "Softmax: reason" -> nodes
};
PlanSummary summarize(const ir::Graph& canonical, const plan::QuantPlan& plan);
Json to_json(const PlanSummary& summary);
std::string to_text(const PlanSummary& summary);

}  // namespace octet::tools
