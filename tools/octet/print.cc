#include "compiler/ir/print.h"

#include "compiler/base/names.h"
#include "passes/pipeline.h"
#include "tools/octet/model_input.h"

namespace octet::tools {
namespace {

struct PrintVerbOptions {
  std::string model;
  std::string after;
  bool canonical = false;
  bool full = false;
};

Status print(const PrintVerbOptions& options) {
  const ir::PrintOptions text{options.full ? ir::ConstantText::kFull : ir::ConstantText::kSummary};
  OCTET_ASSIGN(ir::Graph graph, load_model(options.model));
  if (options.after.empty() && !options.canonical) {
    print_result(ir::print(graph, text));
    return {};
  }
  std::string last;
  passes::PipelineOptions pipeline;
  if (!options.after.empty()) {
    if (passes::find_pass(options.after) == nullptr) {
      std::vector<std::string> names;
      for (const passes::PassInfo& pass : passes::all_passes()) names.emplace_back(pass.name);
      return usage_error("unknown pass ", quote_name(options.after), "; the nearest is ",
                         quote_name(nearest_name(options.after, names)));
    }
    pipeline.after_pass = [&](std::string_view pass, const ir::Graph& now) {
      if (pass == options.after) last = ir::print(now, text);
    };
  }
  const auto reports = passes::canonicalize(graph, pipeline);
  if (!reports.ok()) return reports.error().in(options.model);
  if (options.after.empty()) {
    print_result(ir::print(graph, text));
  } else if (last.empty()) {
    return usage_error("pass ", quote_name(options.after), " changes nothing in this model");
  } else {
    print_result(last);
  }
  return {};
}

}  // namespace

void add_print(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<PrintVerbOptions>();
  CLI::App& verb = add_verb(app, invocation, "print", "Shows a model as text",
                            "  octet print model.onnx\n"
                            "  octet print model.onnx --canonical\n"
                            "  octet print model.onnx --after fold_batch_norm");
  verb.add_option("MODEL", options->model, "ONNX model")->required();
  verb.add_flag("--canonical", options->canonical, "After all passes: what plans speak of");
  verb.add_option("--after", options->after, "After the last run of this pass (octet passes)")
      ->excludes("--canonical");
  verb.add_flag("--full", options->full, "Large constants with all their bytes");
  verb.callback(
      [options, &invocation] { invocation.action = [options] { return print(*options); }; });
}

}  // namespace octet::tools
