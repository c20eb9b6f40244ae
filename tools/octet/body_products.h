// Products of weights that lie in the bodies of If, Loop and Scan, which stay float.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "compiler/ir/graph.h"

namespace octet::tools {

// "Conv: inside If" -> how many; bodies within bodies count for the outermost node.
std::map<std::string, int64_t> products_in_bodies(const ir::Graph& graph);

}  // namespace octet::tools
