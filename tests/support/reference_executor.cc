#include "tests/support/reference_executor.h"

#include <optional>

#include "compiler/ops/schema.h"

namespace octet::testing_support {
namespace {

constexpr int64_t kMaxBytesPerNode = int64_t{1} << 30;

using Values = std::vector<std::optional<ir::Tensor>>;  // by value id

Status run_node(const ir::Graph& graph, const ir::Node& node, Values& values) {
  std::vector<const ir::Tensor*> inputs;
  for (ir::ValueId id : node.inputs) {
    if (id.valid() && !values[id.index()]) return internal_error("an operand has no value");
    inputs.push_back(id.valid() ? &*values[id.index()] : nullptr);
  }
  std::vector<const ir::Tensor*> captured;
  for (ir::ValueId id : node.implicit_inputs) {
    if (!values[id.index()]) return internal_error("a captured value is missing");
    captured.push_back(&*values[id.index()]);
  }
  MemoryBudget budget(kMaxBytesPerNode);
  const ops::EvaluateContext context{node, graph.model.opset(), inputs, &budget, captured};
  OCTET_ASSIGN(std::vector<ir::Tensor> outputs, ops::evaluate_node(context));
  if (outputs.size() < node.outputs.size()) return internal_error("too few outputs");
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].valid()) values[node.outputs[i].index()] = std::move(outputs[i]);
  }
  return {};
}

}  // namespace

Result<std::vector<ir::Tensor>> execute_reference(const ir::Graph& graph,
                                                  std::span<const ir::Tensor> inputs) {
  const std::vector<ir::ValueId> required = graph.required_inputs();
  if (inputs.size() != required.size()) {
    return bad_data(inputs.size(), " inputs given, ", required.size(), " needed");
  }
  Values values(graph.value_count());
  for (size_t i = 0; i < values.size(); ++i) {
    const ir::Value& value = graph.value(ir::ValueId(i));
    if (value.is_constant()) values[i] = *value.constant;
  }
  for (size_t i = 0; i < required.size(); ++i) values[required[i].index()] = inputs[i];
  for (ir::NodeId id : graph.order()) {
    OCTET_TRY(run_node(graph, graph.node(id), values).in(ir::describe(graph, id)));
  }
  std::vector<ir::Tensor> outputs;
  for (ir::ValueId id : graph.outputs()) {
    if (!values[id.index()]) return internal_error("an output has no value");
    outputs.push_back(*values[id.index()]);
  }
  return outputs;
}

}  // namespace octet::testing_support
