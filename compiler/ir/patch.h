// An edit as a value: new nodes, and which values they replace. Made against a const Graph, checked
// as it is made, applied as a whole or not at all.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/ir/graph.h"

namespace octet::ir {

using ValueLookup = std::function<const Value&(ValueId)>;

// Types and facts of a node's outputs from those of its inputs. Implemented by compiler/ops
// (ops::infer_node); a parameter here because ir knows no operators.
using InferTypes = std::function<Result<std::vector<ValueFacts>>(
    const Node& node, const ValueLookup& value, const ModelInfo& model)>;

// What a new node is; the origins come from the nodes the patch replaces unless given.
struct NodeSpec {
  std::string op_type;
  std::vector<ValueId> inputs;
  AttributeMap attributes = {};
  std::string name = {};
  std::string domain = {};
  size_t outputs = 1;
  std::vector<std::string> origins = {};
};

class Patch {
 public:
  Patch(const Graph& graph, InferTypes infer);

  // A new constant; `hint` becomes its name, made unique.
  ValueId constant(Tensor tensor, std::string_view hint);
  ValueId constant(TensorPtr tensor, std::string_view hint);

  // A new node and its outputs. Fails when the operands do not fit the operator.
  Result<std::vector<ValueId>> nodes(NodeSpec spec);
  Result<ValueId> node(NodeSpec spec);  // its only output

  // All uses of `from` (graph outputs too) read `to` instead. Refused when the types contradict
  // each other, when `from` is replaced already, or when `from` is a graph output and `to` cannot
  // take its name (it is an input or another output itself). A value made by this patch takes over
  // the name of what it replaces, unless that is a graph input or capture, which keep theirs.
  Status replace(ValueId from, ValueId to);

  // One operand only.
  Status replace_operand(NodeId node, size_t index, ValueId to);

  const Value& value(ValueId id) const;
  bool empty() const { return replacements_.empty() && operands_.empty(); }

  // Applies to the graph it was made for: inserts the new nodes, moves the uses, removes what died
  // above the replaced values, and gives new nodes the origins of the removed ones. Takes time for
  // what the patch touches and what reads that, not for the size of the graph, unless the order of
  // the nodes has to change.
  Status apply(Graph& graph) &&;

 private:
  struct Replacement {
    ValueId from;
    ValueId to;
  };
  struct OperandReplacement {
    NodeId node;
    size_t index;
    ValueId to;
  };

  std::string unique_name(std::string_view hint);

  const Graph& graph_;
  uint64_t revision_;
  InferTypes infer_;
  std::vector<Value> values_;    // ids from graph_.value_count()
  std::set<std::string> names_;  // of values_
  std::vector<Node> nodes_;
  std::vector<Replacement> replacements_;
  std::vector<OperandReplacement> operands_;
};

}  // namespace octet::ir
