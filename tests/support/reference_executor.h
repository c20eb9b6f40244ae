// Runs a graph node by node with the reference evaluation of its operators, keeping every value.
#pragma once

#include <span>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"

namespace octet::testing_support {

// One tensor per graph.required_inputs(); returns one per graph output. Errors name the node.
Result<std::vector<ir::Tensor>> execute_reference(const ir::Graph& graph,
                                                  std::span<const ir::Tensor> inputs);

}  // namespace octet::testing_support
