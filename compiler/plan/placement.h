// Which units run in integers, and what that demands of the values they read and write.
//
// Requirements start at the operators that are worth running in integers (kAlways). Those that only
// join or move what is integer already (kBetween, kMoves) follow where both sides are: the greatest
// set in which each has an operand from an integer operator and is read by one. (One such operand
// is enough: a residual stream that passes a float operator once is integer again behind it.) What
// no integer operator reads stays float.
#pragma once

#include <string>
#include <vector>

#include "compiler/plan/recipe.h"
#include "compiler/plan/unit.h"

namespace octet::plan {

// One operand of an integer unit's head that has to arrive as integers.
struct Demand {
  ir::NodeId node;
  int64_t input = 0;
  ir::ValueId value;
  std::string space;
  ops::Role role = ops::Role::kData;
};

struct Placement {
  Units units;
  std::vector<bool> integer;         // per unit
  std::vector<std::string> reasons;  // per unit: why float; empty for integer units
  std::vector<bool> wide;            // per unit: its data have the wide space of its rule
  std::vector<Demand> demands;       // of activations and constants, in graph order
};

Placement place(const ir::Graph& graph, const BackendSpec& spec, const Recipe& recipe);

// Whether the data of an integer unit can have its rule's wide space: there is one, and the value
// has no quantizer of another space behind the operator that computes it.
bool can_widen(const ir::Graph& graph, const BackendSpec& spec, const Placement& placement,
               size_t unit);

// The operand of a residual addition that stays bare under ResidualAdd::kSkipOperands: the result
// of a linear operator that nothing else reads, of several the one with the most linear operators
// above it (TensorRT fuses that one with the addition). -1 when there is none.
int64_t bare_operand(const ir::Graph& graph, const Units& units, const std::vector<bool>& integer,
                     ir::NodeId add);

}  // namespace octet::plan
