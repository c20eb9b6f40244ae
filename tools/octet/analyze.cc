#include "compiler/accuracy/analyze.h"

#include <map>

#include "compiler/calibration/fingerprint.h"
#include "compiler/data/content_order.h"
#include "compiler/plan/apply.h"
#include "tools/octet/analysis_report.h"
#include "tools/octet/model_input.h"
#include "tools/octet/progress.h"
#include "tools/octet/sample_warnings.h"
#include "tools/octet/shared_options.h"
#include "tools/octet/stages.h"

namespace octet::tools {
namespace {

struct AnalyzeVerbOptions {
  std::string model;
  std::string against;
  size_t top = 10;
  DataOptions data;
  PlanOptions plan;
};

class Analysis {
 public:
  Analysis(const AnalyzeVerbOptions& options, const Invocation& invocation)
      : options_(options), invocation_(invocation) {}

  Status run() {
    report_.model = options_.model;
    OCTET_ASSIGN(spec_, chosen_backend(options_.plan));
    report_.backend = spec_.name;
    OCTET_ASSIGN(const plan::Recipe recipe, chosen_recipe(options_.plan));
    OCTET_ASSIGN(ir::Graph canonical, load_float(options_.model));
    const auto graph = std::make_shared<const ir::Graph>(std::move(canonical));
    OCTET_TRY(plan::check_selectors(recipe, *graph).in(options_.plan.recipe));
    OCTET_ASSIGN(const auto dataset, open_data(options_.data, *graph));
    std::unique_ptr<data::Dataset> second;
    if (!options_.against.empty()) {
      DataOptions against = options_.data;
      against.path = options_.against;
      against.samples.reset();
      OCTET_ASSIGN(second, open_data(against, *graph));
    }
    OCTET_TRY(look_at_samples(*dataset));
    OCTET_ASSIGN(
        const ChosenEffort effort,
        chosen_effort(options_.plan, dataset->data_free() ? Samples::kMadeUp : Samples::kReal));
    OCTET_ASSIGN(const MadePlan made, plan_from_samples(options_.model, graph, *dataset, spec_,
                                                        recipe, effort, invocation_));
    OCTET_TRY(measure(made, *dataset, second.get()));
    if (invocation_.json) {
      print_result(to_json(report_));
    } else {
      print_result(to_text(report_, options_.top));
    }
    return {};
  }

 private:
  // Errors of the data name their own file.
  Error in_model(const Error& error) const {
    return error.code() == ErrorCode::kBadData ? error : error.in(options_.model);
  }

  Status look_at_samples(const data::Dataset& dataset) {
    if (dataset.data_free()) return {};
    std::map<uint64_t, std::vector<size_t>> same;
    bool zero = true;
    for (size_t i = 0; i < dataset.size(); ++i) {
      OCTET_ASSIGN(const data::Sample sample, dataset.get(i));
      same[data::content_hash(sample)].push_back(i);
      const bool blank = is_blank(sample);
      zero = zero && blank && is_zero(sample);
      if (blank) report_.blank.push_back(i);
    }
    if (zero && dataset.size() > 0) {
      return bad_data(options_.data.path, ": all ", dataset.size(),
                      " samples hold nothing but zeros; there is nothing to analyze");
    }
    for (const auto& [hash, group] : same) {
      if (group.size() > 1) report_.duplicates.push_back(group);
    }
    std::sort(report_.duplicates.begin(), report_.duplicates.end());
    return {};
  }

  Status measure(const MadePlan& made, const data::Dataset& dataset, const data::Dataset* second) {
    accuracy::AnalyzeOptions options;
    options.threads = invocation_.thread_count();
    OCTET_ASSIGN(options.max_memory, invocation_.memory_limit());
    std::string stage;
    std::optional<Progress> progress;
    options.progress = [&](const std::string& what, size_t done, size_t all) {
      if (what != stage) {
        stage = what;
        progress.emplace(invocation_, what, what.find("looking") == 0 ? "samples" : "runs");
      }
      progress->update(done, all);
    };
    using Equalized = accuracy::AnalyzeInput::Equalized;
    const accuracy::AnalyzeInput input{made.real, made.plan, spec_,
                                       made.report ? Equalized::kDone : Equalized::kNot};
    auto analyzed = accuracy::analyze(input, dataset, options);
    if (!analyzed.ok()) return in_model(analyzed.error());
    report_.analysis = std::move(analyzed->analysis);
    if (second != nullptr) {
      const auto other = accuracy::observed_statistics(input, *second, options);
      if (!other.ok()) return in_model(other.error());
      report_.against = static_cast<size_t>(other->samples);
      report_.shifts = accuracy::data_shifts(analyzed->statistics, *other);
    }
    progress.reset();
    return compare(made, analyzed->samples, options);
  }

  // The whole plan against float, tensor by tensor.
  Status compare(const MadePlan& made, const accuracy::HeldSamples& samples,
                 const accuracy::AnalyzeOptions& options) {
    plan::QuantPlan plan = made.plan;
    plan.scalings.clear();  // they are in the graph
    plan.fingerprint = calibration::fingerprint(*made.real);
    ir::Graph quantized = *made.real;
    OCTET_TRY(plan::apply_plan(quantized, plan));
    ComparisonOptions run;
    run.threads = options.threads;
    run.max_memory = options.max_memory;
    run.tensors = ComparisonOptions::Tensors::kAllByName;
    OCTET_ASSIGN(report_.quantized,
                 compare_models(made.real, std::make_shared<const ir::Graph>(std::move(quantized)),
                                samples, run));
    return {};
  }

  const AnalyzeVerbOptions& options_;
  const Invocation& invocation_;
  plan::BackendSpec spec_;
  AnalysisReport report_;
};

}  // namespace

void add_analyze(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<AnalyzeVerbOptions>();
  CLI::App& verb =
      add_verb(app, invocation, "analyze",
               "Shows where a quantized model's noise comes from, what would cure it, and what is "
               "wrong with "
               "the samples",
               "  octet analyze model.onnx --data calibration.npy\n"
               "  octet analyze model.onnx --data calibration.npy --effort fast --top 20\n"
               "  octet analyze model.onnx --data calibration.npy --against evaluation.npy --json");
  verb.add_option("MODEL", options->model, "Float ONNX model")->required();
  verb.add_option("--against", options->against,
                  "A second set of samples: how far its tensors are from those of --data");
  verb.add_option("--top", options->top, "Lines of each table; JSON has them all")
      ->check(CLI::Range(1, 1000000));
  add_data_options(verb, options->data);
  add_plan_options(verb, options->plan);
  add_effort_option(verb, options->plan);
  add_run_options(verb, invocation);
  verb.callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Analysis(*options, invocation).run(); };
  });
}

}  // namespace octet::tools
