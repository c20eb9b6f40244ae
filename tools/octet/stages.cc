#include "tools/octet/stages.h"

#include <algorithm>
#include <iomanip>
#include <sstream>
#include <vector>

#include "backends/backends.h"
#include "compiler/accuracy/statistics_recipe.h"
#include "compiler/base/files.h"
#include "compiler/base/log.h"
#include "compiler/onnx/export.h"
#include "compiler/onnx/import.h"
#include "compiler/ops/schema.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/planner.h"
#include "compiler/plan/unit.h"
#include "tools/octet/progress.h"
#include "tools/octet/sample_warnings.h"
#include "tools/octet/version.h"

namespace octet::tools {

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
  const auto warning = statistics.ok() ? watched.warning() : std::nullopt;
  if (warning) log_warning(*warning);
  return statistics;
}

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
    calibrate.values = needed.values;
    calibrate.histograms = needed.histograms;
    OCTET_ASSIGN(const calibration::Statistics statistics,
                 gather(model, graph, dataset, std::move(calibrate), invocation));
    out.samples = statistics.samples;
    OCTET_ASSIGN(out.plan, plan::make_plan(*graph, statistics, spec, recipe));
    out.real = graph;
    return out;
  }
  accuracy::RecipeOptions options;
  options.threads = invocation.thread_count();
  OCTET_ASSIGN(options.max_memory, invocation.memory_limit());
  std::string stage;
  std::optional<Progress> progress;
  options.progress = [&](const std::string& what, size_t done, size_t all) {
    if (what != stage) {
      stage = what;
      progress.emplace(invocation, what, what == "rounding layers" ? "done" : "samples");
    }
    progress->update(done, all);
  };
  const WatchedDataset watched(dataset);
  auto made = accuracy::plan_with_recipe(graph, watched, spec, recipe, options);
  if (!made.ok()) {
    return made.error().code() == ErrorCode::kBadData ? made.error() : made.error().in(model);
  }
  progress.reset();
  if (const auto warning = watched.warning()) log_warning(*warning);
  out.plan = std::move(made->plan);
  out.samples = made->samples;
  out.report = made->report;
  out.real = made->equalized;
  return out;
}

Result<MadePlan> plan_from_file(const std::string& statistics,
                                const std::shared_ptr<const ir::Graph>& graph,
                                const plan::BackendSpec& spec, const plan::Recipe& recipe,
                                const PlanOptions& options, const Invocation& invocation) {
  OCTET_ASSIGN(const calibration::Statistics seen, read_statistics(statistics));
  Samples samples = Samples::kNone;
  if (!seen.layers.empty()) {
    samples =
        seen.samples < accuracy::kLeastStatisticsSamples ? Samples::kTooFew : Samples::kSecondOrder;
    if (seen.data_free) samples = Samples::kMadeUp;
  }
  OCTET_ASSIGN(const ChosenEffort effort, chosen_effort(options, samples));
  MadePlan out;
  out.samples = seen.samples;
  out.from_statistics = true;
  if (effort.effort == Effort::kFast) {
    out.why_fast = effort.why;
    OCTET_ASSIGN(out.plan, plan::make_plan(*graph, seen, spec, recipe));
    out.real = graph;
    return out;
  }
  accuracy::RecipeOptions run;
  run.threads = invocation.thread_count();
  OCTET_ASSIGN(run.max_memory, invocation.memory_limit());
  Progress progress(invocation, "rounding layers", "done");
  run.progress = [&](const std::string&, size_t done, size_t all) { progress.update(done, all); };
  OCTET_ASSIGN(accuracy::RecipeResult made,
               accuracy::plan_from_statistics(graph, seen, spec, recipe, run));
  out.plan = std::move(made.plan);
  out.report = made.report;
  out.real = made.equalized;
  return out;
}

Json accuracy_json(const MadePlan& made) {
  if (!made.report) return {{"effort", "fast"}, {"why", made.why_fast}};
  Json worst = Json::array();
  for (const auto& layer : made.report->worst) {
    worst.push_back({{"layer", layer.node}, {"sqnr_db", layer.sqnr}});
  }
  return {{"effort", "default"},
          {"equalized_tensors", made.report->equalized_tensors},
          {"equalized_channels", made.report->equalized_channels},
          {"layers", made.report->layers},
          {"rounded_by_second_order", made.report->rounded},
          {"biases_corrected", made.report->corrected},
          {"from_statistics", made.from_statistics},
          {"worst_layers", worst}};
}

std::string accuracy_text(const MadePlan& made) {
  if (!made.report) return cat("accuracy   ranges only: ", made.why_fast, "\n");
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << "accuracy   " << made.report->rounded << " of " << made.report->layers
      << " layers rounded by second order, " << made.report->corrected << " biases corrected, "
      << made.report->equalized_tensors << " tensors equalized"
      << (made.from_statistics ? ", from statistics alone\n" : "\n");
  const auto& worst = made.report->worst;
  for (size_t i = 0; i < worst.size(); ++i) {
    out << (i == 0 ? "worst      " : ", ") << worst[i].node << ' ' << std::fixed
        << std::setprecision(1) << worst[i].sqnr << " dB";
  }
  if (!worst.empty()) out << " at the layer itself; octet analyze tells more\n";
  return out.str();
}

Result<calibration::Statistics> read_statistics(const std::string& path) {
  constexpr int64_t kLargest = int64_t{4} << 30;
  OCTET_ASSIGN(const std::string text, read_file(path, kLargest));
  return calibration::Statistics::from_text(text).in(path);
}

Result<ir::Graph> apply_and_emit(ir::Graph canonical, const plan::QuantPlan& plan,
                                 const plan::BackendSpec& spec, backends::PlanFrom from) {
  OCTET_TRY(plan::apply_plan(canonical, plan));
  canonical.model.producer_name = "octet";
  canonical.model.producer_version = kVersion;
  if (plan.data_free) canonical.model.metadata.emplace_back("octet.data_free", "true");
  OCTET_TRY(backends::emit(canonical, spec, from));
  return canonical;
}

Status write_checked(const ir::Graph& graph, const std::string& path) {
  const auto bytes = onnx::export_model(graph);
  if (!bytes.ok()) {
    // Too large for one message: written with a data file beside, which has no single image to
    // read back first.
    if (bytes.error().code() == ErrorCode::kResourceLimit) return onnx::write_model(graph, path);
    return bytes.error();
  }
  const auto again = onnx::import_bytes(*bytes, "");
  if (!again.ok())
    return internal_error("the written model reads back as: ", again.error().message());
  if (!(*again == graph)) {
    return internal_error("the written model reads back as another graph; nothing was written");
  }
  return write_file_atomic(path, *bytes);
}

PlanSummary summarize(const ir::Graph& canonical, const plan::QuantPlan& plan) {
  PlanSummary out;
  const auto& order = canonical.order();
  for (size_t i = 0; i < order.size() && i < plan.remarks.size(); ++i) {
    const plan::Remark& remark = plan.remarks[i];
    const ir::Node& node = canonical.node(order[i]);
    const ops::OpSchema* schema = ops::find_schema(node);
    // Shape arithmetic and factors of weights are no candidates for integers.
    const bool computes_float =
        node.output().valid() &&
        canonical.value(node.output()).type.storage == ir::DType::kFloat32 &&
        !plan::is_constant_like(canonical, node.output());
    if (schema != nullptr && !computes_float) continue;
    const bool linear = schema != nullptr && schema->weight_channel_axis != nullptr;
    const bool integer = remark.decision == plan::Decision::kInteger;
    ++out.nodes;
    out.linear += linear ? 1 : 0;
    out.nodes_integer += integer ? 1 : 0;
    out.linear_integer += linear && integer ? 1 : 0;
    if (!integer) ++out.float_reasons[cat(remark.op_type, ": ", remark.reason)];
  }
  return out;
}

Json to_json(const PlanSummary& summary) {
  Json reasons = Json::object();
  for (const auto& [reason, count] : summary.float_reasons) reasons[reason] = count;
  return {{"products", summary.linear},
          {"products_integer", summary.linear_integer},
          {"operators", summary.nodes},
          {"operators_integer", summary.nodes_integer},
          {"float", reasons}};
}

std::string to_text(const PlanSummary& summary) {
  std::ostringstream out;
  out << "integers   " << summary.linear_integer << " of " << summary.linear
      << " products of weights, " << summary.nodes_integer << " of " << summary.nodes
      << " operators\n";
  std::vector<std::pair<std::string, int64_t>> reasons(summary.float_reasons.begin(),
                                                       summary.float_reasons.end());
  std::stable_sort(reasons.begin(), reasons.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  constexpr size_t kShown = 6;
  for (size_t i = 0; i < std::min(reasons.size(), kShown); ++i) {
    out << (i == 0 ? "float      " : "           ") << reasons[i].second << " x "
        << reasons[i].first << '\n';
  }
  if (reasons.size() > kShown) {
    out << "           and " << reasons.size() - kShown
        << " more kinds; octet plan lists every node\n";
  }
  return out.str();
}

}  // namespace octet::tools
