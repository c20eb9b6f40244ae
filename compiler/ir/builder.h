// Builds a graph from nothing, node after node: for tests, passes and generators. Edits of a graph
// that is there go through Patch.
#pragma once

#include <string>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/ir/patch.h"

namespace octet::ir {

class Builder {
 public:
  // Types of outputs come from `infer` (ops::infer_node); null leaves them unknown.
  explicit Builder(InferTypes infer, std::string graph_name = "main", ModelInfo model = {});

  Result<ValueId> input(std::string name, TensorType type);
  Result<ValueId> input_with_default(std::string name, Tensor tensor);
  Result<ValueId> capture(std::string name, TensorType type);
  Result<ValueId> constant(std::string name, Tensor tensor);

  // A node with one output. Both have the same name: the node's own, or its operator and a number.
  // Errors: a name in use, operands that do not fit the operator.
  Result<ValueId> op(std::string op_type, std::vector<ValueId> inputs, AttributeMap attributes = {},
                     std::string name = {});

  // Any node. With several outputs they are called NAME_0, NAME_1, ... Its origin is its name
  // unless origins are given.
  Result<std::vector<ValueId>> node(NodeSpec spec, std::vector<ValueId> implicit_inputs = {});

  void output(ValueId id);
  Status output(ValueId id, std::string name);  // gives the value that name

  const Value& value(ValueId id) const { return graph_.value(id); }
  Graph& graph() { return graph_; }

  // Verifies. The builder is empty afterwards.
  Result<Graph> finish() &&;

 private:
  InferTypes infer_;
  Graph graph_;
};

}  // namespace octet::ir
