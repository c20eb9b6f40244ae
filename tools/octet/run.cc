#include <mutex>

#include "compiler/base/files.h"
#include "compiler/base/names.h"
#include "compiler/base/thread_pool.h"
#include "compiler/data/npz_writer.h"
#include "compiler/interpreter/interpreter.h"
#include "tools/octet/model_input.h"
#include "tools/octet/progress.h"
#include "tools/octet/shared_options.h"

namespace octet::tools {
namespace {

struct RunOptions {
  std::string model;
  std::string output;
  bool reference = false;
  std::string arithmetic;
  DataOptions data;
};

// Outputs of all samples, one after the other along a new or the batch axis.
Result<ir::Tensor> stack(const std::string& name, const std::vector<ir::Tensor>& parts) {
  const ir::Tensor& first = parts.front();
  std::vector<int64_t> shape = first.shape();
  const bool has_batch = !shape.empty();
  if (!has_batch) shape.insert(shape.begin(), 1);
  shape.front() *= static_cast<int64_t>(parts.size());
  std::vector<std::byte> bytes;
  for (const ir::Tensor& part : parts) {
    if (part.shape() != first.shape()) {
      return usage_error("output ", quote_name(name), " has the shape ",
                         ir::Shape::of(first.shape()).to_string(), " for the first sample and ",
                         ir::Shape::of(part.shape()).to_string(),
                         " for another; run such samples one by one");
    }
    bytes.insert(bytes.end(), part.bytes().begin(), part.bytes().end());
  }
  return ir::Tensor::from_bytes(first.dtype(), std::move(shape), std::move(bytes));
}

Status run(const RunOptions& options, const Invocation& invocation) {
  if (!options.output.empty()) {
    OCTET_TRY(check_output_path(options.output, {options.model, options.data.path}));
  }
  OCTET_ASSIGN(ir::Graph loaded, load_model(options.model));
  const auto graph = std::make_shared<const ir::Graph>(std::move(loaded));
  OCTET_ASSIGN(const auto dataset, open_data(options.data, *graph));
  if (dataset->size() == 0) return bad_data("there is no sample to run");
  interpreter::Options run_options;
  if (options.reference) run_options.kernels = interpreter::Kernels::kReference;
  OCTET_ASSIGN(run_options.arithmetic, chosen_arithmetic(options.arithmetic));
  OCTET_ASSIGN(run_options.max_memory, invocation.memory_limit());
  auto interpreter = interpreter::Interpreter::create(graph, run_options);
  if (!interpreter.ok()) return interpreter.error().in(options.model);

  std::vector<std::vector<ir::Tensor>> results(graph->outputs().size());
  for (auto& parts : results) parts.resize(dataset->size());
  Progress progress(invocation, "running");
  std::mutex mutex;
  size_t done = 0;
  OCTET_TRY(
      parallel_for(invocation.thread_count(), dataset->size(), [&](size_t, size_t index) -> Status {
        OCTET_ASSIGN(const data::Sample sample, dataset->get(index));
        auto outputs = interpreter->run(sample);
        if (!outputs.ok()) return outputs.error().in(cat("sample ", index));
        for (size_t i = 0; i < outputs->size(); ++i) {
          results[i][index] = (*outputs)[i];
        }
        const std::lock_guard lock(mutex);
        progress.update(++done, dataset->size());
        return {};
      }));
  Json summary = {{"samples", dataset->size()}, {"outputs", Json::array()}};
  std::vector<std::pair<std::string, ir::Tensor>> arrays;
  for (size_t i = 0; i < results.size(); ++i) {
    const std::string& name = graph->value(graph->outputs()[i]).name;
    OCTET_ASSIGN(ir::Tensor all, stack(name, results[i]));
    summary["outputs"].push_back({{"name", name}, {"type", all.type().to_string()}});
    arrays.emplace_back(name, std::move(all));
  }
  if (!options.output.empty()) {
    OCTET_ASSIGN(const std::string bytes, data::write_npz(arrays));
    OCTET_TRY(write_file_atomic(options.output, bytes));
    summary["output"] = options.output;
  }
  if (invocation.json) {
    print_result(summary);
    return {};
  }
  std::string text = cat("ran        ", dataset->size(), " samples\n");
  for (const auto& [name, tensor] : arrays) {
    text += cat("output     ", quote_name(name), " ", tensor.type().to_string(), "\n");
  }
  if (!options.output.empty()) text += cat("wrote      ", options.output, "\n");
  print_result(text);
  return {};
}

}  // namespace

void add_run(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<RunOptions>();
  CLI::App& verb = add_verb(
      app, invocation, "run", "Runs a model, float or quantized, in the built-in interpreter",
      "  octet run model.onnx --data evaluation.npy -o outputs.npz\n"
      "  octet run model.int8.onnx --data evaluation.npy --arithmetic fixed-point");
  verb.add_option("MODEL", options->model, "ONNX model")->required();
  verb.add_option("-o,--output", options->output,
                  "Outputs as .npz: an array per output name, samples along the first axis");
  verb.add_flag("--reference", options->reference, "Plain loops instead of the fast kernels");
  add_arithmetic_option(verb, options->arithmetic);
  add_data_options(verb, options->data);
  add_run_options(verb, invocation);
  verb.callback([options, &invocation] {
    invocation.action = [options, &invocation] { return run(*options, invocation); };
  });
}

}  // namespace octet::tools
