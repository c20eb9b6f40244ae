// A compiled way to run a node, or a node and the elementwise nodes behind it, on known shapes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/interpreter/layout.h"
#include "compiler/interpreter/weights.h"
#include "compiler/ir/graph.h"
#include "compiler/numerics/device_arithmetic.h"

namespace octet::interpreter {

// A value that a kernel reads or writes, as far as it is known when the plan is made.
struct Operand {
  ir::ValueId id;  // invalid where omitted
  ir::DType dtype = ir::DType::kUndefined;
  std::vector<int64_t> shape = {};
  ir::TensorPtr constant = nullptr;  // null when computed by the run
  Layout layout = {};                // as its producer leaves it
  // True when `constant` is the same in every plan, so that what is packed from it can be shared.
  bool same_in_all_plans = false;

  bool present() const { return id.valid(); }
  bool is_float() const { return dtype == ir::DType::kFloat32; }
  int64_t count() const;
};

// A node fused behind another: elementwise behind linear, DequantizeLinear behind QuantizeLinear,
// or the rest of a channel shuffle behind the Reshape that begins it.
struct PostOp {
  // kBias adds a number per channel and comes first; kSum adds a value of the same shape.
  // kDequantize comes behind QuantizeLinear alone, with the same scale and zero point.
  // kShuffle stands for each of Transpose and Reshape behind a Reshape into groups of channels.
  enum class Kind {
    kBias,
    kSum,
    kRelu,
    kLeakyRelu,
    kClip,
    kSigmoid,
    kHardSwish,
    kGelu,  // stands for all nodes behind the first of five
    kDequantize,
    kShuffle,
  };
  Kind kind = Kind::kRelu;
  float alpha = 0.0F;  // slope of kLeakyRelu, lower bound of kClip, groups of kShuffle
  float beta = 0.0F;   // upper bound of kClip
  size_t operand = 0;  // of kBias and kSum: index into the request's inputs
};

struct KernelRequest {
  const ir::Node& node;
  int64_t opset = 0;
  std::vector<Operand> inputs;   // of the node, then those of post-ops
  std::vector<Operand> outputs;  // of the last fused node
  std::vector<PostOp> post_ops;
  const dnnl::engine& engine;
  PackedWeights& weights;
  size_t threads = 1;  // that a kernel may use, if its results do not depend on them
  numerics::DeviceArithmetic device = {};  // what operators on integers compute with

  const Operand& input(size_t i) const { return inputs[i]; }
  // Of the node's own operands.
  bool has_input(size_t i) const { return i < node.inputs.size() && inputs[i].present(); }
};

// In what form a kernel takes an operand.
struct InputNeed {
  enum class Form {
    kPlain,    // row-major
    kLayout,   // the given layout
    kAsIs,     // as its producer leaves it: the request said how
    kNothing,  // not at all: a constant that is packed inside
  };
  Form form = Form::kPlain;
  Layout layout = {};

  static InputNeed plain() { return {}; }
  static InputNeed as_is() { return {Form::kAsIs, {}}; }
  static InputNeed nothing() { return {Form::kNothing, {}}; }
  static InputNeed in(const Layout& layout) { return {Form::kLayout, layout}; }
};

// What a kernel keeps between executions in one execution context.
class KernelState {
 public:
  virtual ~KernelState() = default;
};

struct Execution {
  std::span<const std::byte* const> inputs;  // null where omitted or not needed
  std::span<std::byte* const> outputs;       // null where not asked for
  std::byte* scratch;
  KernelState* state;
  const dnnl::stream& stream;

  template <typename T>
  const T* input(size_t i) const {
    return reinterpret_cast<const T*>(inputs[i]);
  }
  template <typename T>
  T* output(size_t i = 0) const {
    return reinterpret_cast<T*>(outputs[i]);
  }
};

class Kernel {
 public:
  virtual ~Kernel() = default;

  std::vector<InputNeed> needs;        // one per input of the request
  std::vector<Layout> output_layouts;  // one per output of the request
  // Operands whose memory output 0 may take over, if nobody reads them later: the first that fits.
  // The kernel then finds both at one address.
  std::vector<size_t> in_place;
  int64_t scratch_bytes = 0;

  virtual std::unique_ptr<KernelState> make_state() const { return nullptr; }
  // Safe to call from several threads, each with a state of its own.
  virtual Status execute(const Execution& execution) const = 0;
};

using KernelPtr = std::unique_ptr<Kernel>;

// Null when there is no kernel for just this case; the next in line is then asked.
using KernelFactory = Result<KernelPtr> (*)(const KernelRequest& request);

}  // namespace octet::interpreter
