#pragma once

#include "passes/pass.h"

namespace octet::passes {

struct NormalizeGemmConfig {};

// Y = alpha * A' * B' + beta * C: alpha goes into a constant B, beta into a constant C, a beta of 0
// removes C, and transA becomes a Transpose before it. What is not constant keeps its attribute.
Result<PassReport> normalize_gemm(ir::Graph& graph, const NormalizeGemmConfig& config,
                                  PassContext& context);

}  // namespace octet::passes
