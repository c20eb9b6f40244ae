#include "compiler/interpreter/reference.h"

#include <functional>
#include <utility>

#include "compiler/ops/schema.h"

namespace octet::interpreter {
namespace {

bool within(std::span<const std::byte> inner, std::span<const std::byte> outer) {
  if (inner.empty()) return false;
  const std::less_equal<const std::byte*> at_most;
  return at_most(outer.data(), inner.data()) &&
         at_most(inner.data() + inner.size(), outer.data() + outer.size());
}

Result<ReferenceOutputs> evaluate(const ir::Graph& graph, const ir::Node& node,
                                  std::span<const ir::Tensor* const> inputs,
                                  const ReferenceEnvironment& environment) {
  MemoryBudget& budget = environment.budget;
  MemoryBudget left(budget.limit() - budget.used());
  const size_t own = node.inputs.size();
  if (inputs.size() != own + node.implicit_inputs.size()) return internal_error("operands missing");
  const ops::EvaluateContext context{
      node,    graph.model.opset(), inputs.first(own), &left, inputs.subspan(own),
      nullptr, environment.bodies,  environment.device};
  ReferenceOutputs out;
  OCTET_ASSIGN(out.tensors, ops::evaluate_node(context));
  if (out.tensors.size() < node.outputs.size()) {
    return internal_error(node.outputs.size(), " outputs asked for, ", out.tensors.size(), " made");
  }
  for (const ir::Tensor& tensor : out.tensors) {
    bool shared = false;
    for (const ir::Tensor* input : inputs) {
      shared = shared || (input != nullptr && shares_bytes(tensor, *input));
    }
    out.charged.push_back(shared ? 0 : static_cast<int64_t>(tensor.bytes().size()));
  }
  for (size_t i = 0; i < out.charged.size(); ++i) {
    auto status = budget.charge(out.charged[i]);
    if (status.ok()) continue;
    while (i-- > 0) budget.release(out.charged[i]);
    return status.error();
  }
  return out;
}

}  // namespace

bool shares_bytes(const ir::Tensor& tensor, const ir::Tensor& other) {
  return within(tensor.bytes(), other.bytes());
}

Result<ReferenceOutputs> evaluate_reference(const ir::Graph& graph, const ir::Node& node,
                                            std::span<const ir::Tensor* const> inputs,
                                            const ReferenceEnvironment& environment) {
  auto out = evaluate(graph, node, inputs, environment);
  if (!out.ok()) return out.error().in(ir::describe(graph, node));
  return out;
}

}  // namespace octet::interpreter
