#include <algorithm>

#include "backends/backends.h"
#include "compiler/base/files.h"
#include "compiler/base/names.h"
#include "compiler/plan/formats.h"
#include "tools/octet/emission.h"
#include "tools/octet/model_input.h"
#include "tools/octet/stages.h"

namespace octet::tools {
namespace {

struct EmitOptions {
  std::string model;
  std::string plan;
  std::string backend;
  std::string output;
};

// The backend that the plan names, unless a description is given.
Result<plan::BackendSpec> backend_of(const plan::QuantPlan& plan, const EmitOptions& options) {
  if (!options.backend.empty()) return backends::load_backend(options.backend);
  const std::vector<std::string> known = backends::builtin_backends();
  if (std::find(known.begin(), known.end(), plan.backend) == known.end()) {
    return usage_error(options.plan, " is for backend ", quote_name(plan.backend),
                       ", which is not a built-in one; give --backend FILE, its description");
  }
  return backends::load_backend(plan.backend);
}

Status emit(const EmitOptions& options, const Invocation& invocation) {
  constexpr int64_t kLargest = int64_t{1} << 30;
  OCTET_TRY(check_output_path(options.output, {options.model, options.plan}));
  OCTET_ASSIGN(const std::string text, read_file(options.plan, kLargest));
  OCTET_ASSIGN(const plan::QuantPlan plan, plan::QuantPlan::from_text(text, options.plan));
  OCTET_ASSIGN(plan::BackendSpec spec, backend_of(plan, options));
  if (spec.name != plan.backend) {
    return usage_error(options.plan, " was made for backend ", plan.backend, ", not ", spec.name);
  }
  OCTET_ASSIGN(const plan::Formats formats, plan::parse_formats(plan.formats));
  spec = plan::with_formats(std::move(spec), formats);
  OCTET_ASSIGN(ir::Graph graph, load_canonical(options.model));
  const Status fits = backends::check_plan(plan, spec);
  if (!fits.ok()) {
    // A description of one's own may have the name of a built-in backend.
    const std::string_view cure = options.backend.empty()
                                      ? " (--backend FILE where the plan was made with a "
                                        "description of your own)"
                                      : "";
    return usage_error(options.plan, ": ", fits.error().message(), cure);
  }
  auto emitted = apply_and_emit(std::move(graph), plan, spec, backends::PlanFrom::kFile);
  if (!emitted.ok()) return emitted.error().in(options.plan);
  OCTET_TRY(write_checked(*emitted, options.output));
  if (invocation.json) {
    print_result(Json{{"output", options.output}, {"backend", spec.name}});
  } else {
    print_result(cat("wrote      ", options.output, " for ", spec.name, "\n"));
  }
  return {};
}

}  // namespace

void add_emit(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<EmitOptions>();
  CLI::App& verb =
      add_verb(app, invocation, "emit", "Does what a plan says and writes the backend's model",
               "  octet emit model.onnx --plan model.plan -o model.int8.onnx");
  verb.add_option("MODEL", options->model, "The float model the plan was made for")->required();
  verb.add_option("--plan", options->plan, "Plan file of octet plan")->required();
  verb.add_option("-b,--backend", options->backend,
                  "Description file, where the plan's backend is not a built-in one");
  verb.add_option("-o,--output", options->output, "File to write")->required();
  verb.callback([options, &invocation] {
    invocation.action = [options, &invocation] { return emit(*options, invocation); };
  });
}

}  // namespace octet::tools
