// From a plan for the edited graph to one for the canonical graph that makes the edits itself.
#pragma once

#include "compiler/accuracy/remarks.h"
#include "compiler/base/result.h"

namespace octet::accuracy {

// `edited` is `canonical` with `edits` (replaced, scalings, bounds) done; `plan` was made for
// `edited` and becomes one for `canonical`. Constants that are quantized say their edit by their
// integers, the others by their numbers.
Status finish_plan(const ir::Graph& canonical, const ir::Graph& edited,
                   const plan::QuantPlan& edits, plan::QuantPlan& plan);

}  // namespace octet::accuracy
