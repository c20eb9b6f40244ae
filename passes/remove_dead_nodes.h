#pragma once

#include "passes/pass.h"

namespace octet::passes {

struct RemoveDeadNodesConfig {};

// A node without any output is kept: it is there for something else than its results.
Result<PassReport> remove_dead_nodes(ir::Graph& graph, const RemoveDeadNodesConfig& config,
                                     PassContext& context);

}  // namespace octet::passes
