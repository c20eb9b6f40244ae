// One operator at a time: infers and evaluates a node from operands given as tensors.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/ir/graph.h"
#include "compiler/ops/schema.h"

namespace octet::testing {

// An operand: absent, constant (its value known to inference too), or known by its type alone.
struct Operand {
  std::optional<ir::Tensor> tensor = std::nullopt;
  ir::ValueFacts facts = {};
  bool constant = false;

  Operand() = default;   // absent
  Operand(ir::Tensor t)  // NOLINT: implicit by design
      : tensor(std::move(t)) {
    facts.type = tensor->type();
  }
  static Operand of_constant(ir::Tensor t) {
    Operand out(std::move(t));
    out.constant = true;
    return out;
  }
  static Operand of_type(ir::DType dtype, ir::Shape shape) {
    Operand out;
    out.facts.type = {dtype, std::move(shape), std::nullopt};
    return out;
  }
  // An int64 vector of which inference knows these elements.
  static Operand of_elements(std::vector<ir::Dim> elements) {
    Operand out =
        of_type(ir::DType::kInt64, ir::Shape({ir::Dim(static_cast<int64_t>(elements.size()))}));
    out.facts.elements = std::move(elements);
    return out;
  }
  bool present() const { return tensor.has_value() || facts.type.storage != ir::DType::kUndefined; }
};

struct OpCase {
  std::string op_type;
  std::vector<Operand> operands;
  ir::AttributeMap attributes = {};
  int64_t opset = 17;
  size_t outputs = 1;
  std::string domain = {};
  numerics::DeviceArithmetic device = {};
};

inline ir::Node node_of(const OpCase& c) {
  ir::Node node;
  node.op_type = c.op_type;
  node.domain = c.domain;
  node.attributes = c.attributes;
  node.origins = {"node"};
  for (size_t i = 0; i < c.operands.size(); ++i) {
    node.inputs.push_back(c.operands[i].present() ? ir::ValueId(i) : ir::ValueId());
  }
  for (size_t i = 0; i < c.outputs; ++i) {
    node.outputs.push_back(ir::ValueId(c.operands.size() + i));
  }
  return node;
}

inline Result<std::vector<ir::ValueFacts>> infer_op(const OpCase& c) {
  std::vector<ir::Value> values;
  for (const Operand& operand : c.operands) {
    ir::Value value;
    value.type = operand.facts.type;
    value.elements = operand.facts.elements;
    if (operand.constant) value.constant = std::make_shared<const ir::Tensor>(*operand.tensor);
    values.push_back(std::move(value));
  }
  ir::ModelInfo model;
  model.opset_imports = {{"", c.opset}};
  const ir::ValueLookup lookup = [&values](ir::ValueId id) -> const ir::Value& {
    return values[id.index()];
  };
  return ops::infer_node(node_of(c), lookup, model);
}

inline Result<std::vector<ir::Tensor>> evaluate_op(const OpCase& c,
                                                   MemoryBudget* budget = nullptr) {
  const ir::Node node = node_of(c);
  std::vector<const ir::Tensor*> inputs;
  for (const Operand& operand : c.operands) {
    inputs.push_back(operand.tensor ? &*operand.tensor : nullptr);
  }
  return ops::evaluate_node({node, c.opset, inputs, budget, {}, nullptr, nullptr, c.device});
}

// Evaluates, checks that inference agrees with the result, and gives output 0. A failure becomes an
// empty tensor of unknown type with the message in `error`.
struct OpResult {
  ir::Tensor tensor;
  std::string error;
};

inline OpResult run_op(const OpCase& c) {
  auto facts = infer_op(c);
  if (!facts.ok()) return {{}, facts.error().message()};
  auto outputs = evaluate_op(c);
  if (!outputs.ok()) return {{}, outputs.error().message()};
  for (size_t i = 0; i < outputs->size() && i < facts->size(); ++i) {
    const ir::TensorType& inferred = (*facts)[i].type;
    const ir::TensorType actual = (*outputs)[i].type();
    if (inferred.storage != actual.storage || !ir::compatible(inferred.shape, actual.shape)) {
      return {{}, "inferred " + inferred.to_string() + ", computed " + actual.to_string()};
    }
  }
  return {(*outputs)[0], ""};
}

}  // namespace octet::testing
