#include "passes/remove_dead_nodes.h"

#include <algorithm>

namespace octet::passes {
namespace {

bool is_dead(const ir::Graph& graph, const ir::Node& node) {
  return !node.outputs.empty() &&
         std::none_of(node.outputs.begin(), node.outputs.end(), [&](ir::ValueId id) {
           return id.valid() && (!graph.uses(id).empty() || graph.is_output(id));
         });
}

int64_t unused_constants(const ir::Graph& graph) {
  int64_t count = 0;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const ir::ValueId id(i);
    const ir::Value& value = graph.value(id);
    if (value.alive && value.is_constant() && !value.is_input && graph.uses(id).empty() &&
        !graph.is_output(id)) {
      ++count;
    }
  }
  return count;
}

}  // namespace

Result<PassReport> remove_dead_nodes(ir::Graph& graph, const RemoveDeadNodesConfig& /*config*/,
                                     PassContext& context) {
  PassReport report;
  const std::vector<ir::NodeId> order = graph.order();
  for (auto id = order.rbegin(); id != order.rend(); ++id) {
    if (!is_dead(graph, graph.node(*id))) continue;
    if (!context.take_edit(cat("remove ", ir::describe(graph, *id)))) return report;
    graph.remove_node(*id);
    report.edited();
  }
  const int64_t constants = unused_constants(graph);
  if (constants > 0 && context.take_edit(cat("remove ", constants, " unused constants"))) {
    graph.remove_unused_constants();
    report.edited();
  }
  return report;
}

}  // namespace octet::passes
