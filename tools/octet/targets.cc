#include "tools/octet/targets.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iomanip>
#include <sstream>

#include "compiler/base/names.h"
#include "tools/octet/emission.h"
#include "tools/octet/metric_command.h"
#include "tools/octet/progress.h"

namespace octet::tools {

using accuracy::Check;
using accuracy::Grade;
using accuracy::Judge;

namespace {

constexpr size_t kJudgedForSqnr = 64;
// Samples that calibration has seen flatter the plan a little.
constexpr double kSafetyDb = 0.3;
constexpr double kDefaultTimeout = 3600.0;

std::string asked(const AccuracyTargets& targets) {
  std::string out;
  if (targets.min_sqnr) out = cat("--min-sqnr ", *targets.min_sqnr);
  if (targets.max_drop) out += cat(out.empty() ? "" : " ", "--max-drop ", *targets.max_drop);
  return out;
}

std::string fixed(double value, int places) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << std::fixed << std::setprecision(places) << value;
  return std::move(out).str();
}

// A folder of its own for one candidate after the other; gone with the object.
class CandidateFolder {
 public:
  CandidateFolder() = default;
  CandidateFolder(const CandidateFolder&) = delete;
  CandidateFolder& operator=(const CandidateFolder&) = delete;
  ~CandidateFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  Result<std::string> model_path() {
    if (path_.empty()) {
      std::error_code error;
      std::string name = (std::filesystem::temp_directory_path(error) / "octet-XXXXXX").string();
      if (error || mkdtemp(name.data()) == nullptr) {
        return io_error("--metric-command needs a folder for candidates in ", quote_name(name),
                        ", which cannot be made");
      }
      path_ = name;
    }
    return path_ + "/candidate.onnx";
  }

 private:
  std::string path_;
};

class TargetRun {
 public:
  TargetRun(const AccuracyTargets& targets, const std::string& model,
            const std::shared_ptr<const ir::Graph>& graph, const DataOptions& data,
            const plan::BackendSpec& spec, MadePlan& made, const Invocation& invocation)
      : targets_(targets),
        model_(model),
        graph_(graph),
        data_(data),
        spec_(spec),
        made_(made),
        invocation_(invocation) {}

  Result<TargetReport> run() {
    out_.asked = asked(targets_);
    OCTET_TRY(open_judge());
    OCTET_TRY(measure_float());
    OCTET_ASSIGN(const data::Sample first, dataset_->get(0));
    OCTET_ASSIGN(const int64_t memory, invocation_.memory_limit());
    OCTET_ASSIGN(const std::vector<accuracy::ProductCost> costs,
                 accuracy::product_costs(graph_, first, memory));
    accuracy::TargetOptions options;
    options.check = [this](const plan::QuantPlan& plan) { return check(plan); };
    options.target = out_.asked;
    options.sqnr = targets_.max_drop ? std::nullopt : targets_.min_sqnr;
    options.max_float_macs = targets_.max_float_macs.value_or(100.0);
    if (!targets_.metric_command.empty()) {
      options.lowering = accuracy::TargetOptions::Lowering::kNever;
    }
    std::string stage;
    std::optional<Progress> progress;
    options.progress = [&](const std::string& what, size_t done, size_t all) {
      if (what != stage) {
        stage = what;
        progress.emplace(invocation_, what, "layers");
      }
      progress->update(done, all);
    };
    OCTET_ASSIGN(out_.result, accuracy::meet_target(*made_.draft, *judge_, costs, spec_, options));
    made_.plan = out_.result.plan;
    return std::move(out_);
  }

 private:
  // On samples that calibration did not use where there are some.
  Status open_judge() {
    DataOptions all = data_;
    all.samples.reset();
    OCTET_ASSIGN(dataset_, open_data(all, *graph_));
    const auto used = static_cast<size_t>(made_.samples);
    seen_ = used >= dataset_->size();
    const size_t begin = seen_ ? 0 : used;
    const size_t count = dataset_->size() - begin;
    const size_t most = targets_.labels.empty() ? kJudgedForSqnr : count;
    std::vector<size_t> samples;
    const size_t taken = std::min(count, most);
    for (size_t i = 0; i < taken; ++i) samples.push_back(begin + i * count / taken);
    Judge::Options options;
    options.threads = invocation_.thread_count();
    OCTET_ASSIGN(options.max_memory, invocation_.memory_limit());
    if (!targets_.labels.empty()) {
      OCTET_ASSIGN(options.labels, data::read_labels(targets_.labels, dataset_->size()));
    }
    auto judge = Judge::make(graph_, *dataset_, std::move(samples), options);
    if (!judge.ok()) return judge.error();
    judge_.emplace(std::move(judge).value());
    out_.judged_on = cat(judge_->size(), seen_ ? " of the calibration samples"
                                               : " samples not used for calibration");
    if (!targets_.metric_command.empty()) {
      out_.judged_on =
          cat(targets_.min_sqnr ? out_.judged_on + " and " : "", "the data of --metric-command");
    }
    return {};
  }

  Status measure_float() {
    if (targets_.metric_command.empty()) return {};
    OCTET_ASSIGN(float_metric_, metric_of(model_));
    return {};
  }

  Result<double> metric_of(const std::string& path) const {
    const double seconds = targets_.metric_timeout.value_or(kDefaultTimeout);
    return run_metric_command(targets_.metric_command, path,
                              std::chrono::milliseconds(static_cast<int64_t>(seconds * 1e3)));
  }

  static Grade worse(Grade a, Grade b) { return std::min(a, b); }

  Result<Check> check(const plan::QuantPlan& plan) {
    Check out{Grade::kHolds, ""};
    const auto join = [&](Grade grade, const std::string& found) {
      out.grade = worse(out.grade, grade);
      out.found += (out.found.empty() ? "" : ", ") + found;
    };
    std::optional<Judge::Verdict> verdict;
    if (targets_.min_sqnr || !targets_.labels.empty()) {
      OCTET_ASSIGN(verdict, judge_->run(plan));
    }
    if (targets_.min_sqnr) {
      const auto worst = verdict->errors.worst_sqnr();
      // Silent outputs are as right as can be.
      const double db = worst.value_or(200.0);
      const double safe = *targets_.min_sqnr + (seen_ ? kSafetyDb : 0.0);
      join(db < *targets_.min_sqnr ? Grade::kMissed
           : db < safe             ? Grade::kBarely
                                   : Grade::kHolds,
           cat(fixed(db, 2), " dB at the worst output"));
    }
    if (!targets_.labels.empty()) {
      const double drop = verdict->drop();
      join(drop > *targets_.max_drop ? Grade::kMissed : Grade::kHolds,
           cat("top-1 down ", fixed(drop, 2), " points on ", verdict->rows, " rows"));
    }
    if (!targets_.metric_command.empty()) {
      OCTET_ASSIGN(const std::string path, folder_.model_path());
      OCTET_ASSIGN(const ir::Graph candidate, apply_and_emit(*graph_, plan, spec_));
      OCTET_TRY(write_checked(candidate, path));
      OCTET_ASSIGN(const double metric, metric_of(path));
      join(float_metric_ - metric > *targets_.max_drop ? Grade::kMissed : Grade::kHolds,
           cat("metric ", metric, " of ", float_metric_));
    }
    return out;
  }

  const AccuracyTargets& targets_;
  const std::string& model_;
  const std::shared_ptr<const ir::Graph>& graph_;
  const DataOptions& data_;
  const plan::BackendSpec& spec_;
  MadePlan& made_;
  const Invocation& invocation_;
  std::unique_ptr<data::Dataset> dataset_;
  std::optional<Judge> judge_;
  bool seen_ = false;  // calibration saw the judged samples
  double float_metric_ = 0.0;
  CandidateFolder folder_;
  TargetReport out_;
};

}  // namespace

void add_target_options(CLI::App& verb, AccuracyTargets& targets) {
  verb.add_option("--min-sqnr", targets.min_sqnr,
                  "Raise layers (to 16-bit activations where the backend has them, else to float) "
                  "until the worst output has at least so many dB; exit 7 when that cannot be "
                  "reached");
  verb.add_option(
      "--max-drop", targets.max_drop,
      "Raise layers, as --min-sqnr does, until top-1 (with --labels) or the metric (with "
      "--metric-command) falls by at most so many points");
  verb.add_option("--labels", targets.labels,
                  "Class indices of the samples of --data: .npy of integers, or text with a line "
                  "per sample");
  verb.add_option("--metric-command", targets.metric_command,
                  "Command that prints how good a model is, a number, last on stdout; {} in it, or "
                  "its end, becomes the path of the model");
  verb.add_option("--metric-timeout", targets.metric_timeout,
                  "Seconds that one run of the metric command may take; 3600 when absent");
  verb.add_option("--max-float-macs", targets.max_float_macs,
                  "Percent of the multiply-adds of products that may be in float for a target");
}

Status check_targets(const AccuracyTargets& targets, Samples samples) {
  const auto finite = [](const std::optional<double>& value) {
    return !value || std::isfinite(*value);
  };
  if (!finite(targets.min_sqnr)) return usage_error("--min-sqnr: give a number of dB");
  if (targets.max_drop && !(*targets.max_drop >= 0.0 && std::isfinite(*targets.max_drop))) {
    return usage_error("--max-drop: give a number of points, at least 0");
  }
  if (targets.metric_timeout &&
      !(*targets.metric_timeout > 0.0 && *targets.metric_timeout <= 1e6)) {
    return usage_error("--metric-timeout: give a number of seconds, above 0 and at most 1000000");
  }
  if (targets.max_float_macs &&
      !(*targets.max_float_macs >= 0.0 && *targets.max_float_macs <= 100.0)) {
    return usage_error("--max-float-macs: give a percentage, 0 to 100");
  }
  const bool command = !targets.metric_command.empty();
  if (command && !targets.labels.empty()) {
    return usage_error(
        "--labels and --metric-command are two ways to judge the same drop; give one of them");
  }
  if (targets.max_drop && !command && targets.labels.empty()) {
    return usage_error("--max-drop needs --labels (top-1) or --metric-command (a metric of yours)");
  }
  if (!targets.max_drop && (command || !targets.labels.empty())) {
    return usage_error(command ? "--metric-command" : "--labels",
                       " needs --max-drop: by how much the figure may fall");
  }
  if (targets.metric_timeout && !command) {
    return usage_error("--metric-timeout needs --metric-command");
  }
  if (targets.max_float_macs && !targets.any()) {
    return usage_error("--max-float-macs needs a target: --min-sqnr or --max-drop");
  }
  if (!targets.any() || samples == Samples::kReal) return {};
  return usage_error(targets.min_sqnr ? "--min-sqnr" : "--max-drop", " needs real samples: ",
                     samples == Samples::kNone     ? "a statistics file holds ranges, not samples"
                     : samples == Samples::kAbsent ? "--data none has none"
                                                   : "made-up samples say nothing about accuracy");
}

namespace {

std::string precision_of(const accuracy::LayerEffect& layer) {
  switch (layer.level) {
    case accuracy::Level::kInteger:
      return "integers";
    case accuracy::Level::kWide:
      return "16-bit activations";
    case accuracy::Level::kFloat:
      return "float";
  }
  return "";
}

}  // namespace

Json to_json(const TargetReport& report) {
  Json layers = Json::array();
  for (const accuracy::LayerEffect& layer : report.result.layers) {
    layers.push_back({{"node", layer.node},
                      {"op_type", layer.op_type},
                      {"effect_db", layer.effect_db},
                      {"macs_percent", layer.macs_percent},
                      {"raised", layer.raised()},
                      {"precision", precision_of(layer)}});
  }
  return {{"asked", report.asked},
          {"met", report.result.met},
          {"before", report.result.before},
          {"after", report.result.after},
          {"judged_on", report.judged_on},
          {"float_macs_percent", report.result.float_macs_percent},
          {"wide_macs_percent", report.result.wide_macs_percent},
          {"layers", layers}};
}

std::string to_text(const TargetReport& report) {
  const accuracy::TargetResult& result = report.result;
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << "target     " << report.asked << (result.met ? " met: " : " missed: ") << result.before;
  if (result.after != result.before) out << " -> " << result.after;
  out << ", on " << report.judged_on << '\n'
      << "float      " << fixed(result.float_macs_percent, 1)
      << " % of the multiply-adds of products";
  if (result.wide_macs_percent > 0.0) {
    out << ", and " << fixed(result.wide_macs_percent, 1) << " % with 16-bit activations";
  }
  out << '\n';
  // All that was raised; of the others the first few, where they are of interest.
  constexpr size_t kShown = 10;
  size_t others = 0;
  for (const accuracy::LayerEffect& layer : result.layers) {
    if (!layer.raised() && (result.met || others++ >= kShown)) continue;
    out << (layer.raised() ? "raised     " : "           ") << std::showpos << std::fixed
        << std::setprecision(2) << std::setw(6) << layer.effect_db << std::noshowpos << " dB for "
        << std::setprecision(1) << std::setw(5) << layer.macs_percent << " %  " << layer.op_type
        << ' ' << layer.node;
    if (layer.level == accuracy::Level::kWide) out << ", to " << precision_of(layer);
    out << '\n';
  }
  return std::move(out).str();
}

Result<TargetReport> meet_targets(const AccuracyTargets& targets, const std::string& model,
                                  const std::shared_ptr<const ir::Graph>& graph,
                                  const DataOptions& data, const plan::BackendSpec& spec,
                                  MadePlan& made, const Invocation& invocation) {
  OCTET_ASSIGN(TargetReport report,
               TargetRun(targets, model, graph, data, spec, made, invocation).run());
  if (report.result.met) return report;
  if (invocation.json) {
    print_result(Json{{"model", model}, {"backend", spec.name}, {"target", to_json(report)}});
  } else {
    print_result(to_text(report));
  }
  const std::string budget =
      targets.max_float_macs ? cat(" within --max-float-macs ", *targets.max_float_macs) : "";
  return Error(ErrorCode::kAccuracyGate,
               cat(report.asked, " cannot be reached", budget, ": ", report.result.after, ", on ",
                   report.judged_on, "; nothing was written"));
}

}  // namespace octet::tools
