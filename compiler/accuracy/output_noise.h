// How far a changed graph's outputs are from the float graph's, over a few samples in memory.
#pragma once

#include <memory>
#include <vector>

#include "compiler/accuracy/held_samples.h"
#include "compiler/accuracy/tensor_error.h"
#include "compiler/base/result.h"
#include "compiler/ir/graph.h"

namespace octet::accuracy {

// The mean over float outputs of noise / power, those without power left out. Noise of small,
// independent causes adds up in it.
double relative_noise(const std::vector<TensorError>& outputs);

class OutputNoise {
 public:
  // Runs the float graph and keeps its outputs. `samples` is borrowed.
  static Result<OutputNoise> make(const std::shared_ptr<const ir::Graph>& real,
                                  const HeldSamples& samples, size_t threads, int64_t max_memory);

  // One entry a float output. The samples run on the calling thread, and sums go over them in
  // order. Where the float graph is NaN or infinite nothing is counted; where only the other is,
  // all power is noise. `other` has the outputs of the float graph, in their order.
  Result<std::vector<TensorError>> measure(const std::shared_ptr<const ir::Graph>& other) const;

  const HeldSamples& samples() const { return *samples_; }

 private:
  const HeldSamples* samples_ = nullptr;
  std::shared_ptr<const ir::Graph> real_;
  std::vector<std::vector<ir::Tensor>> outputs_;  // of the float graph, by sample
  int64_t max_memory_ = 0;
};

}  // namespace octet::accuracy
