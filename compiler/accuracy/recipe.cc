#include "compiler/accuracy/recipe.h"

#include <algorithm>
#include <set>

#include "compiler/accuracy/canonical_plan.h"
#include "compiler/accuracy/equalize.h"
#include "compiler/accuracy/refine.h"
#include "compiler/calibration/fingerprint.h"
#include "compiler/data/content_order.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/planner.h"

namespace octet::accuracy {

using ir::Graph;
using ir::ValueId;

namespace {

class RecipeRun {
 public:
  RecipeRun(const std::shared_ptr<const Graph>& canonical, const data::Dataset& dataset,
            const plan::BackendSpec& spec, const plan::Recipe& recipe, const RecipeOptions& options)
      : canonical_(canonical), dataset_(dataset), spec_(spec), recipe_(recipe), options_(options) {}

  Result<RecipeResult> run() {
    OCTET_TRY(plan::check_selectors(recipe_, *canonical_));
    OCTET_TRY(equalize_channels());
    OCTET_TRY(dataset_.settle());
    const std::vector<Layer> layers =
        find_layers(*equalized_, plan::place(*equalized_, spec_, recipe_));
    const std::vector<size_t> samples = refinement_samples(dataset_.size());
    FloatColumns columns(*equalized_, layers, samples);
    OCTET_ASSIGN(const calibration::Statistics statistics, calibrate(columns));
    out_.samples = statistics.samples;
    OCTET_ASSIGN(out_.plan, plan::make_plan(*equalized_, statistics, spec_, recipe_));
    RefineOptions refine_options;
    refine_options.threads = options_.threads;
    refine_options.max_memory = options_.max_memory;
    refine_options.progress = progress_of("rounding layers");
    OCTET_ASSIGN(const RefineReport refined, refine(equalized_, layers, columns, dataset_, samples,
                                                    spec_, out_.plan, refine_options));
    out_.report.layers = refined.layers;
    out_.report.rounded = refined.rounded;
    out_.report.corrected = refined.corrected;
    constexpr size_t kShown = 3;
    out_.report.worst = refined.quality;
    std::stable_sort(out_.report.worst.begin(), out_.report.worst.end(),
                     [](const auto& a, const auto& b) { return a.sqnr < b.sqnr; });
    out_.report.worst.resize(std::min(kShown, out_.report.worst.size()));
    OCTET_TRY(to_canonical(*canonical_, edits_, out_.plan));
    out_.equalized = equalized_;
    return std::move(out_);
  }

 private:
  std::function<void(size_t, size_t)> progress_of(const std::string& what) const {
    if (options_.progress == nullptr) return nullptr;
    return [this, what](size_t done, size_t all) { options_.progress(what, done, all); };
  }

  calibration::CalibrateOptions pass(const std::string& what) const {
    calibration::CalibrateOptions out;
    out.threads = options_.threads;
    out.max_memory = options_.max_memory;
    out.progress = progress_of(what);
    return out;
  }

  Status equalize_channels() {
    equalized_ = canonical_;
    const std::vector<Layer> layers =
        find_layers(*canonical_, plan::place(*canonical_, spec_, recipe_));
    const ChannelClasses classes(*canonical_);
    const auto wanted = values_to_range(
        *canonical_, classes, layers, plan::needed_statistics(*canonical_, spec_, recipe_).values);
    if (wanted.empty()) return {};
    ChannelRanges ranges(wanted);
    calibration::CalibrateOptions measure = pass("measuring channels");
    for (const ChannelRanges::Axis& value : wanted) measure.shown.insert(value.value);
    measure.show = [&](size_t, ValueId value, const ir::Tensor& tensor) -> Status {
      ranges.observe(value, tensor);
      return {};
    };
    OCTET_TRY(calibration::calibrate(canonical_, dataset_, measure));
    const Equalization decided = equalize(*canonical_, classes, layers, ranges);
    for (const auto& [id, tensor] : decided.constants) {
      edits_.replaced.push_back({canonical_->value(id).name, tensor});
    }
    edits_.scalings = decided.scalings;
    out_.report.equalized_tensors = decided.tensors;
    out_.report.equalized_channels = decided.channels;
    Graph edited = *canonical_;
    OCTET_TRY(plan::apply_edits(edited, edits_));
    equalized_ = std::make_shared<const Graph>(std::move(edited));
    return {};
  }

  Result<calibration::Statistics> calibrate(FloatColumns& columns) const {
    const plan::NeededStatistics needed = plan::needed_statistics(*equalized_, spec_, recipe_);
    calibration::CalibrateOptions options = pass("calibrating");
    options.values = needed.values;
    options.histograms = needed.histograms;
    options.shown = columns.values();
    options.show = [&](size_t sample, ValueId value, const ir::Tensor& tensor) {
      return columns.observe(sample, value, tensor);
    };
    return calibration::calibrate(equalized_, dataset_, options);
  }

  const std::shared_ptr<const Graph>& canonical_;
  data::ContentOrder dataset_;  // samples are split, and floats added up over them
  const plan::BackendSpec& spec_;
  const plan::Recipe& recipe_;
  const RecipeOptions& options_;
  std::shared_ptr<const Graph> equalized_;
  plan::QuantPlan edits_;  // only replaced and scalings
  RecipeResult out_;
};

}  // namespace

Result<RecipeResult> plan_with_recipe(const std::shared_ptr<const Graph>& canonical,
                                      const data::Dataset& dataset, const plan::BackendSpec& spec,
                                      const plan::Recipe& recipe, const RecipeOptions& options) {
  return RecipeRun(canonical, dataset, spec, recipe, options).run();
}

}  // namespace octet::accuracy
