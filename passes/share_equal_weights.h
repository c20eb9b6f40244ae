#pragma once

#include "passes/pass.h"

namespace octet::passes {

struct ShareEqualWeightsConfig {};

// Weights that are equal in every bit become one constant, as exporters copy what branches share:
// stored once, and quantized the way a shared weight is, so that copies make no difference to the
// numbers. A weight is a floating point constant that linear operators alone read as their weight;
// two of them become one where their readers have the operator and the channel axis in common.
Result<PassReport> share_equal_weights(ir::Graph& graph, const ShareEqualWeightsConfig& config,
                                       PassContext& context);

}  // namespace octet::passes
