// Whether single layers can read 16 bits, and the lines of a recipe that make them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/graph.h"
#include "compiler/plan/backend_spec.h"

namespace octet::accuracy {

// What a recipe says so that all `readers` of a quantized tensor read 16 bits. Nothing where one of
// them cannot (plan::can_widen).
std::optional<std::string> recipe_for_wide_data(const ir::Graph& graph,
                                                const plan::BackendSpec& spec,
                                                const std::vector<ir::NodeId>& readers);

}  // namespace octet::accuracy
