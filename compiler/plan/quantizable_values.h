// Where quantizers can stand at all, whatever the recipe: what a calibration for several backends
// has to observe.
#pragma once

#include <set>
#include <span>

#include "compiler/ir/graph.h"
#include "compiler/plan/backend_spec.h"

namespace octet::plan {

// The float32 values, constants excepted, that some unit (unit.h) of one of the backends reads or
// hands on. What is inside units of all backends, as between a Conv and its Relu, is left out, and
// so is what only operators touch that none of them runs in integers.
std::set<ir::ValueId> quantizable_values(const ir::Graph& graph,
                                         std::span<const BackendSpec> specs);

}  // namespace octet::plan
