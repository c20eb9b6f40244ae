#include <algorithm>
#include <chrono>
#include <iomanip>
#include <sstream>
#include <thread>

#include "compiler/base/names.h"
#include "compiler/base/thread_pool.h"
#include "compiler/calibration/calibrate.h"
#include "compiler/interpreter/interpreter.h"
#include "tools/octet/calibrated_values.h"
#include "tools/octet/model_input.h"
#include "tools/octet/progress.h"
#include "tools/octet/shared_options.h"

namespace octet::tools {
namespace {

using Clock = std::chrono::steady_clock;
using interpreter::Profile;

struct BenchOptions {
  std::string model;
  DataOptions data;
  size_t rounds = 3;
  bool observe = false;
  bool profile = false;
};

// Samples in memory, so that reading and preparing them is not measured.
class LoadedData : public data::Dataset {
 public:
  static Result<LoadedData> of(const data::Dataset& dataset) {
    LoadedData out;
    for (size_t i = 0; i < dataset.size(); ++i) {
      OCTET_ASSIGN(data::Sample sample, dataset.get(i));
      out.samples_.push_back(std::move(sample));
    }
    return out;
  }
  size_t size() const override { return samples_.size(); }
  Result<data::Sample> get(size_t index) const override { return samples_[index]; }
  const data::Sample& at(size_t index) const { return samples_[index]; }

 private:
  std::vector<data::Sample> samples_;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A way to spread threads over samples, and the shortest time it took for all samples.
struct Timing {
  size_t samples_at_a_time = 1;
  size_t threads_per_sample = 1;
  double seconds = 0.0;
  double sample_seconds = 0.0;  // the shortest run of a single sample
};

double least_of(double known, double seconds) {
  return known > 0.0 ? std::min(known, seconds) : seconds;
}

// One interpreter, and the time of running all samples through it.
class Runner {
 public:
  static Result<Runner> make(std::shared_ptr<const ir::Graph> graph, const LoadedData& data,
                             const Timing& timing, int64_t max_memory) {
    interpreter::Options options;
    options.threads = timing.threads_per_sample;
    options.max_memory = max_memory;
    OCTET_ASSIGN(auto made, interpreter::Interpreter::create(std::move(graph), options));
    Runner out(std::move(made), data, timing);
    OCTET_TRY(out.warm_up());
    return out;
  }

  Status round() {
    const auto start = Clock::now();
    std::vector<double> least(timing_.samples_at_a_time, 0.0);
    OCTET_TRY(run_all(data_->size(), nullptr, &least));
    timing_.seconds = least_of(timing_.seconds, seconds_since(start));
    for (double seconds : least) {
      if (seconds > 0.0) timing_.sample_seconds = least_of(timing_.sample_seconds, seconds);
    }
    // OpenMP's threads wait busily for the next run for some milliseconds, and would take the time
    // from what is measured next.
    if (timing_.threads_per_sample > 1) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return {};
  }

  Result<Profile> profile() const {
    std::vector<Profile> by_worker(timing_.samples_at_a_time);
    OCTET_TRY(run_all(data_->size(), &by_worker, nullptr));
    Profile out;
    for (const Profile& profile : by_worker) out.merge(profile);
    return out;
  }

  const Timing& timing() const { return timing_; }
  Result<interpreter::PlannedMemory> planned_memory() const {
    return interpreter_.planned_memory(data_->at(0));
  }

 private:
  Runner(interpreter::Interpreter interpreter, const LoadedData& data, const Timing& timing)
      : interpreter_(std::move(interpreter)), data_(&data), timing_(timing) {}

  // Makes the plans, packs weights, and touches the memory of each sample that runs at a time.
  Status warm_up() const {
    return run_all(std::min(data_->size(), 4 * timing_.samples_at_a_time), nullptr, nullptr);
  }

  // Where given, each worker has a profile, and the least time of a sample.
  Status run_all(size_t count, std::vector<Profile>* profiles, std::vector<double>* least) const {
    return parallel_for(
        timing_.samples_at_a_time, count, [&](size_t worker, size_t index) -> Status {
          Profile* const profile = profiles != nullptr ? &(*profiles)[worker] : nullptr;
          const auto start = Clock::now();
          auto outputs = interpreter_.run(data_->at(index), nullptr, profile);
          if (!outputs.ok()) return outputs.error().in(cat("sample ", index));
          if (least != nullptr) {
            (*least)[worker] = least_of((*least)[worker], seconds_since(start));
          }
          return {};
        });
  }

  interpreter::Interpreter interpreter_;
  const LoadedData* data_;
  Timing timing_;
};

// The same with the statistics of every tensor that `octet calibrate` observes.
class ObservedRunner {
 public:
  static Result<ObservedRunner> make(std::shared_ptr<const ir::Graph> graph, const LoadedData& data,
                                     const Timing& timing, int64_t max_memory) {
    calibration::CalibrateOptions options;
    OCTET_ASSIGN(options.values, calibrated_values(*graph, {}));
    options.histograms = options.values;
    options.threads = timing.samples_at_a_time;
    options.max_memory = max_memory;
    const size_t tensors = options.values.size();
    OCTET_ASSIGN(auto made, calibration::Calibration::prepare(std::move(graph), options));
    ObservedRunner out(std::move(made), data, timing, tensors);
    const auto statistics = out.calibration_.run(data);
    if (!statistics.ok()) return statistics.error();
    return out;
  }

  Status round() {
    const auto start = Clock::now();
    const auto statistics = calibration_.run(*data_);
    if (!statistics.ok()) return statistics.error();
    timing_.seconds = least_of(timing_.seconds, seconds_since(start));
    return {};
  }

  const Timing& timing() const { return timing_; }
  size_t tensors() const { return tensors_; }

 private:
  ObservedRunner(calibration::Calibration calibration, const LoadedData& data, const Timing& timing,
                 size_t tensors)
      : calibration_(std::move(calibration)), data_(&data), timing_(timing), tensors_(tensors) {}

  calibration::Calibration calibration_;
  const LoadedData* data_;
  Timing timing_;
  size_t tensors_ = 0;
};

struct Measured {
  size_t samples = 0;
  size_t rounds = 0;
  interpreter::PlannedMemory memory;
  std::vector<Timing> timings;
  std::optional<Timing> observed;
  size_t observed_tensors = 0;
  std::optional<Profile> profile;  // of the first setting

  double rate(const Timing& timing) const { return static_cast<double>(samples) / timing.seconds; }
};

Result<Measured> measure(const BenchOptions& options, const Invocation& invocation) {
  CanonicalOptions canonical;
  canonical.weights = CanonicalOptions::NonFiniteWeights::kAllowed;
  OCTET_ASSIGN(ir::Graph loaded, load_canonical(options.model, canonical));
  const auto graph = std::make_shared<const ir::Graph>(std::move(loaded));
  OCTET_ASSIGN(const auto dataset, open_data(options.data, *graph));
  if (dataset->size() == 0) return bad_data("there is no sample to run");
  OCTET_ASSIGN(const LoadedData data, LoadedData::of(*dataset));
  OCTET_ASSIGN(const int64_t max_memory, invocation.memory_limit());
  const size_t threads = invocation.thread_count();
  std::vector<Timing> settings = {{threads, 1}};
  if (threads > 1) settings.push_back({1, threads});
  std::vector<Runner> runners;
  for (const Timing& setting : settings) {
    OCTET_ASSIGN(Runner runner, Runner::make(graph, data, setting, max_memory));
    runners.push_back(std::move(runner));
  }
  std::optional<ObservedRunner> observed;
  if (options.observe) {
    OCTET_ASSIGN(observed, ObservedRunner::make(graph, data, settings.front(), max_memory));
  }
  Progress progress(invocation, "measuring", "rounds");
  for (size_t round = 0; round < options.rounds; ++round) {
    for (Runner& runner : runners) OCTET_TRY(runner.round());
    if (observed) OCTET_TRY(observed->round());
    progress.update(round + 1, options.rounds);
  }
  Measured out;
  out.samples = data.size();
  out.rounds = options.rounds;
  OCTET_ASSIGN(out.memory, runners.front().planned_memory());
  for (const Runner& runner : runners) out.timings.push_back(runner.timing());
  if (observed) {
    out.observed = observed->timing();
    out.observed_tensors = observed->tensors();
  }
  if (options.profile) {
    OCTET_ASSIGN(out.profile, runners.front().profile());
  }
  return out;
}

Json entries_json(const std::vector<Profile::Entry>& entries) {
  Json out = Json::array();
  for (const Profile::Entry& entry : entries) {
    Json row = {{"op", entry.op}};
    if (!entry.node.empty()) row["node"] = entry.node;
    row["runs"] = entry.runs;
    row["seconds"] = 1e-9 * static_cast<double>(entry.time.count());
    row["least_seconds"] = 1e-9 * static_cast<double>(entry.least.count());
    out.push_back(std::move(row));
  }
  return out;
}

Json timing_json(const Measured& measured, const Timing& timing) {
  Json out = {{"samples_at_a_time", timing.samples_at_a_time},
              {"threads_per_sample", timing.threads_per_sample},
              {"seconds", timing.seconds},
              {"samples_per_second", measured.rate(timing)}};
  if (timing.sample_seconds > 0.0) out["least_sample_seconds"] = timing.sample_seconds;
  return out;
}

Json to_json(const Measured& measured) {
  Json out = {{"samples", measured.samples},
              {"rounds", measured.rounds},
              {"live_bytes", measured.memory.live},
              {"arena_bytes", measured.memory.arena},
              {"settings", Json::array()}};
  for (const Timing& timing : measured.timings) {
    out["settings"].push_back(timing_json(measured, timing));
  }
  if (measured.observed) {
    out["observed"] = timing_json(measured, *measured.observed);
    out["observed"]["tensors"] = measured.observed_tensors;
  }
  if (measured.profile) {
    out["operators"] = entries_json(measured.profile->operators());
    out["nodes"] = entries_json(measured.profile->nodes());
  }
  return out;
}

void print_entries(std::ostream& out, std::string_view title, size_t samples,
                   const std::vector<Profile::Entry>& entries, size_t most) {
  int64_t all = 0;
  for (const Profile::Entry& entry : entries) all += entry.least.count();
  out << title << '\n';
  for (size_t i = 0; i < std::min(entries.size(), most); ++i) {
    const Profile::Entry& entry = entries[i];
    const auto least = static_cast<double>(entry.least.count());
    const auto mean = static_cast<double>(entry.time.count()) / static_cast<double>(samples);
    out << std::setw(10) << std::setprecision(1) << 1e-3 * least << " us " << std::setw(5)
        << (all > 0 ? 100.0 * least / static_cast<double>(all) : 0.0) << " % " << std::setw(10)
        << 1e-3 * mean << " us  " << entry.op;
    if (entry.node.empty()) {
      out << " x " << entry.runs / static_cast<int64_t>(samples);
    } else {
      out << "  " << entry.node;
    }
    out << '\n';
  }
  if (entries.size() > most) out << "          and " << entries.size() - most << " more\n";
}

std::string to_text(const Measured& measured) {
  constexpr double kMiB = 1 << 20;
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << std::fixed << std::setprecision(1);
  const char* label = "speed";
  for (const Timing& timing : measured.timings) {
    out << std::left << std::setw(11) << label << std::right << measured.rate(timing)
        << " samples/s  " << timing.samples_at_a_time << " at a time, " << timing.threads_per_sample
        << (timing.threads_per_sample == 1 ? " thread" : " threads") << " each, "
        << std::setprecision(3) << 1e3 * timing.sample_seconds << " ms at least\n"
        << std::setprecision(1);
    label = "";
  }
  if (measured.observed) {
    out << "observed   " << measured.rate(*measured.observed) << " samples/s  "
        << measured.observed->samples_at_a_time << " at a time, statistics of "
        << measured.observed_tensors << " tensors\n";
  }
  out << "memory     " << static_cast<double>(measured.memory.live) / kMiB
      << " MiB of values alive at most, " << static_cast<double>(measured.memory.arena) / kMiB
      << " MiB for a sample at a time\n";
  if (measured.profile) {
    constexpr size_t kNodes = 20;
    print_entries(out, "operators: time of a sample, at least and on average", measured.samples,
                  measured.profile->operators(), SIZE_MAX);
    print_entries(out, "nodes", measured.samples, measured.profile->nodes(), kNodes);
  }
  return out.str();
}

Status bench(const BenchOptions& options, const Invocation& invocation) {
  OCTET_ASSIGN(const Measured measured, measure(options, invocation));
  if (invocation.json) {
    print_result(to_json(measured));
  } else {
    print_result(to_text(measured));
  }
  return {};
}

}  // namespace

void add_bench(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App& verb = add_verb(
      app, invocation, "bench",
      "Measures how fast the built-in interpreter runs a model, float or quantized, and where the "
      "time goes",
      "  octet bench model.onnx --data evaluation.npy --samples 100\n"
      "  octet bench model.int8.onnx --data evaluation.npy --profile\n"
      "  octet bench model.onnx --data evaluation.npy --observe --json");
  verb.add_option("MODEL", options->model, "ONNX model; runs in its canonical form")->required();
  verb.add_option("--rounds", options->rounds,
                  "Runs over all samples; the shortest counts (default 3)")
      ->check(CLI::Range(size_t{1}, size_t{1000000}));
  verb.add_flag("--observe", options->observe,
                "Also with the statistics that octet calibrate gathers");
  verb.add_flag("--profile", options->profile, "Also the time of every operator and node");
  add_data_options(verb, options->data);
  add_run_options(verb, invocation);
  verb.callback([options, &invocation] {
    invocation.action = [options, &invocation] { return bench(*options, invocation); };
  });
}

}  // namespace octet::tools
