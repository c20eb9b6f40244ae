// A plan as a graph whose weights are floats on their grids, so that a layer's can be replaced
// while it runs.
#pragma once

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/plan/quant_plan.h"

namespace octet::accuracy {

// `graph` with the activations quantized as `plan` says, and every quantized constant on its grid.
Result<ir::Graph> simulated(const ir::Graph& graph, const plan::QuantPlan& plan);

// The real numbers that integers stand for.
ir::Tensor on_grid(const ir::Tensor& integers, const ir::QuantParams& params);

}  // namespace octet::accuracy
