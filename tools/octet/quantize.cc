#include <algorithm>
#include <chrono>
#include <iomanip>
#include <sstream>

#include "compiler/base/files.h"
#include "compiler/plan/planner.h"
#include "tools/octet/comparison.h"
#include "tools/octet/emission.h"
#include "tools/octet/model_input.h"
#include "tools/octet/plan_report.h"
#include "tools/octet/shared_options.h"
#include "tools/octet/stages.h"
#include "tools/octet/targets.h"

namespace octet::tools {
namespace {

struct QuantizeOptions {
  std::string model;
  std::string output;
  std::string statistics;
  DataOptions data;
  PlanOptions plan;
  AccuracyTargets targets;
};

// The error of the result on a few samples.
struct MeasuredError {
  Comparison comparison;
  std::string on;  // which samples
};

std::string default_output(const std::string& model) {
  const std::string ending = ".onnx";
  const bool has_ending = model.size() > ending.size() &&
                          model.compare(model.size() - ending.size(), ending.size(), ending) == 0;
  return (has_ending ? model.substr(0, model.size() - ending.size()) : model) + ".int8.onnx";
}

std::optional<int64_t> file_size(const std::string& path) {
  const auto bytes = read_file(path);
  if (!bytes.ok()) return std::nullopt;
  return static_cast<int64_t>(bytes->size());
}

class Quantization {
 public:
  Quantization(const QuantizeOptions& options, const Invocation& invocation)
      : options_(options), invocation_(invocation) {}

  Status run() {
    OCTET_ASSIGN(const Samples samples, given_samples(options_.data, options_.statistics));
    output_ = options_.output.empty() ? default_output(options_.model) : options_.output;
    OCTET_TRY(check_output_path(
        output_, {options_.model, options_.statistics, options_.data.path, options_.plan.recipe}));
    OCTET_TRY(check_targets(options_.targets, samples));
    OCTET_ASSIGN(spec_, chosen_backend(options_.plan));
    OCTET_ASSIGN(recipe_, chosen_recipe(options_.plan));
    OCTET_ASSIGN(ir::Graph canonical, load_float(options_.model));
    graph_ = std::make_shared<const ir::Graph>(std::move(canonical));
    OCTET_TRY(plan::check_selectors(recipe_, *graph_).in(options_.plan.recipe));
    OCTET_ASSIGN(made_, make());
    if (options_.targets.any()) {
      OCTET_ASSIGN(targets_, meet_targets(options_.targets, options_.model, graph_, options_.data,
                                          spec_, made_, invocation_));
    }
    OCTET_ASSIGN(ir::Graph emitted, apply_and_emit(*graph_, made_.plan, spec_));
    const auto quantized = std::make_shared<const ir::Graph>(std::move(emitted));
    // Before writing: a run that fails leaves no file.
    OCTET_TRY(measure(quantized));
    OCTET_TRY(write_checked(*quantized, output_));
    print();
    return {};
  }

 private:
  Result<MadePlan> make() {
    if (!options_.statistics.empty()) {
      return plan_from_file(options_.statistics, graph_, spec_, recipe_, options_.plan,
                            invocation_);
    }
    if (options_.data.path == kNoData) {
      return plan_from_norms(options_.model, graph_, options_.data, spec_, recipe_, options_.plan,
                             invocation_);
    }
    // All samples are opened, so that those beyond --samples can serve to measure the error.
    DataOptions all = options_.data;
    all.samples.reset();
    OCTET_ASSIGN(dataset_, open_data(all, *graph_));
    OCTET_ASSIGN(const auto used, open_data(options_.data, *graph_));
    OCTET_TRY(
        check_targets(options_.targets, used->data_free() ? Samples::kMadeUp : Samples::kReal));
    OCTET_ASSIGN(
        const ChosenEffort effort,
        chosen_effort(options_.plan, used->data_free() ? Samples::kMadeUp : Samples::kReal));
    return plan_from_samples(options_.model, graph_, *used, spec_, recipe_, effort, invocation_);
  }

  // On samples that calibration did not see where there are some that can be used; a handful, since
  // the figure settles quickly and nobody should wait for it.
  Status measure(const std::shared_ptr<const ir::Graph>& quantized) {
    if (dataset_ == nullptr) return {};
    constexpr size_t kMeasured = 4;
    const auto used = static_cast<size_t>(made_.samples);
    ComparisonOptions compare;
    compare.first_sample = used < dataset_->size() ? used : 0;
    compare.samples = kMeasured;
    compare.threads = invocation_.thread_count();
    OCTET_ASSIGN(compare.max_memory, invocation_.memory_limit());
    auto comparison = compare_models(graph_, quantized, *dataset_, compare);
    if (!comparison.ok() && comparison.error().code() == ErrorCode::kBadData) {
      compare.first_sample = 0;
      compare.samples = std::min(kMeasured, used);
      comparison = compare_models(graph_, quantized, *dataset_, compare);
    }
    if (!comparison.ok()) return comparison.error();
    const size_t count = comparison->samples;
    error_ = {*std::move(comparison), compare.first_sample > 0
                                          ? cat(count, " samples not used for calibration")
                                          : cat(count, " of the calibration samples")};
    return {};
  }

  void print() const {
    const PlanSummary summary = summarize(*graph_, made_.plan);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    const auto before = file_size(options_.model);
    const auto after = file_size(output_);
    const auto worst = error_ ? error_->comparison.worst_sqnr() : std::nullopt;
    if (invocation_.json) {
      Json out = {{"model", options_.model}, {"output", output_}, {"backend", spec_.name}};
      out["samples"] = made_.samples;
      out["data_free"] = made_.plan.data_free;
      out["plan"] = to_json(summary);
      out["accuracy"] = accuracy_json(made_);
      if (targets_) out["target"] = to_json(*targets_);
      out["bytes_before"] = before.value_or(0);
      out["bytes_after"] = after.value_or(0);
      out["worst_sqnr_db"] = worst ? Json(*worst) : Json(nullptr);
      out["measured_on"] = error_ ? Json(error_->on) : Json(nullptr);
      out["seconds"] = seconds;
      print_result(out);
      return;
    }
    std::ostringstream out;
    out << std::fixed << "wrote      " << output_ << " for " << spec_.name << '\n'
        << samples_text(made_) << to_text(summary);
    out << accuracy_text(made_);
    if (targets_) out << to_text(*targets_);
    if (before && after) {
      out << "size       " << std::setprecision(2) << static_cast<double>(*before) / 1e6
          << " MB -> " << static_cast<double>(*after) / 1e6 << " MB\n";
    }
    const bool exact =
        worst && std::all_of(error_->comparison.outputs.begin(), error_->comparison.outputs.end(),
                             [](const auto& each) { return each.noise == 0.0; });
    if (exact) {
      out << "error      none at any output, on " << error_->on << '\n';
    } else if (worst) {
      out << "error      " << std::setprecision(1) << *worst << " dB SQNR at the worst output, on "
          << error_->on << '\n';
    }
    out << "time       " << std::setprecision(2) << seconds << " s\n";
    print_result(out.str());
  }

  const QuantizeOptions& options_;
  const Invocation& invocation_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::string output_;
  plan::BackendSpec spec_;
  plan::Recipe recipe_;
  std::shared_ptr<const ir::Graph> graph_;  // canonical
  std::unique_ptr<data::Dataset> dataset_;
  MadePlan made_;
  std::optional<MeasuredError> error_;
  std::optional<TargetReport> targets_;
};

}  // namespace

void add_quantize(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<QuantizeOptions>();
  CLI::App& verb = add_verb(
      app, invocation, "quantize", "Makes an int8 model from a float one: the main job",
      "  octet quantize model.onnx --data calibration.npy\n"
      "  octet quantize model.onnx -o model.trt.onnx --backend tensorrt --data photos/ \\\n"
      "      --preprocess size=224x224,channels=bgr,mean=103.9:116.8:123.7\n"
      "  octet quantize model.onnx --backend my_chip.textproto --stats model.stats\n"
      "  octet quantize model.onnx --data sentences.npz --samples 100 --recipe "
      "keep_head.textproto\n"
      "  octet quantize model.onnx --data calibration.npy --effort best\n"
      "  octet quantize model.onnx --data calibration.npy --min-sqnr 30 --max-float-macs 20\n"
      "  octet quantize model.onnx --data calibration.npy --max-drop 0.5 --labels labels.npy\n"
      "  octet quantize model.onnx --data calibration.npy --max-drop 0.5 \\\n"
      "      --metric-command 'python3 evaluate.py {}'\n"
      "  octet quantize model.onnx --data calibration.npy --weights int4\n"
      "  octet quantize model.onnx --data calibration.npy --weight-granularity per-tensor "
      "--scales power-of-two\n"
      "  octet quantize model.onnx --data none --preprocess mean=127.5,std=127.5");
  verb.add_option("MODEL", options->model, "Float ONNX model")->required();
  verb.add_option("-o,--output", options->output,
                  "File to write; MODEL with .int8.onnx when absent");
  verb.add_option("--stats", options->statistics, "Statistics of octet calibrate instead of data");
  add_data_options(verb, options->data);
  add_plan_options(verb, options->plan);
  add_effort_option(verb, options->plan);
  add_target_options(verb, options->targets);
  add_run_options(verb, invocation);
  verb.callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Quantization(*options, invocation).run(); };
  });
}

}  // namespace octet::tools
