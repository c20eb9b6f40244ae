#include "compiler/ir/print.h"

#include "compiler/base/log.h"
#include "compiler/base/name_hint.h"
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

// The text, or an object that holds it.
void print_graph(const std::string& text, const PrintVerbOptions& options,
                 const Invocation& invocation) {
  if (!invocation.json) {
    print_result(text);
    return;
  }
  const std::string stage = !options.after.empty() ? options.after
                            : options.canonical    ? "canonical"
                                                   : "as in the file";
  print_result(Json{{"model", options.model}, {"stage", stage}, {"text", text}});
}

Status print(const PrintVerbOptions& options, const Invocation& invocation) {
  const ir::PrintOptions text{options.full ? ir::ConstantText::kFull : ir::ConstantText::kSummary};
  OCTET_ASSIGN(ir::Graph graph, load_model(options.model));
  if (options.after.empty() && !options.canonical) {
    print_graph(ir::print(graph, text), options, invocation);
    return {};
  }
  std::string last;
  passes::PipelineOptions pipeline;
  if (!options.after.empty()) {
    if (passes::find_pass(options.after) == nullptr) {
      std::vector<std::string> names;
      for (const passes::PassInfo& pass : passes::all_passes()) names.emplace_back(pass.name);
      return usage_error("unknown pass ", quote_name(options.after),
                         name_hint(options.after, names));
    }
    pipeline.after_pass = [&](std::string_view pass, const ir::Graph& now) {
      if (pass == options.after) last = ir::print(now, text);
    };
  }
  const auto reports = passes::canonicalize(graph, pipeline);
  if (!reports.ok()) return reports.error().in(options.model);
  if (!options.after.empty() && last.empty()) {
    log_info(cat("pass ", quote_name(options.after),
                 " changes nothing in this model; this is the graph after all passes"));
  }
  print_graph(last.empty() ? ir::print(graph, text) : last, options, invocation);
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
  verb.callback([options, &invocation] {
    invocation.action = [options, &invocation] { return print(*options, invocation); };
  });
}

}  // namespace octet::tools
