// Two models on the same samples: how far apart their outputs (and tensors) are.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/accuracy/tensor_error.h"
#include "compiler/data/dataset.h"
#include "compiler/interpreter/interpreter.h"
#include "compiler/ir/graph.h"
#include "tools/octet/invocation.h"

namespace octet::tools {

using accuracy::TensorError;  // the second model's tensor as a noisy form of the first's

struct Comparison {
  size_t samples = 0;
  std::vector<TensorError> outputs;  // float outputs, in graph order
  std::vector<TensorError> tensors;  // tensors both models have by name, when asked for
  // Top-1 of the first output, rows along its first axis; nothing without labels.
  size_t rows = 0;
  size_t agree = 0;  // rows where both models choose the same
  std::optional<size_t> hits_first = std::nullopt;
  std::optional<size_t> hits_second = std::nullopt;

  std::optional<double> worst_sqnr() const;
};

struct ComparisonOptions {
  size_t first_sample = 0;
  size_t samples = SIZE_MAX;
  size_t threads = 1;
  int64_t max_memory = 0;
  std::vector<int64_t> labels = {};  // one per row of all samples, or empty
  interpreter::Arithmetic arithmetic = interpreter::Arithmetic::kInteger;
  enum class Tensors { kOutputsOnly, kAllByName } tensors = Tensors::kOutputsOnly;
  std::function<void(size_t, size_t)> progress = nullptr;
};

// The models must have the same outputs: kUsage otherwise. Sums are over samples in order, so that
// the figures do not depend on the number of threads.
Result<Comparison> compare_models(std::shared_ptr<const ir::Graph> first,
                                  std::shared_ptr<const ir::Graph> second,
                                  const data::Dataset& dataset, const ComparisonOptions& options);

}  // namespace octet::tools
