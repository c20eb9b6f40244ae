// Which nodes run as one kernel: a linear node and the elementwise nodes behind it, QuantizeLinear
// and DequantizeLinear, the three of a channel shuffle, or the five of a Gelu.
#pragma once

#include <vector>

#include "compiler/interpreter/kernel.h"
#include "compiler/interpreter/specialize.h"

namespace octet::interpreter {

// Runs at the place of its last node, where all its operands are there.
struct Unit {
  std::vector<ir::NodeId> nodes;
  std::vector<PostOp> post_ops;       // what the nodes behind the first do
  std::vector<ir::ValueId> operands;  // of post-ops, in order; they follow the first node's inputs
};

enum class Fusion { kNone, kAll };

// All nodes of the specialized graph, each in one unit. A node joins the one in front of it when
// the value between them has no other reader and is neither an output nor observed.
std::vector<Unit> make_units(const ir::Graph& graph, const Specialized& specialized,
                             const std::vector<ir::ValueId>& observed, Fusion fusion);

}  // namespace octet::interpreter
