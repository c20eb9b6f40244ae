#include "tools/octet/model_input.h"

#include <charconv>
#include <cmath>
#include <filesystem>

#include "compiler/base/files.h"
#include "compiler/base/log.h"
#include "compiler/base/names.h"
#include "compiler/data/fit.h"
#include "compiler/onnx/import.h"
#include "compiler/ops/schema.h"
#include "passes/pipeline.h"

namespace octet::tools {
namespace {

std::optional<int64_t> first_non_finite(const ir::Tensor& tensor) {
  if (!numerics::is_floating_point(tensor.dtype())) return std::nullopt;
  if (tensor.dtype() == ir::DType::kFloat32) {
    return data::first_non_finite(tensor.data<float>());
  }
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    if (!std::isfinite(tensor.at_as_double(i))) return i;
  }
  return std::nullopt;
}

// The first node that takes the value as a factor or summand of its own. Masks and fill values,
// which may well be infinite, are data operands.
const ir::Use* use_as_weight(const ir::Graph& graph, ir::ValueId id) {
  for (const ir::Use& use : graph.uses(id)) {
    if (use.implicit) continue;
    const ops::OpSchema* schema = ops::find_schema(graph.node(use.node));
    if (schema == nullptr) continue;
    const ops::Role role = schema->role(static_cast<size_t>(use.index));
    if (role == ops::Role::kWeight || role == ops::Role::kBias || role == ops::Role::kParameter) {
      return &use;
    }
  }
  return nullptr;
}

Status check_weights(const ir::Graph& graph) {
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const ir::ValueId id(i);
    const ir::Value& value = graph.value(id);
    if (!value.alive || !value.is_constant()) continue;
    const ir::Use* const use = use_as_weight(graph, id);
    if (use == nullptr) continue;
    const auto at = first_non_finite(*value.constant);
    if (!at) continue;
    return malformed(ir::describe(graph, use->node), ": input ", use->index, " ",
                     quote_name(value.name), ": element ", *at, " is ",
                     std::isnan(value.constant->at_as_double(*at)) ? "NaN" : "infinite",
                     "; weights must be finite: export the model from a sound checkpoint");
  }
  return {};
}

}  // namespace

Result<ir::Graph> load_model(const std::string& path) {
  auto graph = onnx::import_model(path);
  if (graph.ok()) return graph;
  // Errors of a file name it; one of a data file beside the model does not say whose it is.
  const bool named = graph.error().code() == ErrorCode::kIo &&
                     graph.error().message().rfind(quote_name(path) + ":", 0) == 0;
  return named ? graph.error() : graph.error().in(path);
}

bool is_quantization(const ir::Node& node) {
  const std::string& type = node.op_type;
  // QLinearConv and its kin; com.microsoft has more of them.
  return type == "QuantizeLinear" || type == "DequantizeLinear" || type.rfind("QLinear", 0) == 0 ||
         type == "ConvInteger" || type == "MatMulInteger" || type == "DynamicQuantizeLinear";
}

std::optional<ir::NodeId> quantized_node(const ir::Graph& graph) {
  for (ir::NodeId id : graph.order()) {
    if (is_quantization(graph.node(id))) return id;
  }
  return std::nullopt;
}

Result<ir::Graph> load_canonical(const std::string& path, const CanonicalOptions& options) {
  OCTET_ASSIGN(ir::Graph graph, load_model(path));
  const bool check = options.weights == CanonicalOptions::NonFiniteWeights::kRefused;
  if (check) OCTET_TRY(check_weights(graph).in(path));
  const auto quantized = options.quantized == CanonicalOptions::QuantizedModels::kRefused
                             ? quantized_node(graph)
                             : std::nullopt;
  const std::string where = quantized ? ir::describe(graph, *quantized) : "";
  passes::PipelineOptions pipeline;
  pipeline.disabled.insert(options.disabled.begin(), options.disabled.end());
  const auto reports = passes::canonicalize(graph, pipeline);
  if (!reports.ok()) return reports.error().in(path);
  // After the passes: what they find malformed is the better message.
  if (quantized) {
    return unsupported(path, ": ", where,
                       ": the model is quantized already; give the float model it was made from");
  }
  for (const passes::PassReport& report : *reports) {
    if (report.changed) log_detail(cat(report.pass, ": ", report.edits, " edits"));
    for (const std::string& note : report.notes) log_detail(cat(report.pass, ": ", note));
  }
  // Again: weights that were behind other nodes are now seen.
  if (check) OCTET_TRY(check_weights(graph).in(path));
  return graph;
}

Result<ir::Graph> load_float(const std::string& path) {
  CanonicalOptions options;
  options.quantized = CanonicalOptions::QuantizedModels::kRefused;
  return load_canonical(path, options);
}

void add_data_options(CLI::App& verb, DataOptions& options) {
  verb.add_option(
      "--data", options.path,
      "Samples: a folder of JPEG or PNG pictures (with --preprocess), .npy, .npz, a "
      "folder of .npz or of ONNX test_data_set_*, or random:N (at most 1000000); quantize and plan "
      "also take none (ranges from the model's batch norms)");
  verb.add_option("--preprocess", options.preprocess,
                  "How pictures become tensors: size=HxW,channels=rgb|bgr|gray,mean=M[:M:M],"
                  "std=S[:S:S],fit=stretch|crop,layout=nchw|nhwc, or a textproto file");
  verb.add_option("--samples", options.samples, "Use the first so many samples")
      ->check([](const std::string& text) -> std::string {
        size_t count = 0;
        const char* const end = text.data() + text.size();
        const auto parsed = std::from_chars(text.data(), end, count);
        const bool good = parsed.ec == std::errc() && parsed.ptr == end && count > 0;
        return good ? "" : cat(quote_name(text), ": give a whole number, at least 1");
      });
}

Result<std::unique_ptr<data::Dataset>> open_data(const DataOptions& options,
                                                 const ir::Graph& graph) {
  if (options.path.empty())
    return usage_error("--data is missing: give samples to run the model on");
  if (options.path == kNoData) {
    return usage_error(
        "--data none is for quantize and plan; this needs samples (a file named so is "
        "./none)");
  }
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
  if (output == "-") {
    return usage_error(
        "-o -: results are not written to standard output; name a file (./- for one named so)");
  }
  if (is_directory(output)) {
    return usage_error("the output ", quote_name(output), " is a folder; name a file");
  }
  const auto folder = std::filesystem::path(output).parent_path();
  if (!folder.empty() && !is_directory(folder.string())) {
    return io_error("the output ", quote_name(output), ": there is no such folder; make it first");
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
