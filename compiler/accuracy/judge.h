// How far a plan moves the outputs of a model: runs the planned model in the interpreter, in
// integer arithmetic, against the float outputs, which are computed once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/data/dataset.h"
#include "compiler/ir/graph.h"
#include "compiler/plan/quant_plan.h"

namespace octet::accuracy {

// Of one float output of one sample: sums of squares of the float numbers and of the differences.
struct OutputError {
  double power = 0.0;
  double noise = 0.0;
};

// Outputs by sample.
class OutputErrors {
 public:
  explicit OutputErrors(std::vector<std::vector<OutputError>> samples = {})
      : samples_(std::move(samples)) {}

  // 10 log10(power / noise) of the worst output over the samples, at most 200 dB. Nothing where
  // every output is all zeros.
  std::optional<double> worst_sqnr() const;

  enum class Half { kAll, kEven, kOdd };
  // One number for all outputs, in dB, for deciding between plans: the relative noises joined with
  // an exponent of 4, so that the worst counts most and the others still count. 200 at most.
  double joint_sqnr(Half half = Half::kAll) const;
  // Relative noise of the same sense: 10^(-joint_sqnr / 10).
  double joint_noise() const;
  // Those of the first `count` samples.
  OutputErrors first(size_t count) const;
  // How much nearer than the others these outputs are on a typical sample: the mean over samples of
  // each one's fall of noise in dB, outputs weighted as in the joint noise of the others. The sums
  // above hang on the few samples with most noise, often by luck; this does not.
  struct Gain {
    double db = 0.0;
    double significance = 0.0;  // over its standard error; 0 for fewer than two samples
  };
  Gain gain_over(const OutputErrors& other) const;
  size_t samples() const { return samples_.size(); }
  // How many samples speak for the output that fewest speak for (effective_samples.h).
  double effective_samples() const;

 private:
  std::vector<double> relative_noise(Half half) const;

  std::vector<std::vector<OutputError>> samples_;
};

// Class indices for the rows of the first output: the greatest entry of each.
std::vector<int64_t> choices(const ir::Tensor& output);
// Entries of a row of it.
int64_t class_count(const ir::Tensor& output);
// kBadData for a label that is none of the classes 0 to `classes` - 1.
Status check_label(int64_t label, size_t row, int64_t classes);

class Judge {
 public:
  struct Options {
    size_t threads = 1;
    int64_t max_memory = 0;
    // One per row of the first output of all samples of the data set, or empty: then top-1 is
    // counted.
    std::vector<int64_t> labels = {};
  };

  // `graph` is the float model. Keeps the inputs and float outputs of `samples`, or of as many from
  // their start as a quarter of max_memory, at most 512 MiB, has room for (one at least).
  static Result<Judge> make(std::shared_ptr<const ir::Graph> graph, const data::Dataset& dataset,
                            std::vector<size_t> samples, const Options& options);

  struct Verdict {
    OutputErrors errors;
    size_t rows = 0;  // with labels: rows, and how many of them either model has right
    size_t hits_float = 0;
    size_t hits = 0;
    // Percentage points that top-1 falls by.
    double drop() const;
  };
  // `plan` is of the float model. On the first `samples` of those kept. The same for any number of
  // threads.
  Result<Verdict> run(const plan::QuantPlan& plan, size_t samples = SIZE_MAX) const;
  Result<Verdict> run(const ir::Graph& quantized, size_t samples = SIZE_MAX) const;

  size_t size() const { return inputs_.size(); }

 private:
  std::shared_ptr<const ir::Graph> graph_;
  Options options_;
  std::vector<data::Sample> inputs_;
  std::vector<std::vector<ir::Tensor>> outputs_;
  std::vector<std::vector<int64_t>> labels_;  // of each sample kept
};

// What a sample costs: multiply-adds of every product of the float graph, by the first output of
// its node. Shapes are those of the sample.
struct ProductCost {
  ir::NodeId node;
  double macs = 0.0;
};
Result<std::vector<ProductCost>> product_costs(const std::shared_ptr<const ir::Graph>& graph,
                                               const data::Sample& sample, int64_t max_memory);

// Elements of all float values that a sample makes the graph compute: what is no product takes
// time, too.
Result<double> computed_elements(const std::shared_ptr<const ir::Graph>& graph,
                                 const data::Sample& sample, int64_t max_memory);

}  // namespace octet::accuracy
