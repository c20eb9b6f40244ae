#include "compiler/accuracy/layers.h"

namespace octet::accuracy {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

bool is_own_constant(const Graph& graph, ValueId id) {
  const Tensor* tensor = graph.constant(id);
  return tensor != nullptr && tensor->dtype() == ir::DType::kFloat32 && graph.has_single_use(id) &&
         !graph.uses(id).front().implicit;
}

ValueId own_bias(const Graph& graph, NodeId id, int64_t channels) {
  const Node& node = graph.node(id);
  const auto fits = [&](ValueId bias) {
    return is_own_constant(graph, bias) && graph.constant(bias)->element_count() == channels &&
           graph.constant(bias)->rank() >= 1 && graph.constant(bias)->shape().back() == channels;
  };
  if (!node.is("MatMul")) return fits(node.input(2)) ? node.input(2) : ValueId();
  if (!graph.has_single_use(node.output())) return {};
  const ir::Use& use = graph.uses(node.output()).front();
  const Node& add = graph.node(use.node);
  if (use.implicit || !add.is("Add")) return {};
  const ValueId other = add.input(use.index == 0 ? 1 : 0);
  return fits(other) ? other : ValueId();
}

std::vector<Layer> find_layers(const Graph& graph, const plan::Placement& placement) {
  std::vector<Layer> out;
  for (size_t i = 0; i < placement.units.units.size(); ++i) {
    const plan::Unit& unit = placement.units.units[i];
    const Node& node = graph.node(unit.head);
    if (!placement.integer[i] || unit.rule->weight_space.empty()) continue;
    if (!is_own_constant(graph, node.input(1)) || graph.uses(node.input(1)).front().index != 1) {
      continue;
    }
    const auto layout = weight_layout(node, *graph.constant(node.input(1)));
    if (!layout || !node.input(0).valid() || graph.constant(node.input(0)) != nullptr) continue;
    out.push_back({unit.head, node.input(0), node.input(1),
                   own_bias(graph, unit.head, layout->channels()), *layout});
  }
  return out;
}

}  // namespace octet::accuracy
