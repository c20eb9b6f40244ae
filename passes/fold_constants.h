#pragma once

#include "passes/pass.h"

namespace octet::passes {

struct FoldConstantsConfig {};

// A node whose operands are constants is evaluated by the reference; a value whose elements follow
// from known shapes (Shape of a static extent, Gather of it, ...) becomes a constant too. Types
// that follow from new constants are written down.
//
// Kept: quantize and dequantize nodes (a quantized model says by them what is quantized); random
// operators; results longer than PassContext::max_constant_bytes and four times their operands; and
// Mul(weight, factor) where the weight is shared: that form keeps one tensor for all its readers
// (linear.h).
Result<PassReport> fold_constants(ir::Graph& graph, const FoldConstantsConfig& config,
                                  PassContext& context);

}  // namespace octet::passes
