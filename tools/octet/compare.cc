#include <cmath>
#include <iomanip>
#include <sstream>

#include "compiler/base/names.h"
#include "tools/octet/comparison.h"
#include "tools/octet/invocation.h"
#include "tools/octet/model_input.h"
#include "tools/octet/progress.h"
#include "tools/octet/shared_options.h"

namespace octet::tools {
namespace {

struct CompareOptions {
  std::string first;
  std::string second;
  DataOptions data;
  std::string labels;
  std::optional<double> min_sqnr;
  std::optional<double> max_drop;
  bool per_tensor = false;
  std::string arithmetic;
};

double percent(size_t hits, size_t rows) {
  return rows == 0 ? 0.0 : 100.0 * static_cast<double>(hits) / static_cast<double>(rows);
}

Json error_json(const TensorError& error) {
  Json out = {{"name", error.name}};
  const auto sqnr = error.sqnr();
  out["sqnr_db"] = sqnr ? Json(*sqnr) : Json(nullptr);
  out["largest_difference"] = error.largest;
  return out;
}

Json to_json(const Comparison& comparison) {
  Json out = {{"samples", comparison.samples}, {"outputs", Json::array()}};
  for (const TensorError& error : comparison.outputs) out["outputs"].push_back(error_json(error));
  if (!comparison.tensors.empty()) out["tensors"] = Json::array();
  for (const TensorError& error : comparison.tensors) out["tensors"].push_back(error_json(error));
  const auto worst = comparison.worst_sqnr();
  out["worst_sqnr_db"] = worst ? Json(*worst) : Json(nullptr);
  out["agree_percent"] = percent(comparison.agree, comparison.rows);
  if (comparison.hits_first) {
    out["top1_first"] = percent(*comparison.hits_first, comparison.rows);
    out["top1_second"] = percent(*comparison.hits_second, comparison.rows);
  }
  return out;
}

void print_errors(std::ostream& out, std::string_view title,
                  const std::vector<TensorError>& errors) {
  out << title << '\n';
  for (const TensorError& error : errors) {
    const auto sqnr = error.sqnr();
    out << "  " << std::setw(8);
    if (error.noise == 0.0) {
      out << "no error"
          << "   ";
    } else if (sqnr) {
      out << std::fixed << std::setprecision(2) << *sqnr << " dB";
    } else {
      out << "all zero"
          << "   ";
    }
    out << "  largest difference " << std::setw(11) << std::defaultfloat << std::setprecision(4)
        << error.largest << "  " << error.name << '\n';
  }
}

std::string to_text(const Comparison& comparison) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  print_errors(out, cat("outputs, over ", comparison.samples, " samples"), comparison.outputs);
  if (!comparison.tensors.empty()) print_errors(out, "tensors", comparison.tensors);
  out << std::fixed << std::setprecision(2) << "same choice    "
      << percent(comparison.agree, comparison.rows) << " % of " << comparison.rows << " rows\n";
  if (comparison.hits_first) {
    const double first = percent(*comparison.hits_first, comparison.rows);
    const double second = percent(*comparison.hits_second, comparison.rows);
    out << "top-1          " << first << " % and " << second << " % (" << std::showpos
        << second - first << ")\n";
  }
  return out.str();
}

std::string two_decimals(double value) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << std::fixed << std::setprecision(2) << value;
  return std::move(out).str();
}

struct MissedGate {
  std::string option;
  double asked = 0.0;
  std::optional<double> found;  // nothing where there is no such figure
  std::string text;
};

std::optional<MissedGate> missed_sqnr(double asked, const Comparison& comparison) {
  MissedGate out{"--min-sqnr", asked, comparison.worst_sqnr(), ""};
  if (comparison.outputs.empty()) {
    out.text = cat("no output is float, so that none has the dB of --min-sqnr ", asked);
    return out;
  }
  for (const TensorError& error : comparison.outputs) {
    const auto sqnr = error.sqnr();
    // Without any difference there is no bound to the ratio, whatever figure stands for it.
    if (error.noise == 0.0 || (sqnr && *sqnr >= asked)) continue;
    if (!sqnr) {
      out.text =
          cat("output ", quote_name(error.name),
              " is all zero in the first model and not in the second: below --min-sqnr ", asked);
      return out;
    }
    out.text = cat("the worst output has ", two_decimals(comparison.worst_sqnr().value_or(0.0)),
                   " dB, below --min-sqnr ", asked);
  }
  return out.text.empty() ? std::nullopt : std::optional(out);
}

std::optional<MissedGate> missed_drop(double asked, const Comparison& comparison) {
  const double drop = percent(*comparison.hits_first, comparison.rows) -
                      percent(*comparison.hits_second, comparison.rows);
  if (drop <= asked) return std::nullopt;
  return MissedGate{
      "--max-drop", asked, drop,
      cat("top-1 falls by ", two_decimals(drop), " points, more than --max-drop ", asked)};
}

std::optional<MissedGate> missed_gate(const CompareOptions& options, const Comparison& comparison) {
  std::optional<MissedGate> out;
  if (options.min_sqnr) out = missed_sqnr(*options.min_sqnr, comparison);
  if (!out && options.max_drop) out = missed_drop(*options.max_drop, comparison);
  return out;
}

Json to_json(const std::optional<MissedGate>& missed) {
  if (!missed) return nullptr;
  return {{"gate", missed->option},
          {"asked", missed->asked},
          {"found", missed->found ? Json(*missed->found) : Json(nullptr)}};
}

Status check_options(const CompareOptions& options) {
  if (options.min_sqnr && !std::isfinite(*options.min_sqnr)) {
    return usage_error("--min-sqnr: give a number of dB");
  }
  if (options.max_drop && !(*options.max_drop >= 0.0 && std::isfinite(*options.max_drop))) {
    return usage_error("--max-drop: give a number of points, at least 0");
  }
  if (options.max_drop && options.labels.empty()) {
    return usage_error("--max-drop needs --labels");
  }
  return {};
}

// Labels of all samples of the data, or of those that --samples takes.
Result<std::vector<int64_t>> labels_of(const CompareOptions& options, const ir::Graph& graph,
                                       size_t samples) {
  DataOptions all = options.data;
  all.samples.reset();
  OCTET_ASSIGN(const auto dataset, open_data(all, graph));
  auto labels = data::read_labels(options.labels, dataset->size());
  if (labels.ok() || samples == dataset->size()) return labels;
  auto fewer = data::read_labels(options.labels, samples);
  return fewer.ok() ? fewer : labels;
}

Status compare(const CompareOptions& options, const Invocation& invocation) {
  OCTET_TRY(check_options(options));
  OCTET_ASSIGN(ir::Graph first, load_model(options.first));
  OCTET_ASSIGN(ir::Graph second, load_model(options.second));
  OCTET_ASSIGN(const auto dataset, open_data(options.data, first));
  ComparisonOptions run;
  run.threads = invocation.thread_count();
  OCTET_ASSIGN(run.arithmetic, chosen_arithmetic(options.arithmetic));
  OCTET_ASSIGN(run.max_memory, invocation.memory_limit());
  if (options.per_tensor) run.tensors = ComparisonOptions::Tensors::kAllByName;
  if (!options.labels.empty()) {
    OCTET_ASSIGN(run.labels, labels_of(options, first, dataset->size()));
  }
  Comparison comparison;
  {
    Progress progress(invocation, "comparing");
    run.progress = [&](size_t done, size_t all) { progress.update(done, all); };
    OCTET_ASSIGN(comparison, compare_models(std::make_shared<const ir::Graph>(std::move(first)),
                                            std::make_shared<const ir::Graph>(std::move(second)),
                                            *dataset, run));
  }
  const std::optional<MissedGate> missed = missed_gate(options, comparison);
  if (invocation.json) {
    Json out = to_json(comparison);
    out["missed"] = to_json(missed);
    print_result(out);
  } else {
    print_result(to_text(comparison));
  }
  if (missed) return Error(ErrorCode::kAccuracyGate, missed->text);
  return {};
}

}  // namespace

void add_compare(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App& verb = add_verb(
      app, invocation, "compare",
      "Measures how far a second model (say, quantized) is from a first (float), in the built-in "
      "interpreter",
      "  octet compare model.onnx model.int8.onnx --data evaluation.npy --labels labels.npy\n"
      "  octet compare model.onnx model.int8.onnx --data evaluation.npy --min-sqnr 20 --json\n"
      "  octet compare model.onnx model.int8.onnx --data evaluation.npy --arithmetic "
      "saturating-pairs");
  verb.add_option("FIRST", options->first, "Model to measure against")->required();
  verb.add_option("SECOND", options->second, "Model to measure")->required();
  add_data_options(verb, options->data);
  verb.add_option("--labels", options->labels,
                  "Class indices: .npy of integers, or text with a line per sample");
  verb.add_option("--min-sqnr", options->min_sqnr,
                  "Exit 7 when the worst output has fewer dB than this");
  verb.add_option("--max-drop", options->max_drop,
                  "Exit 7 when top-1 falls by more points than this");
  verb.add_flag("--per-tensor", options->per_tensor, "Also every tensor both models have by name");
  add_arithmetic_option(verb, options->arithmetic);
  add_run_options(verb, invocation);
  verb.callback([options, &invocation] {
    invocation.action = [options, &invocation] { return compare(*options, invocation); };
  });
}

}  // namespace octet::tools
