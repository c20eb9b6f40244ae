#pragma once

#include "passes/pass.h"

namespace octet::passes {

struct LiftOpsetConfig {
  // What models of older operator sets are lifted to: 13 to 23. Runtimes take newer ones later; 17
  // is what they all take. A model that is at this version or above keeps its own.
  int64_t target_opset = 17;
};

// Rewrites each operator whose form differs between the model's operator set and the target's
// (lift_operators.h), in the bodies of If, Loop and Scan too, then states the new version and the
// IR version that it needs. All or nothing, and one edit: where an operator cannot be lifted
// (unknown, experimental, gone without a successor) the model stays as it is and a note says why.
// kUsage for a target that is out of range.
Result<PassReport> lift_opset(ir::Graph& graph, const LiftOpsetConfig& config,
                              PassContext& context);

}  // namespace octet::passes
