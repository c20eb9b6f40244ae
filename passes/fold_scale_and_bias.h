#pragma once

#include "passes/pass.h"

namespace octet::passes {

struct FoldScaleAndBiasConfig {};

// Mul, Div, Add and Sub by a constant that is one number, or one per channel, go into weight and
// bias of the Conv, ConvTranspose, Gemm or MatMul whose only reader they are. Behind a MatMul only
// Mul and Div do: MatMul with Add is a form of its own. See linear.h for shared weights.
Result<PassReport> fold_scale_and_bias(ir::Graph& graph, const FoldScaleAndBiasConfig& config,
                                       PassContext& context);

}  // namespace octet::passes
