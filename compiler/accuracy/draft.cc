#include "compiler/accuracy/draft.h"

#include <algorithm>
#include <map>
#include <set>

#include "compiler/accuracy/effective_samples.h"
#include "compiler/accuracy/equalize_for.h"
#include "compiler/accuracy/finish_plan.h"
#include "compiler/accuracy/refine.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/planner.h"

namespace octet::accuracy {
namespace {

// Where few samples speak for an output, so many more of its channels' extremes were not seen, and
// what saturates there is what the output is about.
constexpr double kHeadroomWhereFewSpeak = 1.25;

}  // namespace

using ir::Graph;
using ir::ValueId;

Workbench::Workbench(std::shared_ptr<const Graph> canonical, const data::Dataset& dataset,
                     const plan::BackendSpec& spec, const plan::Recipe& recipe,
                     const RecipeOptions& options)
    : canonical_(std::move(canonical)),
      dataset_(dataset),
      spec_(spec),
      recipe_(recipe),
      options_(options) {}

Result<std::unique_ptr<Draft>> Workbench::draft(const DraftOptions& options) {
  OCTET_TRY(measure_channels());
  auto out = std::make_unique<Draft>();
  out->canonical = canonical_;
  out->recipe = recipe_;
  out->options = options;
  OCTET_TRY(equalize_channels(*out));
  OCTET_TRY(dataset_.settle());
  out->layers = find_layers(*out->graph, plan::place(*out->graph, spec_, recipe_));
  out->samples = refinement_samples(dataset_.size());
  out->columns = std::make_unique<FloatColumns>(*out->graph, out->layers, out->samples);
  OCTET_TRY(calibrate(*out));
  OCTET_ASSIGN(out->plan, plan::make_plan(*out->graph, out->statistics, spec_, recipe_));
  OCTET_TRY(round(*out, out->plan));
  return out;
}

Status Workbench::round(Draft& draft, plan::QuantPlan& plan) const {
  RefineOptions options;
  options.target = draft.options.target;
  options.threads = options_.threads;
  options.max_memory = options_.max_memory;
  options.progress = progress_of("rounding layers");
  OCTET_ASSIGN(const RefineReport refined, refine(draft.graph, draft.layers, *draft.columns,
                                                  dataset_, draft.samples, spec_, plan, options));
  draft.report.layers = refined.layers;
  draft.report.rounded = refined.rounded;
  draft.report.corrected = refined.corrected;
  draft.report.targeted = refined.targeted;
  constexpr size_t kShown = 3;
  draft.report.worst = refined.quality;
  std::stable_sort(draft.report.worst.begin(), draft.report.worst.end(),
                   [](const auto& a, const auto& b) { return a.sqnr < b.sqnr; });
  draft.report.worst.resize(std::min(kShown, draft.report.worst.size()));
  return {};
}

std::function<void(size_t, size_t)> Workbench::progress_of(const std::string& what) const {
  if (options_.progress == nullptr) return nullptr;
  return [this, what](size_t done, size_t all) { options_.progress(what, done, all); };
}

calibration::CalibrateOptions Workbench::pass(const std::string& what) const {
  calibration::CalibrateOptions out;
  out.threads = options_.threads;
  out.max_memory = options_.max_memory;
  out.progress = progress_of(what);
  return out;
}

Status Workbench::measure_channels() {
  if (measured_) return {};
  OCTET_TRY(plan::check_selectors(recipe_, *canonical_));
  canonical_layers_ = find_layers(*canonical_, plan::place(*canonical_, spec_, recipe_));
  classes_ = std::make_unique<ChannelClasses>(*canonical_);
  const auto wanted = values_to_range(*canonical_, *classes_, canonical_layers_,
                                      plan::needed_statistics(*canonical_, spec_, recipe_).values);
  measured_ = true;
  if (wanted.empty()) return {};
  ranges_ = std::make_unique<ChannelRanges>(wanted);
  calibration::CalibrateOptions measure = pass("measuring channels");
  OutputPowers powers(*canonical_, dataset_.size());
  measure.shown = powers.values();
  for (const ChannelRanges::Axis& value : wanted) measure.shown.insert(value.value);
  measure.show = [&](size_t sample, ValueId value, const ir::Tensor& tensor) -> Status {
    ranges_->observe(value, tensor);
    powers.observe(sample, value, tensor);
    return {};
  };
  const auto done = calibration::calibrate(canonical_, dataset_, measure);
  if (!done.ok()) return done.error();
  few_speak_ = powers.few_speak();
  return {};
}

EqualizeOptions Workbench::adapted(EqualizeOptions options) const {
  if (few_speak_) options.headroom *= kHeadroomWhereFewSpeak;
  return options;
}

Status Workbench::equalize_channels(Draft& draft) {
  draft.graph = canonical_;
  if (ranges_ == nullptr) return {};
  equalize_for(spec_, *canonical_, *classes_, canonical_layers_, *ranges_,
               adapted(draft.options.equalizing), draft.edits, draft.report);
  Graph edited = *canonical_;
  OCTET_TRY(plan::apply_edits(edited, draft.edits));
  draft.graph = std::make_shared<const Graph>(std::move(edited));
  return {};
}

bool Workbench::differs(const Draft& draft, const EqualizeOptions& equalizing) const {
  if (ranges_ == nullptr) return false;
  plan::QuantPlan edits;
  RecipeReport report;
  equalize_for(spec_, *canonical_, *classes_, canonical_layers_, *ranges_, adapted(equalizing),
               edits, report);
  return !std::equal(edits.replaced.begin(), edits.replaced.end(), draft.edits.replaced.begin(),
                     draft.edits.replaced.end(), [](const auto& a, const auto& b) {
                       return a.value == b.value && a.tensor == b.tensor;
                     });
}

Status Workbench::calibrate(Draft& draft) const {
  const Gather gather = draft.options.gather;
  const plan::NeededStatistics needed = plan::needed_statistics(*draft.graph, spec_, recipe_);
  calibration::CalibrateOptions options = pass("calibrating");
  options.values = values_for_raising(*draft.graph, spec_);
  options.values.insert(needed.values.begin(), needed.values.end());
  options.histograms = gather == Gather::kProposals ? needed.values : needed.histograms;
  options.shown = draft.columns->values();
  const size_t parts = gather == Gather::kProposals && dataset_.size() > 1 ? 2 : 1;
  for (size_t part = 0; part < parts; ++part) {
    options.shard = {part + 1, parts};
    options.show = [&, part](size_t sample, ValueId value, const ir::Tensor& tensor) {
      return draft.columns->observe(sample * parts + part, value, tensor);
    };
    OCTET_ASSIGN(calibration::Statistics statistics,
                 calibration::calibrate(draft.graph, dataset_, options));
    if (part == 0) {
      if (gather == Gather::kProposals) draft.proposals = statistics;
      draft.statistics = std::move(statistics);
    } else {
      OCTET_TRY(draft.statistics.merge(statistics));
    }
  }
  return {};
}

std::set<ValueId> values_for_raising(const Graph& graph, const plan::BackendSpec& spec) {
  std::set<ValueId> out;
  if (spec.residual_add != plan::ResidualAdd::kSkipOperands) return out;
  for (const ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    if (!node.is("Add")) continue;
    for (const ValueId value : node.inputs) {
      const ir::NodeId from = value.valid() ? graph.value(value).producer : ir::NodeId();
      const bool product =
          from.valid() && (graph.node(from).is("Conv") || graph.node(from).is("ConvTranspose"));
      if (product && graph.value(value).type.storage == ir::DType::kFloat32) {
        out.insert(value);
      }
    }
  }
  return out;
}

Result<std::unique_ptr<Draft>> draft_of(const std::shared_ptr<const Graph>& canonical,
                                        calibration::Statistics statistics,
                                        const plan::BackendSpec& spec, const plan::Recipe& recipe) {
  auto out = std::make_unique<Draft>();
  out->canonical = canonical;
  out->graph = canonical;
  out->recipe = recipe;
  OCTET_ASSIGN(out->plan, plan::make_plan(*canonical, statistics, spec, recipe));
  out->statistics = std::move(statistics);
  return out;
}

namespace {

bool same_form(const ir::QuantParams& a, const ir::QuantParams& b) {
  return a.storage() == b.storage() && a.granularity() == b.granularity() &&
         a.scales().size() == b.scales().size() && a.qmin() == b.qmin() && a.qmax() == b.qmax() &&
         (a.per_tensor() || a.axis() == b.axis());
}

}  // namespace

Result<plan::QuantPlan> replan(const Draft& draft, const plan::BackendSpec& spec,
                               const plan::Recipe& recipe) {
  OCTET_ASSIGN(plan::QuantPlan out, plan::make_plan(*draft.graph, draft.statistics, spec, recipe));
  std::map<std::string, const plan::ConstantQuantizer*> decided;
  for (const plan::ConstantQuantizer& constant : draft.plan.constants) {
    decided[constant.value] = &constant;
  }
  for (plan::ConstantQuantizer& constant : out.constants) {
    const auto it = decided.find(constant.value);
    if (it == decided.end() || !same_form(constant.params, it->second->params)) continue;
    constant.params = it->second->params;
    constant.integers = it->second->integers;
  }
  // A correction belongs to a layer in integers.
  std::set<std::string> biases;
  std::set<std::string> weights;
  for (const plan::ConstantQuantizer& constant : out.constants) weights.insert(constant.value);
  for (const Layer& layer : draft.layers) {
    if (layer.bias.valid() && weights.contains(draft.graph->value(layer.weight).name)) {
      biases.insert(draft.graph->value(layer.bias).name);
    }
  }
  for (const plan::ReplacedConstant& replaced : draft.plan.replaced) {
    if (biases.contains(replaced.value)) out.replaced.push_back(replaced);
  }
  return out;
}

Result<plan::QuantPlan> finished(const Draft& draft, plan::QuantPlan plan) {
  OCTET_TRY(finish_plan(*draft.canonical, *draft.graph, draft.edits, plan));
  return plan;
}

}  // namespace octet::accuracy
