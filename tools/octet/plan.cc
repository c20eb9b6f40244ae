#include "compiler/base/files.h"
#include "compiler/plan/planner.h"
#include "tools/octet/model_input.h"
#include "tools/octet/shared_options.h"
#include "tools/octet/stages.h"

namespace octet::tools {
namespace {

struct PlanVerbOptions {
  std::string model;
  std::string statistics;
  std::string output;
  PlanOptions plan;
};

Status make(const PlanVerbOptions& options, const Invocation& invocation) {
  OCTET_TRY(
      check_output_path(options.output, {options.model, options.statistics, options.plan.recipe}));
  OCTET_ASSIGN(const plan::BackendSpec spec, chosen_backend(options.plan));
  OCTET_ASSIGN(const plan::Recipe recipe, chosen_recipe(options.plan));
  OCTET_ASSIGN(const ir::Graph graph, load_canonical(options.model));
  OCTET_TRY(plan::check_selectors(recipe, graph).in(options.plan.recipe));
  OCTET_ASSIGN(const calibration::Statistics statistics, read_statistics(options.statistics));
  OCTET_ASSIGN(const plan::QuantPlan made, plan::make_plan(graph, statistics, spec, recipe));
  OCTET_TRY(write_file_atomic(options.output, made.to_text()));
  const PlanSummary summary = summarize(graph, made);
  if (invocation.json) {
    print_result(Json{{"output", options.output}, {"plan", to_json(summary)}});
  } else {
    print_result(cat("wrote      ", options.output, " for ", spec.name, "\n", to_text(summary)));
  }
  return {};
}

}  // namespace

void add_plan(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<PlanVerbOptions>();
  CLI::App& verb =
      add_verb(app, invocation, "plan",
               "Decides what is quantized and how, and writes it as text to read and edit",
               "  octet plan model.onnx --stats model.stats --backend openvino -o model.plan");
  verb.add_option("MODEL", options->model, "Float ONNX model")->required();
  verb.add_option("--stats", options->statistics, "Statistics of octet calibrate")->required();
  verb.add_option("-o,--output", options->output, "Plan file to write")->required();
  add_plan_options(verb, options->plan);
  verb.callback([options, &invocation] {
    invocation.action = [options, &invocation] { return make(*options, invocation); };
  });
}

}  // namespace octet::tools
