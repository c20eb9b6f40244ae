#include "tools/octet/model_input.h"

#include "compiler/base/files.h"
#include "compiler/base/log.h"
#include "compiler/base/names.h"
#include "compiler/onnx/import.h"
#include "passes/pipeline.h"

namespace octet::tools {

Result<ir::Graph> load_model(const std::string& path) {
  auto graph = onnx::import_model(path);
  if (!graph.ok() && graph.error().code() != ErrorCode::kIo) return graph.error().in(path);
  return graph;
}

Result<ir::Graph> load_canonical(const std::string& path, const CanonicalOptions& options) {
  OCTET_ASSIGN(ir::Graph graph, load_model(path));
  passes::PipelineOptions pipeline;
  pipeline.disabled.insert(options.disabled.begin(), options.disabled.end());
  const auto reports = passes::canonicalize(graph, pipeline);
  if (!reports.ok()) return reports.error().in(path);
  for (const passes::PassReport& report : *reports) {
    if (report.changed) log_detail(cat(report.pass, ": ", report.edits, " edits"));
    for (const std::string& note : report.notes) log_detail(cat(report.pass, ": ", note));
  }
  return graph;
}

void add_data_options(CLI::App& verb, DataOptions& options) {
  verb.add_option("--data", options.path,
                  "Samples: a folder of JPEG or PNG pictures (with --preprocess), .npy, .npz, a "
                  "folder of .npz or of ONNX test_data_set_*, or random:N");
  verb.add_option("--preprocess", options.preprocess,
                  "How pictures become tensors: size=HxW,channels=rgb|bgr|gray,mean=M[:M:M],"
                  "std=S[:S:S],fit=stretch|crop,layout=nchw|nhwc, or a textproto file");
  verb.add_option("--samples", options.samples, "Use the first so many samples")
      ->check(CLI::PositiveNumber);
}

Result<std::unique_ptr<data::Dataset>> open_data(const DataOptions& options,
                                                 const ir::Graph& graph) {
  if (options.path.empty()) return usage_error("--data is missing: give samples to run the model on");
  std::vector<data::InputSpec> inputs;
  for (ir::ValueId id : graph.required_inputs()) {
    inputs.push_back({graph.value(id).name, graph.value(id).type});
  }
  data::OpenOptions open;
  open.limit = options.samples;
  if (!options.preprocess.empty()) {
    OCTET_ASSIGN(open.preprocess, data::parse_preprocess(options.preprocess));
  }
  return data::open_dataset(options.path, inputs, open);
}

Status check_output_path(const std::string& output, const std::vector<std::string>& inputs) {
  if (is_directory(output)) {
    return usage_error("the output ", quote_name(output), " is a folder; name a file");
  }
  for (const std::string& input : inputs) {
    if (!input.empty() && (input == output || same_file(input, output))) {
      return usage_error("the output ", quote_name(output),
                         " is an input of this run; name another file with -o");
    }
  }
  return {};
}

}  // namespace octet::tools
