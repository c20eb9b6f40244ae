#include "tools/octet/stages.h"

#include <algorithm>
#include <iomanip>
#include <sstream>
#include <vector>

#include "backends/backends.h"
#include "compiler/accuracy/data_free.h"
#include "compiler/accuracy/statistics_recipe.h"
#include "compiler/base/files.h"
#include "compiler/base/log.h"
#include "compiler/onnx/export.h"
#include "compiler/onnx/import.h"
#include "compiler/ops/schema.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/effective_formats.h"
#include "compiler/plan/formats.h"
#include "compiler/plan/planner.h"
#include "compiler/plan/unit.h"
#include "passes/lift_opset.h"
#include "tools/octet/body_products.h"
#include "tools/octet/interruption.h"
#include "tools/octet/progress.h"
#include "tools/octet/sample_warnings.h"
#include "tools/octet/version.h"

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

namespace {

// What pixels of 0 to 255 become, one channel for all where the layout has channels last.
accuracy::ValueMoments pixels_of(const data::Preprocess& preprocess) {
  // Natural pictures: about the mean and deviation of ImageNet's, all channels together.
  constexpr double kMean = 116.0;
  constexpr double kDeviation = 65.0;
  const size_t channels = preprocess.channels == data::Channels::kGray ? 1 : 3;
  accuracy::ValueMoments out;
  for (size_t c = 0; c < channels; ++c) {
    const double mean = preprocess.mean[c % preprocess.mean.size()];
    const double std = preprocess.std[c % preprocess.std.size()];
    const double low = std::min(-mean / std, (255.0 - mean) / std);
    const double high = std::max(-mean / std, (255.0 - mean) / std);
    out.channels.push_back({(kMean - mean) / std, kDeviation / std, low, high});
  }
  if (preprocess.layout == data::Layout::kNhwc) out.axis = 3;
  return out;
}

Status check_without_data(const DataOptions& data, const plan::Recipe& recipe,
                          const PlanOptions& options) {
  if (data.samples) return usage_error("--samples with --data none: there are no samples");
  if (!options.effort.empty()) {
    return usage_error("--effort ", options.effort,
                       " with --data none: it says what to do with samples");
  }
  bool other = recipe.range != calibration::RangeMethod();
  for (const plan::Override& entry : recipe.overrides) other = other || entry.range.has_value();
  if (other) {
    return usage_error("range methods with --data none: ranges come from batch norms");
  }
  return {};
}

Json search_json(const accuracy::SearchReport& report) {
  Json kept = Json::array();
  for (const accuracy::KeptChange& change : report.kept) {
    kept.push_back({{"change", change.what}, {"at", change.where}, {"gain_db", change.gain}});
  }
  return {{"judged_samples", report.judged},   {"trials", report.trials},
          {"interrupted", report.interrupted}, {"before_db", report.before},
          {"after_db", report.after},          {"kept", kept}};
}

std::string search_text(const accuracy::SearchReport& report) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << std::fixed << std::setprecision(2) << "search     " << report.trials << " trials, "
      << report.kept.size() << " kept" << (report.interrupted ? ", interrupted" : "") << "; "
      << report.before << " -> " << report.after << " dB joint over the outputs, on "
      << report.judged << " samples kept apart\n";
  for (const accuracy::KeptChange& change : report.kept) {
    out << "           " << std::showpos << std::setw(6) << change.gain << std::noshowpos << " dB  "
        << change.what << (change.where.empty() ? "" : cat(": ", change.where)) << '\n';
  }
  return std::move(out).str();
}

}  // namespace

Result<MadePlan> plan_from_norms(const std::string& model,
                                 const std::shared_ptr<const ir::Graph>& graph,
                                 const DataOptions& data, const plan::BackendSpec& spec,
                                 const plan::Recipe& recipe, const PlanOptions& options,
                                 const Invocation& invocation) {
  OCTET_TRY(check_without_data(data, recipe, options));
  accuracy::DataFreeOptions without;
  without.threads = invocation.thread_count();
  // The canonical graph has its batch norms folded.
  OCTET_ASSIGN(const ir::Graph loaded, load_model(model));
  without.facts = accuracy::gather_norm_facts(loaded);
  if (!data.preprocess.empty()) {
    OCTET_ASSIGN(const data::Preprocess preprocess, data::parse_preprocess(data.preprocess));
    for (const ir::ValueId id : graph->required_inputs()) {
      without.inputs[graph->value(id).name] = pixels_of(preprocess);
    }
  }
  auto made = accuracy::plan_without_data(graph, spec, recipe, without);
  if (!made.ok()) return made.error().in(model);
  MadePlan out;
  out.plan = std::move(made->plan);
  out.report = made->report;
  out.real = made->equalized;
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

std::string samples_text(const MadePlan& made) {
  if (made.plan.data_free && made.report) {
    return "data-free  ranges and means from batch norms, no samples\n";
  }
  return cat("calibrated on ", made.samples, made.samples == 1 ? " sample" : " samples",
             made.plan.data_free ? " (data-free)" : "", "\n");
}

namespace {

bool asks_for_int4(const plan::QuantPlan& plan) {
  const auto formats = plan::parse_formats(plan.formats);
  return formats.ok() && formats->weights == plan::WeightWidth::kInt4;
}

// The number formats of a plan in words; empty where they are the backend's own.
std::string formats_of(const plan::QuantPlan& plan) {
  const auto formats = plan::parse_formats(plan.formats);
  if (!formats.ok()) return {};
  std::string out = plan::describe(*formats);
  if (!asks_for_int4(plan)) return out;
  const int64_t narrow = plan::narrow_layer_count(plan);
  out += cat("; ", narrow, narrow == 1 ? " layer has" : " layers have", " int4 weights");
  if (narrow == 0 && formats->narrow_layers == plan::NarrowLayers::kInner) {
    out += " (--narrow-layers all takes first and last ones, too)";
  }
  return out;
}

Json recipe_json(const MadePlan& made) {
  if (!made.report) return {{"effort", "fast"}, {"why", made.why_fast}};
  Json out = {{"effort", made.plan.data_free ? "data-free"
                         : made.search       ? "best"
                                             : "default"},
              {"equalized_tensors", made.report->equalized_tensors},
              {"equalized_channels", made.report->equalized_channels},
              {"layers", made.report->layers},
              {"rounded_by_second_order", made.report->rounded},
              {"biases_corrected", made.report->corrected}};
  Json worst = Json::array();
  for (const auto& layer : made.report->worst) {
    worst.push_back({{"layer", layer.node}, {"sqnr_db", layer.sqnr}});
  }
  out["worst_layers"] = worst;
  out["from_statistics"] = made.from_statistics;
  if (made.search) out["search"] = search_json(*made.search);
  return out;
}

std::string recipe_text(const MadePlan& made) {
  if (!made.report) return cat("accuracy   ranges only: ", made.why_fast, "\n");
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << "accuracy   " << made.report->rounded << " of " << made.report->layers
      << " layers rounded by second order, " << made.report->corrected << " biases corrected, "
      << made.report->equalized_tensors << " tensors equalized"
      << (made.from_statistics ? ", from statistics alone\n" : "\n");
  if (made.search) out << search_text(*made.search);
  const auto& worst = made.report->worst;
  for (size_t i = 0; i < worst.size(); ++i) {
    out << (i == 0 ? "worst      " : ", ") << worst[i].node << ' ' << std::fixed
        << std::setprecision(1) << worst[i].sqnr << " dB";
  }
  if (!worst.empty()) out << " at the layer itself; octet analyze tells more\n";
  return std::move(out).str();
}

}  // namespace

Json accuracy_json(const MadePlan& made) {
  Json out = recipe_json(made);
  if (!made.plan.formats.empty()) out["formats"] = made.plan.formats;
  if (asks_for_int4(made.plan)) out["int4_layers"] = plan::narrow_layer_count(made.plan);
  if (made.report && made.report->targeted > 0) {
    out["rounded_towards_float"] = made.report->targeted;
  }
  if (made.report && made.report->dead_channels + made.report->high_biases > 0) {
    out["dead_channels_absorbed"] = made.report->dead_channels;
    out["high_biases_absorbed"] = made.report->high_biases;
  }
  return out;
}

std::string accuracy_text(const MadePlan& made) {
  const std::string formats = formats_of(made.plan);
  std::string out = formats.empty() ? "" : cat("formats    ", formats, "\n");
  out += recipe_text(made);
  if (made.report && made.report->dead_channels + made.report->high_biases > 0) {
    out += cat("           ", made.report->dead_channels, " dead channels and ",
               made.report->high_biases, " high biases absorbed\n");
  }
  return out;
}

Result<calibration::Statistics> read_statistics(const std::string& path) {
  constexpr int64_t kLargest = int64_t{4} << 30;
  OCTET_ASSIGN(const std::string text, read_file(path, kLargest));
  return calibration::Statistics::from_text(text).in(path);
}

namespace {

// Operators in the form of the version that the file states: formats and descriptions may ask for a
// newer one than canonical graphs have.
Status lift_to(int64_t opset, ir::Graph& graph) {
  constexpr int64_t kCanonical = 17;
  if (graph.model.opset() < kCanonical || graph.model.opset() >= opset) return {};
  passes::PassContext context;
  OCTET_ASSIGN(const passes::PassReport report, passes::lift_opset(graph, {opset}, context));
  if (report.changed || report.left_alone.empty()) return {};
  return unsupported("the target's format needs operator set ", opset, ": ",
                     report.left_alone.front());
}

}  // namespace

Result<ir::Graph> apply_and_emit(ir::Graph canonical, const plan::QuantPlan& plan,
                                 const plan::BackendSpec& spec, backends::PlanFrom from) {
  OCTET_TRY(plan::apply_plan(canonical, plan));
  canonical.model.producer_name = "octet";
  canonical.model.producer_version = kVersion;
  const std::string formats = plan::effective_formats(plan);
  if (!formats.empty()) canonical.model.metadata.emplace_back("octet.formats", formats);
  if (plan.data_free) canonical.model.metadata.emplace_back("octet.data_free", "true");
  plan::BackendSpec target = spec;
  target.opset = plan::needed_opset(spec, plan);
  OCTET_TRY(lift_to(target.opset, canonical));
  OCTET_TRY(backends::emit(canonical, target, from));
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

namespace {

// What was raised for a target says its effect behind a colon: one kind all the same.
std::string short_reason(const std::string& reason) {
  return reason.rfind("raised to float", 0) == 0 ? reason.substr(0, reason.find(':')) : reason;
}

}  // namespace

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
        numerics::is_floating_point(canonical.value(node.output()).type.storage) &&
        !plan::is_constant_like(canonical, node.output());
    if (schema != nullptr && !computes_float) continue;
    const bool linear = schema != nullptr && schema->weight_channel_axis != nullptr;
    const bool integer = remark.decision == plan::Decision::kInteger;
    ++out.nodes;
    out.linear += linear ? 1 : 0;
    out.nodes_integer += integer ? 1 : 0;
    out.linear_integer += linear && integer ? 1 : 0;
    if (!integer) ++out.float_reasons[cat(remark.op_type, ": ", short_reason(remark.reason))];
  }
  for (const auto& [reason, count] : products_in_bodies(canonical)) {
    out.linear += count;
    out.nodes += count;
    out.float_reasons[reason] += count;
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
  if (summary.nodes_integer == 0) {
    out << "           nothing was quantized: the model computes in float as before\n";
  }
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
