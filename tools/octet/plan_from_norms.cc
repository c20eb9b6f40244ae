// --data none: a plan out of the model's batch norms.
#include <algorithm>

#include "compiler/accuracy/data_free.h"
#include "tools/octet/stages.h"

namespace octet::tools {
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

}  // namespace octet::tools
