// Fused units: an operator that can run in integers with what fuses behind it before its result is
// quantized. Quantizers stand at the edges of units, never inside.
#pragma once

#include <vector>

#include "compiler/ir/graph.h"
#include "compiler/plan/backend_spec.h"

namespace octet::plan {

struct Unit {
  ir::NodeId head;
  const OpRule* rule = nullptr;  // of the head
  ir::NodeId bias_add;           // the Add of a constant behind a MatMul; invalid when none
  std::vector<ir::NodeId> activations;
  // What the unit hands on: one value, except for a Split, which moves to several.
  std::vector<ir::ValueId> outputs;

  bool hands_on(ir::ValueId value) const;
};

struct Units {
  std::vector<Unit> units;       // in graph order
  std::vector<int32_t> of_node;  // index into units for the head and what it fused; -1 otherwise
  const Unit* unit_of(ir::NodeId id) const {
    const int32_t index = of_node[id.index()];
    return index < 0 ? nullptr : &units[static_cast<size_t>(index)];
  }
};

Units find_units(const ir::Graph& graph, const BackendSpec& spec);

// Where a linear operator's weight comes from: a constant, or a constant times a constant positive
// factor per output channel (a batch norm folded behind a shared weight).
struct WeightSource {
  ir::ValueId constant;  // invalid when the operand is no constant
  ir::ValueId factor;    // invalid when there is none
};
WeightSource weight_source(const ir::Graph& graph, ir::ValueId operand);

// True when the value is constant or computed from constants as weight_source understands it.
bool is_constant_like(const ir::Graph& graph, ir::ValueId operand);

}  // namespace octet::plan
