// A plan made for an equalized graph, told in terms of the canonical one.
#pragma once

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/plan/quant_plan.h"

namespace octet::accuracy {

// `edits`: what made the equalized graph out of the canonical one; only its replaced constants and
// scalings count. They go into the plan, quantized where the plan quantizes them.
Status to_canonical(const ir::Graph& canonical, const plan::QuantPlan& edits,
                    plan::QuantPlan& plan);

}  // namespace octet::accuracy
