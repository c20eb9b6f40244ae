// Does what a plan says, decides nothing: puts QuantizeLinear and DequantizeLinear nodes into the
// graph and turns constants into integers.
#pragma once

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/plan/quant_plan.h"

namespace octet::plan {

// kUsage, and the graph unchanged, when the plan belongs to another graph or names a value, node or
// operand that does not exist. Every scale has a zero point beside it of the storage type, scalars
// are 0-d, per-axis nodes carry their axis, and every reader has a DequantizeLinear of its own.
Status apply_plan(ir::Graph& graph, const QuantPlan& plan);

// The first half of apply_plan: replaced constants and scalings, after which the graph computes in
// float what quantizers are put into. The fingerprint is not looked at.
Status apply_edits(ir::Graph& graph, const QuantPlan& plan);

// The integers of `tensor` under `params`.
Result<ir::Tensor> quantize_constant(const ir::Tensor& tensor, const ir::QuantParams& params);

}  // namespace octet::plan
