// Gelu as models below operator set 20 spell it: x * (1 + erf(x / sqrt 2)) / 2, in the orders of
// patterns/rules/canonicalize/fuse-gelu-erf.textproto.
#pragma once

#include <vector>

#include "compiler/interpreter/specialize.h"

namespace octet::interpreter {

// Who reads what in a specialized graph.
struct Readers {
  const ir::Graph& graph;
  const Specialized& specialized;
  // By ValueId: operands of nodes to run; outputs and observed values count twice more.
  const std::vector<int>& counts;
  const std::vector<bool>& runs;  // by NodeId
};

// The five nodes that make Gelu of `x`, which they alone read, the division first and the result
// last. Empty when they are not there, or somebody else reads what is between them.
std::vector<ir::NodeId> gelu_pieces(const Readers& readers, ir::ValueId x);

}  // namespace octet::interpreter
