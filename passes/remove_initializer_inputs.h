#pragma once

#include "passes/pass.h"

namespace octet::passes {

struct RemoveInitializerInputsConfig {};

// Before IR version 4 every initializer had to be a graph input, so most of them were never meant
// to be set. From version 4 on it is a default that a caller may override; folding weights needs it
// fixed, and the notes tell. The model is of IR version 4 or later afterwards: older ones may not
// hold constants that are no inputs, which every other pass makes.
Result<PassReport> remove_initializer_inputs(ir::Graph& graph,
                                             const RemoveInitializerInputsConfig& config,
                                             PassContext& context);

}  // namespace octet::passes
