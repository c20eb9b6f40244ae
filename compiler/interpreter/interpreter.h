// Runs a graph. Compiled once, then once more per set of input shapes; see plan.h.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "compiler/base/budget.h"
#include "compiler/base/result.h"
#include "compiler/interpreter/profile.h"
#include "compiler/ir/graph.h"

namespace octet::interpreter {

// Sees values as they are computed, on the thread of the run. The tensor is valid during the call.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual Status observe(ir::ValueId id, const ir::Tensor& value) = 0;
  // Under ElementOrder::kAny, in place of observe(): elements as [batch, channels / block,
  // spatial..., block] of a value of rank 4 or 5, the last block narrower where channels do not
  // fill it.
  virtual Status observe_blocks(ir::ValueId id, const ir::Tensor& value, int64_t /*block*/) {
    return observe(id, value);
  }
};

enum class Kernels {
  kFast,       // oneDNN where it has a kernel, reference otherwise
  kReference,  // plain loops only; the judge
};

enum class ElementOrder {
  kRowMajor,
  // All elements, each once, row-major or in blocks of channels as the kernels choose: for
  // statistics that do not ask where an element stands. Saves a copy of most of what convolutions
  // compute.
  kAny,
};

// How an operator between DequantizeLinear and QuantizeLinear is computed (see integer_form.h), and
// what operators on integers compute with.
enum class Arithmetic {
  kInteger,          // on the integers: exact sums, float32 multipliers (integer_arithmetic.h)
  kAsWritten,        // on the float numbers, as the file says
  kSaturatingPairs,  // as kInteger, with sums as x86 without VNNI has them (device_arithmetic.h)
  kNeon,        // as kInteger, with Add and Mul as ONNX Runtime has them on ARM (fixed_point.h)
  kFixedPoint,  // as kInteger, with requantization of ARM's libraries (fixed_point.h)
};

struct Options {
  Kernels kernels = Kernels::kFast;
  Arithmetic arithmetic = Arithmetic::kInteger;
  // Threads within one run: for the convolutions, whose results do not depend on their number.
  // Calibration runs one sample per thread and leaves this at 1.
  size_t threads = 1;
  // Values that must exist as tensors and are shown to the observer (graph inputs included). The
  // fewer, the more can be fused. Values wanted beyond the graph's outputs are observed.
  std::vector<ir::ValueId> observed = {};
  ElementOrder observed_order = ElementOrder::kRowMajor;
  int64_t max_memory = MemoryBudget::default_limit_bytes();
  // Charged in place of one of its own; of the interpreter around, for one that runs a body.
  MemoryBudget* budget = nullptr;
};

// What a run needs, in bytes, as far as it is known before it.
struct PlannedMemory {
  // The values alive at once, at most: inputs, activations and outputs of known size.
  int64_t live = 0;
  // What holds activations and scratch memory, for each sample that is run at a time.
  int64_t arena = 0;
};

class Interpreter {
 public:
  // kUnsupported, naming the node and what to do, when an output or an observed value needs a node
  // that cannot run.
  static Result<Interpreter> create(std::shared_ptr<const ir::Graph> graph, Options options);

  // One tensor per graph.required_inputs(), in that order; returns one per graph output. Safe to
  // call from several threads at once. Results do not depend on threads or on what else runs.
  // Errors: kBadData when an input does not fit (both shapes named), kMalformed or kResourceLimit
  // naming the node, where evaluation fails. A profile, where given, gets the time of every step;
  // that of observers is not in it.
  Result<std::vector<ir::Tensor>> run(std::span<const ir::Tensor> inputs,
                                      Observer* observer = nullptr,
                                      Profile* profile = nullptr) const;

  // For inputs like these.
  Result<PlannedMemory> planned_memory(std::span<const ir::Tensor> inputs) const;

  Interpreter(Interpreter&&) noexcept;
  Interpreter& operator=(Interpreter&&) noexcept;
  ~Interpreter();

 private:
  class Impl;
  explicit Interpreter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace octet::interpreter
