// A graph in which a rule's pattern occurs, made at random, with what it computes.
#pragma once

#include <optional>
#include <vector>

#include "compiler/ir/graph.h"
#include "patterns/choices.h"
#include "patterns/pattern.h"

namespace octet::patterns {

struct Instance {
  ir::Graph graph;
  ir::NodeId root;
  // Per value id: what it holds when the graph is run on the random inputs.
  std::vector<ir::Tensor> values;
};

// One try. Nothing when the choices do not fit each other (shapes that do not broadcast, axes out
// of range): most tries end so.
std::optional<Instance> make_instance(const Rule& rule, Random& random);

// Runs the nodes of a graph in order. `values` holds those of inputs, by id, and grows to hold all.
Status evaluate_graph(const ir::Graph& graph, std::vector<ir::Tensor>& values);

}  // namespace octet::patterns
