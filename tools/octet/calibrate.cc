#include <charconv>

#include "compiler/base/files.h"
#include "compiler/base/names.h"
#include "tools/octet/model_input.h"
#include "tools/octet/shared_options.h"
#include "tools/octet/stages.h"

namespace octet::tools {
namespace {

struct CalibrateOptions {
  std::string model;
  std::string output;
  std::string shard;
  DataOptions data;
};

Result<calibration::Shard> parse_shard(const std::string& text) {
  calibration::Shard out;
  if (text.empty()) return out;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, out.index);
  const bool slash = first.ec == std::errc() && first.ptr != end && *first.ptr == '/';
  const auto second = slash ? std::from_chars(first.ptr + 1, end, out.count)
                            : std::from_chars_result{end, std::errc::invalid_argument};
  if (second.ec != std::errc() || second.ptr != end || out.index < 1 || out.index > out.count) {
    return usage_error("--shard ", quote_name(text), ": give I/N with I from 1 to N, as 2/3");
  }
  return out;
}

Status calibrate(const CalibrateOptions& options, const Invocation& invocation) {
  OCTET_TRY(check_output_path(options.output, {options.model, options.data.path}));
  calibration::CalibrateOptions run;
  OCTET_ASSIGN(run.shard, parse_shard(options.shard));
  OCTET_ASSIGN(ir::Graph canonical, load_float(options.model));
  const auto graph = std::make_shared<const ir::Graph>(std::move(canonical));
  OCTET_ASSIGN(const auto dataset, open_data(options.data, *graph));
  run.values = calibration::observable_values(*graph);
  run.histograms = run.values;
  OCTET_ASSIGN(const calibration::Statistics statistics,
               gather(options.model, graph, *dataset, std::move(run), invocation));
  OCTET_TRY(write_file_atomic(options.output, statistics.to_text()));
  if (invocation.json) {
    print_result(Json{{"output", options.output},
                      {"samples", statistics.samples},
                      {"tensors", statistics.tensors.size()}});
  } else {
    print_result(cat("wrote      ", options.output, ": ", statistics.tensors.size(),
                     " tensors over ", statistics.samples, " samples\n"));
  }
  return {};
}

}  // namespace

void add_calibrate(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<CalibrateOptions>();
  CLI::App& verb = add_verb(
      app, invocation, "calibrate",
      "Runs samples through the model and writes what was seen to a statistics file; it serves "
      "every backend and every range method",
      "  octet calibrate model.onnx --data calibration.npy -o model.stats\n"
      "  octet calibrate model.onnx --data calibration.npy --shard 2/3 -o part2.stats");
  verb.add_option("MODEL", options->model, "Float ONNX model")->required();
  verb.add_option("-o,--output", options->output, "Statistics file to write")->required();
  verb.add_option("--shard", options->shard, "Take every N-th sample from the I-th on: I/N");
  add_data_options(verb, options->data);
  add_run_options(verb, invocation);
  verb.callback([options, &invocation] {
    invocation.action = [options, &invocation] { return calibrate(*options, invocation); };
  });
}

}  // namespace octet::tools
