// What `octet calibrate` observes.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"

namespace octet::tools {

// The values that a built-in backend may quantize, or one of `more`: names or description files
// (backends::load_backend).
Result<std::set<ir::ValueId>> calibrated_values(const ir::Graph& graph,
                                                const std::vector<std::string>& more);

}  // namespace octet::tools
