// Which graph statistics and plans belong to.
#pragma once

#include <string>

#include "compiler/ir/graph.h"

namespace octet::calibration {

// SHA-256, in hexadecimal, of the graph's structure, names, types and constants. Equal for equal
// graphs on every machine.
std::string fingerprint(const ir::Graph& graph);

}  // namespace octet::calibration
