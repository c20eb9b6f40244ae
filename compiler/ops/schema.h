// What Octet knows of an operator, in one struct: operands and their roles, how it meets
// quantization, how types follow from types, and what it computes.
//
// One file per family defines `OpSchema NAME_schema()` for each of its operators; ops.def lists
// them. Nothing else in the program has a list of operators.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/base/budget.h"
#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/ir/patch.h"
#include "compiler/numerics/device_arithmetic.h"

namespace octet::ops {

class BodyRunner;  // body.h

// What an operand is for. A backend says which quantization a role takes on an operator.
enum class Role {
  kData,       // activations
  kWeight,     // the second factor of a linear operator; usually constant, need not be (MatMul)
  kBias,       // added to the accumulator
  kParameter,  // per-channel numbers that stay float (BatchNormalization's scale, PRelu's slope)
  kIndex,      // picks elements (Gather's indices)
  kShape,      // shapes, axes, pads, repeats, sizes: never quantized
};

// How an operator meets quantization. A backend narrows this and never invents.
enum class QuantBehaviour {
  kComputes,       // arithmetic; can run in integers where a backend has a kernel
  kPassesThrough,  // moves elements of its first data operand: same scale in and out
  kSameScale,      // chooses among or joins its data operands (Concat, Max): one scale for all
  kFixedRange,     // its output range is known beforehand (Softmax, Sigmoid)
  kFloatOnly,
};

// The output range of a kFixedRange operator.
struct FixedRange {
  float min = 0.0F;
  float max = 1.0F;
};

struct InferContext {
  const ir::Node& node;
  const ir::ValueLookup& value;
  const ir::ModelInfo& model;

  int64_t opset() const { return model.opset(); }
  size_t input_count() const { return node.inputs.size(); }
  bool has_input(size_t i) const { return node.input(i).valid(); }
  // Of an operand that is present.
  const ir::TensorType& type(size_t i) const { return value(node.inputs[i]).type; }
  const ir::Shape& shape(size_t i) const { return type(i).shape; }
  // Null when absent or not constant.
  const ir::Tensor* constant(size_t i) const {
    return has_input(i) ? value(node.inputs[i]).constant.get() : nullptr;
  }
  // The elements of an integer operand of rank 0 or 1, as far as they are known: from a constant
  // or from inference. Nothing when not even their number is known.
  std::optional<std::vector<ir::Dim>> elements(size_t i) const;
};

// One fact per output, in order; a fact with dtype kUndefined says "not known". Errors are those
// of the model: kMalformed with operand and numbers ("input 1: rank 5 for a data rank of 4").
// The caller puts file and node in front.
using InferFunction = Result<std::vector<ir::ValueFacts>> (*)(const InferContext&);

struct EvaluateContext {
  const ir::Node& node;
  int64_t opset;
  std::span<const ir::Tensor* const> inputs;  // null where omitted
  MemoryBudget* budget;                       // may be null: no limit
  // Values that the node's bodies read, one per node.implicit_inputs.
  std::span<const ir::Tensor* const> captured = {};
  // How often bodies may still run, shared with the nodes inside them; null: kMaxBodyRuns for this
  // node. See body.h.
  int64_t* body_runs = nullptr;
  // Runs bodies faster than node by node; may be null.
  const BodyRunner* body_runner = nullptr;
  // What operators on integers compute with.
  numerics::DeviceArithmetic device = {};

  const ir::Tensor& input(size_t i) const { return *inputs[i]; }
  bool has_input(size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
  // A zero-filled output, checked and charged to the budget. (The charge is released when the
  // caller says so; see Interpreter.)
  Result<ir::Tensor> allocate(ir::DType dtype, std::vector<int64_t> shape) const;
};

// Plain loops, written to be read; the judge of every faster kernel. Must tolerate any input that
// the types allow: sizes are checked, indices are checked, and what the standard leaves undefined
// is an error or documented. Outputs that the node does not ask for may be left default.
using EvaluateFunction = Result<std::vector<ir::Tensor>> (*)(const EvaluateContext&);

struct OpSchema {
  std::string_view name;
  std::string_view domain = "";
  // Versions of the operator set that infer and evaluate implement; 7 to 27 unless said otherwise
  // (23 to 27 add element types, round_mode to Cast and CastLike, and stash_type to Range).
  int64_t since = 7;
  int64_t until = 27;
  // Role per input; the last repeats for variadic operators. `required` inputs come first.
  std::vector<Role> roles = {};
  size_t required = 1;
  size_t max_inputs = 1;  // SIZE_MAX for variadic
  QuantBehaviour behaviour = QuantBehaviour::kFloatOnly;
  std::optional<FixedRange> fixed_range = std::nullopt;
  bool commutative = false;  // the first two operands may be exchanged
  // Linear operators: the axis of the weight that runs over output channels, and over input
  // channels (per group), for a node of this schema; null otherwise.
  std::optional<int64_t> (*weight_channel_axis)(const ir::Node&, size_t weight_rank) = nullptr;
  InferFunction infer = nullptr;
  EvaluateFunction evaluate = nullptr;

  Role role(size_t input) const {
    return roles.empty() ? Role::kData : roles[std::min(input, roles.size() - 1)];
  }
};

// The schema of an operator, or null when Octet does not know it.
const OpSchema* find_schema(std::string_view domain, std::string_view name);
inline const OpSchema* find_schema(const ir::Node& node) {
  return find_schema(node.domain, node.op_type);
}

// All schemas, sorted by domain and name.
std::span<const OpSchema> all_schemas();

std::string_view role_name(Role role);
std::string_view behaviour_name(QuantBehaviour behaviour);

// Matches ir::InferTypes. Unknown operators and operators at a version outside the schema's range
// give outputs of unknown type, without an error. Arity is checked here, for all operators.
Result<std::vector<ir::ValueFacts>> infer_node(const ir::Node& node, const ir::ValueLookup& value,
                                               const ir::ModelInfo& model);

// Infers every value of the graph in order and merges with what was declared; the more specific
// wins. kMalformed, naming the node, where an inferred type contradicts a declared output type.
Status infer_graph(ir::Graph& graph);

// Runs one node. kUnsupported, naming the operator and the cure, for an operator without a schema
// or at a version outside its range.
Result<std::vector<ir::Tensor>> evaluate_node(const EvaluateContext& context);

}  // namespace octet::ops
