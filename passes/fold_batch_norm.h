#pragma once

#include "passes/pass.h"

namespace octet::passes {

struct FoldBatchNormConfig {};

// BatchNormalization behind Conv, ConvTranspose, Gemm or a MatMul of matrices with constant
// weights, when nothing else reads what that computes:
//   factor = scale / sqrt(variance + epsilon)
//   weight' = weight * factor, bias' = (bias - mean) * factor + shift
// in double, rounded once. See linear.h for shared weights. Left alone, with a note: training mode,
// parameters that are not constant, not finite or not one per channel, and negative variances.
Result<PassReport> fold_batch_norm(ir::Graph& graph, const FoldBatchNormConfig& config,
                                   PassContext& context);

}  // namespace octet::passes
