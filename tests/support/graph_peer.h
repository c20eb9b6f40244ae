// Reaches into a Graph to break what its own functions keep whole.
#pragma once

#include <vector>

#include "compiler/ir/graph.h"

namespace octet::ir {

struct GraphTestPeer {
  static Value& value(Graph& graph, ValueId id) { return graph.values_[id.index()]; }
  static Node& node(Graph& graph, NodeId id) { return graph.nodes_[id.index()]; }
  static std::vector<Use>& uses(Graph& graph, ValueId id) { return graph.uses_[id.index()]; }
  static std::vector<NodeId>& order(Graph& graph) { return graph.order_; }
  static std::vector<ValueId>& inputs(Graph& graph) { return graph.inputs_; }
};

}  // namespace octet::ir
