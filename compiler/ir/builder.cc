#include "compiler/ir/builder.h"

#include <utility>

#include "compiler/ir/verify.h"

namespace octet::ir {

Builder::Builder(InferTypes infer, std::string graph_name, ModelInfo model)
    : infer_(std::move(infer)) {
  graph_.name = std::move(graph_name);
  graph_.model = std::move(model);
}

Result<ValueId> Builder::input(std::string name, TensorType type) {
  return graph_.add_input(std::move(name), std::move(type));
}

Result<ValueId> Builder::input_with_default(std::string name, Tensor tensor) {
  OCTET_ASSIGN(const ValueId id, graph_.add_input(std::move(name), tensor.type()));
  graph_.set_constant(id, std::make_shared<const Tensor>(std::move(tensor)));
  return id;
}

Result<ValueId> Builder::capture(std::string name, TensorType type) {
  return graph_.add_capture(std::move(name), std::move(type));
}

Result<ValueId> Builder::constant(std::string name, Tensor tensor) {
  return graph_.add_constant(std::move(name), std::make_shared<const Tensor>(std::move(tensor)));
}

Result<ValueId> Builder::op(std::string op_type, std::vector<ValueId> inputs,
                            AttributeMap attributes, std::string name) {
  NodeSpec spec;
  spec.op_type = std::move(op_type);
  spec.inputs = std::move(inputs);
  spec.attributes = std::move(attributes);
  spec.name = std::move(name);
  OCTET_ASSIGN(const std::vector<ValueId> outputs, node(std::move(spec)));
  return outputs.front();
}

Result<std::vector<ValueId>> Builder::node(NodeSpec spec, std::vector<ValueId> implicit_inputs) {
  Node node;
  node.op_type = std::move(spec.op_type);
  node.domain = std::move(spec.domain);
  node.name = std::move(spec.name);
  if (node.name.empty()) {
    node.name = graph_.unique_value_name(cat(node.op_type, "_", graph_.node_count()));
  }
  node.inputs = std::move(spec.inputs);
  node.implicit_inputs = std::move(implicit_inputs);
  node.attributes = std::move(spec.attributes);
  node.origins = std::move(spec.origins);
  if (node.origins.empty()) node.origins = {node.name};
  node.outputs.resize(spec.outputs);

  std::vector<ValueFacts> facts;
  if (infer_) {
    const auto lookup = [this](ValueId id) -> const Value& { return graph_.value(id); };
    auto inferred = infer_(node, lookup, graph_.model);
    if (!inferred.ok()) return inferred.error().in(describe(graph_, node));
    facts = std::move(inferred).value();
  }
  facts.resize(spec.outputs);
  for (size_t i = 0; i < spec.outputs; ++i) {
    std::string name = spec.outputs == 1 ? node.name : cat(node.name, "_", i);
    OCTET_ASSIGN(node.outputs[i], graph_.add_value(std::move(name), facts[i].type));
    graph_.set_facts(node.outputs[i], std::move(facts[i]));
  }
  std::vector<ValueId> outputs = node.outputs;
  graph_.add_node(std::move(node));
  return outputs;
}

void Builder::output(ValueId id) { graph_.add_output(id); }

Status Builder::output(ValueId id, std::string name) {
  OCTET_TRY(graph_.rename_value(id, std::move(name)));
  graph_.add_output(id);
  return {};
}

Result<Graph> Builder::finish() && {
  OCTET_TRY(verify(graph_));
  return std::exchange(graph_, Graph());
}

}  // namespace octet::ir
