#include "compiler/plan/unit.h"

#include <algorithm>

namespace octet::plan {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::ValueId;

namespace {

// The node that is the only reader of `value`, reading it once, or an invalid id.
NodeId only_reader(const Graph& graph, ValueId value) {
  if (!graph.has_single_use(value)) return {};
  const ir::Use& use = graph.uses(value).front();
  return use.implicit ? NodeId() : use.node;
}

// A vector over output channels added to a product: what a Gemm takes as its bias.
bool is_bias_of(const Graph& graph, ValueId operand, ValueId product) {
  const ir::Tensor* bias = graph.constant(operand);
  if (bias == nullptr || bias->dtype() != ir::DType::kFloat32) return false;
  const ir::Shape& shape = graph.value(product).type.shape;
  if (!shape.has_rank() || shape.rank() == 0) return false;
  const ir::Dim& channels = shape[shape.rank() - 1];
  if (!channels.is_static() || bias->element_count() != channels.extent()) return false;
  return bias->rank() >= 1 && bias->rank() <= shape.rank() &&
         bias->shape().back() == channels.extent();
}

NodeId find_bias_add(const Graph& graph, const Node& head) {
  const NodeId reader = only_reader(graph, head.output());
  if (!reader.valid() || !graph.node(reader).is("Add")) return {};
  const Node& add = graph.node(reader);
  const ValueId other = add.input(0) == head.output() ? add.input(1) : add.input(0);
  return is_bias_of(graph, other, head.output()) ? reader : NodeId();
}

bool fuses(const Graph& graph, const BackendSpec& spec, const Node& node) {
  // Of two activations it is a join, not an activation function.
  if (node.is("Min") && (node.inputs.size() != 2 || graph.constant(node.input(1)) == nullptr)) {
    return false;
  }
  return node.domain.empty() &&
         std::find(spec.fused_activations.begin(), spec.fused_activations.end(), node.op_type) !=
             spec.fused_activations.end();
}

Unit grow_unit(const Graph& graph, const BackendSpec& spec, NodeId head, const OpRule& rule) {
  Unit unit;
  unit.head = head;
  unit.rule = &rule;
  if (rule.participation == Participation::kMoves ||
      rule.participation == Participation::kTransparent) {
    for (ValueId output : graph.node(head).outputs) {
      if (output.valid()) unit.outputs.push_back(output);
    }
    return unit;
  }
  ValueId last = graph.node(head).output();
  if (spec.matmul_bias && graph.node(head).is("MatMul")) {
    unit.bias_add = find_bias_add(graph, graph.node(head));
    if (unit.bias_add.valid()) last = graph.node(unit.bias_add).output();
  }
  for (NodeId next = only_reader(graph, last);
       next.valid() && fuses(graph, spec, graph.node(next)) && graph.node(next).input(0) == last;
       next = only_reader(graph, last)) {
    unit.activations.push_back(next);
    last = graph.node(next).output();
  }
  unit.outputs = {last};
  return unit;
}

}  // namespace

bool Unit::hands_on(ValueId value) const {
  return std::find(outputs.begin(), outputs.end(), value) != outputs.end();
}

Units find_units(const Graph& graph, const BackendSpec& spec) {
  Units out;
  out.of_node.assign(graph.node_count(), -1);
  for (NodeId id : graph.order()) {
    if (out.of_node[id.index()] >= 0) continue;
    const OpRule* rule = spec.find_op(graph.node(id));
    if (rule == nullptr || !graph.node(id).output().valid()) continue;
    Unit unit = grow_unit(graph, spec, id, *rule);
    const auto index = static_cast<int32_t>(out.units.size());
    out.of_node[id.index()] = index;
    if (unit.bias_add.valid()) out.of_node[unit.bias_add.index()] = index;
    for (NodeId activation : unit.activations) out.of_node[activation.index()] = index;
    out.units.push_back(std::move(unit));
  }
  return out;
}

WeightSource weight_source(const Graph& graph, ValueId operand) {
  if (!operand.valid()) return {};
  if (graph.constant(operand) != nullptr) return {operand, {}};
  const NodeId producer = graph.value(operand).producer;
  if (!producer.valid() || !graph.node(producer).is("Mul")) return {};
  const Node& mul = graph.node(producer);
  const ir::Tensor* weight = graph.constant(mul.input(0));
  const ir::Tensor* factor = graph.constant(mul.input(1));
  if (weight == nullptr || factor == nullptr) return {};
  const bool per_channel = std::count_if(factor->shape().begin(), factor->shape().end(),
                                         [](int64_t extent) { return extent != 1; }) <= 1 &&
                           factor->rank() <= weight->rank();
  const std::vector<float> factors = factor->to_floats();
  const bool positive =
      std::all_of(factors.begin(), factors.end(), [](float f) { return f > 0.0F; });
  if (!per_channel || !positive) return {};
  return {mul.input(0), mul.input(1)};
}

bool is_constant_like(const Graph& graph, ValueId operand) {
  return weight_source(graph, operand).constant.valid();
}

}  // namespace octet::plan
