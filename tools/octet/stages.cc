#include "tools/octet/stages.h"

#include <optional>
#include <utility>

#include "compiler/accuracy/statistics_recipe.h"
#include "compiler/base/files.h"
#include "compiler/base/log.h"
#include "compiler/plan/planner.h"
#include "tools/octet/interruption.h"
#include "tools/octet/progress.h"
#include "tools/octet/sample_warnings.h"

namespace octet::tools {

Result<Samples> given_samples(const DataOptions& data, const std::string& statistics) {
  if (data.path.empty() == statistics.empty()) {
    return usage_error(
        "give either --data (samples to calibrate on, or none) or --stats (a file of octet "
        "calibrate)");
  }
  if (data.path == kNoData) return Samples::kAbsent;
  if (statistics.empty()) return Samples::kReal;
  if (data.samples || !data.preprocess.empty()) {
    return usage_error(data.samples ? "--samples" : "--preprocess",
                       " with --stats: a statistics file has its samples behind it; give it to "
                       "octet calibrate");
  }
  return Samples::kNone;
}

Result<calibration::Statistics> gather(const std::string& model,
                                       std::shared_ptr<const ir::Graph> graph,
                                       const data::Dataset& dataset,
                                       calibration::CalibrateOptions options,
                                       const Invocation& invocation) {
  options.threads = invocation.thread_count();
  OCTET_ASSIGN(options.max_memory, invocation.memory_limit());
  const WatchedDataset watched(dataset);
  auto statistics = [&] {
    Progress progress(invocation, "calibrating");
    options.progress = [&](size_t done, size_t all) { progress.update(done, all); };
    return calibration::calibrate(std::move(graph), watched, options);
  }();
  // Errors of the data name their own file.
  if (!statistics.ok() && statistics.error().code() != ErrorCode::kBadData) {
    return statistics.error().in(model);
  }
  if (!statistics.ok()) return statistics;
  // A shard may well hold blank samples only.
  if (options.shard.count == 1) OCTET_TRY(watched.check());
  if (const auto warning = watched.warning()) log_warning(*warning);
  return statistics;
}

namespace {

// A line of progress per stage of the recipe.
class StagedProgress {
 public:
  explicit StagedProgress(const Invocation& invocation) : invocation_(invocation) {}

  Result<accuracy::RecipeOptions> options() const {
    accuracy::RecipeOptions out;
    out.threads = invocation_.thread_count();
    OCTET_ASSIGN(out.max_memory, invocation_.memory_limit());
    out.progress = [this](const std::string& what, size_t done, size_t all) {
      if (what != stage_) {
        stage_ = what;
        const char* const units = what == "rounding layers" ? "done"
                                  : what == "searching"     ? "trials"
                                                            : "samples";
        progress_.emplace(invocation_, what, units);
      }
      progress_->update(done, all);
    };
    return out;
  }

 private:
  const Invocation& invocation_;
  mutable std::string stage_;
  mutable std::optional<Progress> progress_;
};

// The first SIGINT once the default plan is there ends the search, not the program.
Result<accuracy::SearchResult> searched(const std::shared_ptr<const ir::Graph>& graph,
                                        const data::Dataset& dataset, const plan::BackendSpec& spec,
                                        const plan::Recipe& recipe,
                                        const accuracy::RecipeOptions& options) {
  Interruption interruption;
  accuracy::SearchOptions search;
  search.begin = [&] { interruption.catch_signal(); };
  search.stop = [&] { return interruption.requested(); };
  return accuracy::plan_with_search(graph, dataset, spec, recipe, options, search);
}

}  // namespace

Result<MadePlan> plan_from_samples(const std::string& model,
                                   const std::shared_ptr<const ir::Graph>& graph,
                                   const data::Dataset& dataset, const plan::BackendSpec& spec,
                                   const plan::Recipe& recipe, const ChosenEffort& effort,
                                   const Invocation& invocation) {
  MadePlan out;
  if (effort.effort == Effort::kFast) {
    out.why_fast = effort.why;
    const plan::NeededStatistics needed = plan::needed_statistics(*graph, spec, recipe);
    calibration::CalibrateOptions calibrate;
    calibrate.values = accuracy::values_for_raising(*graph, spec);
    calibrate.values.insert(needed.values.begin(), needed.values.end());
    calibrate.histograms = needed.histograms;
    OCTET_ASSIGN(const calibration::Statistics statistics,
                 gather(model, graph, dataset, std::move(calibrate), invocation));
    out.samples = statistics.samples;
    OCTET_ASSIGN(out.draft, accuracy::draft_of(graph, statistics, spec, recipe));
    out.plan = out.draft->plan;
    out.real = graph;
    return out;
  }
  const StagedProgress progress(invocation);
  OCTET_ASSIGN(const accuracy::RecipeOptions options, progress.options());
  const WatchedDataset watched(dataset);
  auto found = [&]() -> Result<accuracy::SearchResult> {
    if (effort.effort == Effort::kBest) {
      return searched(graph, watched, spec, recipe, options);
    }
    accuracy::SearchResult plain;
    OCTET_ASSIGN(plain.recipe, accuracy::plan_with_recipe(graph, watched, spec, recipe, options));
    return plain;
  }();
  if (!found.ok()) {
    return found.error().code() == ErrorCode::kBadData ? found.error() : found.error().in(model);
  }
  OCTET_TRY(watched.check());
  if (const auto warning = watched.warning()) log_warning(*warning);
  out.plan = std::move(found->recipe.plan);
  out.samples = found->recipe.samples;
  out.report = found->recipe.report;
  out.draft = std::move(found->recipe.draft);
  out.real = out.draft->graph;
  if (effort.effort == Effort::kBest) out.search = std::move(found->report);
  return out;
}

Result<MadePlan> plan_from_file(const std::string& statistics,
                                const std::shared_ptr<const ir::Graph>& graph,
                                const plan::BackendSpec& spec, const plan::Recipe& recipe,
                                const PlanOptions& options, const Invocation& invocation) {
  // A word that no statistics file serves is refused before one is read.
  OCTET_TRY(chosen_effort(options, Samples::kSecondOrder));
  OCTET_ASSIGN(const calibration::Statistics seen, read_statistics(statistics));
  Samples samples = Samples::kNone;
  if (!seen.layers.empty()) {
    samples =
        seen.samples < accuracy::kLeastStatisticsSamples ? Samples::kTooFew : Samples::kSecondOrder;
    if (seen.data_free) samples = Samples::kMadeUp;
  }
  OCTET_ASSIGN(const ChosenEffort effort, chosen_effort(options, samples).in(statistics));
  MadePlan out;
  out.samples = seen.samples;
  out.from_statistics = true;
  if (effort.effort == Effort::kFast) {
    out.why_fast = options.effort.empty() ? cat(statistics, ": ", effort.why) : effort.why;
    OCTET_ASSIGN(out.plan, plan::make_plan(*graph, seen, spec, recipe).in(statistics));
    out.real = graph;
    return out;
  }
  accuracy::RecipeOptions run;
  run.threads = invocation.thread_count();
  OCTET_ASSIGN(run.max_memory, invocation.memory_limit());
  Progress progress(invocation, "rounding layers", "done");
  run.progress = [&](const std::string&, size_t done, size_t all) { progress.update(done, all); };
  OCTET_ASSIGN(accuracy::RecipeResult made,
               accuracy::plan_from_statistics(graph, seen, spec, recipe, run).in(statistics));
  out.plan = std::move(made.plan);
  out.report = made.report;
  out.real = made.equalized;
  return out;
}

Result<calibration::Statistics> read_statistics(const std::string& path) {
  constexpr int64_t kLargest = int64_t{4} << 30;
  OCTET_ASSIGN(const std::string text, read_file(path, kLargest));
  return calibration::Statistics::from_text(text).in(path);
}

}  // namespace octet::tools
