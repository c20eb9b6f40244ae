// The layers whose weights and biases the recipe may change: linear operators that run in integers
// and have a weight of their own.
#pragma once

#include <vector>

#include "compiler/accuracy/columns.h"
#include "compiler/ir/graph.h"
#include "compiler/plan/placement.h"

namespace octet::accuracy {

// True for a float32 constant that nothing but one operand reads.
bool is_own_constant(const ir::Graph& graph, ir::ValueId id);

struct Layer {
  ir::NodeId node;
  ir::ValueId x;       // its data
  ir::ValueId weight;  // its own constant
  ir::ValueId bias;    // its own constant, one element per channel; invalid when it has none
  WeightLayout layout;
};

// The bias of a linear node: its operand, or the constant of the only Add behind a MatMul. Invalid
// when there is none of its own.
ir::ValueId own_bias(const ir::Graph& graph, ir::NodeId node, int64_t channels);

// In graph order.
std::vector<Layer> find_layers(const ir::Graph& graph, const plan::Placement& placement);

}  // namespace octet::accuracy
