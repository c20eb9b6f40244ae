#include <charconv>

#include "compiler/accuracy/second_order_statistics.h"
#include "compiler/base/files.h"
#include "compiler/base/names.h"
#include "tools/octet/calibrated_values.h"
#include "tools/octet/model_input.h"
#include "tools/octet/shared_options.h"
#include "tools/octet/stages.h"

namespace octet::tools {
namespace {

struct CalibrateOptions {
  std::string model;
  std::string output;
  std::string shard;
  bool second_order = false;
  std::vector<std::string> backends;  // besides the built-in ones
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
  OCTET_ASSIGN(run.values, calibrated_values(*graph, options.backends));
  run.histograms = run.values;
  std::unique_ptr<accuracy::SecondOrderGatherer> second_order;
  if (options.second_order) {
    OCTET_ASSIGN(const int64_t memory, invocation.memory_limit());
    auto made = accuracy::SecondOrderGatherer::make(*graph, accuracy::second_order_limit(memory));
    if (!made.ok()) return made.error().in(options.model);
    second_order = std::move(made).value();
    run.shown = second_order->values();
    run.starts = [&](size_t sample, uint64_t digest) { second_order->starts(sample, digest); };
    run.show = [&](size_t sample, ir::ValueId value, const ir::Tensor& tensor) {
      return second_order->observe(sample, value, tensor);
    };
  }
  OCTET_ASSIGN(calibration::Statistics statistics,
               gather(options.model, graph, *dataset, std::move(run), invocation));
  if (second_order != nullptr) second_order->finish(statistics);
  OCTET_TRY(write_file_atomic(options.output, statistics.to_text()));
  if (invocation.json) {
    print_result(Json{{"output", options.output},
                      {"samples", statistics.samples},
                      {"tensors", statistics.tensors.size()},
                      {"second_order_layers", statistics.layers.size()}});
  } else {
    const std::string layers =
        second_order == nullptr ? ""
                                : cat(" and ", statistics.layers.size(), " layers' second order");
    print_result(cat("wrote      ", options.output, ": ", statistics.tensors.size(), " tensors",
                     layers, " over ", statistics.samples, " samples\n"));
  }
  return {};
}

}  // namespace

void add_calibrate(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<CalibrateOptions>();
  CLI::App& verb = add_verb(
      app, invocation, "calibrate",
      "Runs samples through the model and writes what was seen to a statistics file; it serves "
      "every built-in backend and every range method",
      "  octet calibrate model.onnx --data calibration.npy -o model.stats\n"
      "  octet calibrate model.onnx --data calibration.npy --shard 2/3 -o part2.stats\n"
      "  octet calibrate model.onnx --data calibration.npy --second-order -o model.stats\n"
      "  octet calibrate model.onnx --data calibration.npy --backend ./chip.textproto -o "
      "model.stats");
  verb.add_option("MODEL", options->model, "Float ONNX model")->required();
  verb.add_option("-o,--output", options->output, "Statistics file to write")->required();
  verb.add_option("-b,--backend", options->backends,
                  "Observe what this target may quantize, too: a description file (.textproto); "
                  "the built-in targets always are. May be repeated")
      ->allow_extra_args(false);
  verb.add_option("--shard", options->shard, "Take every N-th sample from the I-th on: I/N");
  verb.add_flag(
      "--second-order", options->second_order,
      "Also what --effort default needs: products of the columns that layers read, within "
      "a quarter of --max-memory and 256MiB, and the range of every channel");
  add_data_options(verb, options->data);
  add_run_options(verb, invocation);
  verb.callback([options, &invocation] {
    invocation.action = [options, &invocation] { return calibrate(*options, invocation); };
  });
}

}  // namespace octet::tools
