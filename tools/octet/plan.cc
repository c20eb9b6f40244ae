#include "compiler/base/files.h"
#include "compiler/plan/planner.h"
#include "tools/octet/model_input.h"
#include "tools/octet/plan_report.h"
#include "tools/octet/shared_options.h"
#include "tools/octet/stages.h"
#include "tools/octet/targets.h"

namespace octet::tools {
namespace {

struct PlanVerbOptions {
  std::string model;
  std::string statistics;
  std::string output;
  DataOptions data;
  PlanOptions plan;
  AccuracyTargets targets;
};

Result<MadePlan> made_plan(const PlanVerbOptions& options, const Invocation& invocation,
                           const std::shared_ptr<const ir::Graph>& graph,
                           const plan::BackendSpec& spec) {
  OCTET_ASSIGN(const plan::Recipe recipe, chosen_recipe(options.plan));
  OCTET_TRY(plan::check_selectors(recipe, *graph).in(options.plan.recipe));
  if (options.data.path.empty()) {
    return plan_from_file(options.statistics, graph, spec, recipe, options.plan, invocation);
  }
  if (options.data.path == kNoData) {
    return plan_from_norms(options.model, graph, options.data, spec, recipe, options.plan,
                           invocation);
  }
  OCTET_ASSIGN(const auto dataset, open_data(options.data, *graph));
  OCTET_TRY(
      check_targets(options.targets, dataset->data_free() ? Samples::kMadeUp : Samples::kReal));
  OCTET_ASSIGN(
      const ChosenEffort effort,
      chosen_effort(options.plan, dataset->data_free() ? Samples::kMadeUp : Samples::kReal));
  return plan_from_samples(options.model, graph, *dataset, spec, recipe, effort, invocation);
}

Status make(const PlanVerbOptions& options, const Invocation& invocation) {
  OCTET_ASSIGN(const Samples samples, given_samples(options.data, options.statistics));
  OCTET_TRY(check_output_path(
      options.output, {options.model, options.statistics, options.data.path, options.plan.recipe}));
  OCTET_TRY(check_targets(options.targets, samples));
  OCTET_ASSIGN(const plan::BackendSpec spec, chosen_backend(options.plan));
  OCTET_ASSIGN(ir::Graph canonical, load_float(options.model));
  const auto graph = std::make_shared<const ir::Graph>(std::move(canonical));
  OCTET_ASSIGN(MadePlan done, made_plan(options, invocation, graph, spec));
  std::optional<TargetReport> targets;
  if (options.targets.any()) {
    OCTET_ASSIGN(targets, meet_targets(options.targets, options.model, graph, options.data, spec,
                                       done, invocation));
  }
  const plan::QuantPlan& made = done.plan;
  OCTET_TRY(write_file_atomic(options.output, made.to_text()));
  const PlanSummary summary = summarize(*graph, made);
  if (invocation.json) {
    Json out = {{"model", options.model},   {"output", options.output},
                {"backend", spec.name},     {"samples", done.samples},
                {"plan", to_json(summary)}, {"accuracy", accuracy_json(done)}};
    out["data_free"] = made.data_free;
    if (targets) out["target"] = to_json(*targets);
    print_result(out);
  } else {
    print_result(cat("wrote      ", options.output, " for ", spec.name, "\n",
                     made.data_free ? samples_text(done) : "", to_text(summary),
                     accuracy_text(done), targets ? to_text(*targets) : ""));
  }
  return {};
}

}  // namespace

void add_plan(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<PlanVerbOptions>();
  CLI::App& verb =
      add_verb(app, invocation, "plan",
               "Decides what is quantized and how, and writes it as text to read and edit",
               "  octet plan model.onnx --data calibration.npy -o model.plan\n"
               "  octet plan model.onnx --stats model.stats --backend openvino -o model.plan\n"
               "  octet plan model.onnx --data calibration.npy --min-sqnr 30 -o model.plan\n"
               "  octet plan model.onnx --data none --weights int4 -o model.plan");
  verb.add_option("MODEL", options->model, "Float ONNX model")->required();
  verb.add_option("--stats", options->statistics, "Statistics of octet calibrate instead of data");
  verb.add_option("-o,--output", options->output, "Plan file to write")->required();
  add_data_options(verb, options->data);
  add_plan_options(verb, options->plan);
  add_effort_option(verb, options->plan);
  add_target_options(verb, options->targets);
  add_run_options(verb, invocation);
  verb.callback([options, &invocation] {
    invocation.action = [options, &invocation] { return make(*options, invocation); };
  });
}

}  // namespace octet::tools
