// Runs the samples through the interpreter once and gathers statistics.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/base/budget.h"
#include "compiler/calibration/derived.h"
#include "compiler/calibration/fingerprint.h"
#include "compiler/calibration/statistics.h"
#include "compiler/data/dataset.h"
#include "compiler/interpreter/interpreter.h"
#include "compiler/ir/graph.h"

namespace octet::calibration {

// Every index-th sample of count, the first one at index - 1: 1/3, 2/3, 3/3 cover all.
struct Shard {
  size_t index = 1;
  size_t count = 1;
};

struct CalibrateOptions {
  std::set<ir::ValueId> values;      // what to observe; see observable_values
  std::set<ir::ValueId> histograms;  // of those, the ones that need a histogram
  size_t threads = 1;
  Shard shard = {};
  int64_t max_memory = MemoryBudget::default_limit_bytes();
  // Values that somebody else wants to see, and where they go: (index among the samples run, value,
  // tensor in row-major order). Called from several threads at once, for different samples.
  std::set<ir::ValueId> shown = {};
  std::function<Status(size_t, ir::ValueId, const ir::Tensor&)> show = nullptr;
  // Called before a sample runs, with its index and its sample_digest; from several threads at
  // once.
  std::function<void(size_t, uint64_t)> starts = nullptr;
  // Called after each sample with (done, all); from any thread, one call at a time.
  std::function<void(size_t, size_t)> progress = nullptr;
};

// Every float32 value that a quantizer could stand at: inputs and results, constants excepted.
std::set<ir::ValueId> observable_values(const ir::Graph& graph);

// A graph made ready to be run over data sets.
class Calibration {
 public:
  static Result<Calibration> prepare(std::shared_ptr<const ir::Graph> graph,
                                     const CalibrateOptions& options);
  // As calibrate() below.
  Result<Statistics> run(const data::Dataset& dataset) const;

 private:
  Calibration(std::shared_ptr<const ir::Graph> graph, CalibrateOptions options,
              std::set<ir::ValueId> wanted, std::vector<Derivation> derived,
              interpreter::Interpreter interpreter)
      : graph_(std::move(graph)),
        options_(std::move(options)),
        wanted_(std::move(wanted)),
        fingerprint_(fingerprint(*graph_)),
        derived_(std::move(derived)),
        interpreter_(std::move(interpreter)) {}

  std::shared_ptr<const ir::Graph> graph_;
  CalibrateOptions options_;      // with the parts of what is derived
  std::set<ir::ValueId> wanted_;  // without
  std::string fingerprint_;       // reads all weights
  std::vector<Derivation> derived_;
  interpreter::Interpreter interpreter_;
};

// The same statistics, bit for bit, for any number of threads. kBadData when the shard holds no
// sample, a sample does not fit, or a value becomes NaN or infinite (the node and the sample are
// named).
Result<Statistics> calibrate(std::shared_ptr<const ir::Graph> graph, const data::Dataset& dataset,
                             const CalibrateOptions& options);

}  // namespace octet::calibration
