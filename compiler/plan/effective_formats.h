// What of the number formats that were asked for a plan really has.
#pragma once

#include <cstdint>
#include <string>

#include "compiler/plan/backend_spec.h"
#include "compiler/plan/quant_plan.h"

namespace octet::plan {

// Operands that read 4-bit weights: so many layers have them.
int64_t narrow_layer_count(const QuantPlan& plan);

// plan.formats, without 4-bit weights where no layer has them: what the written model may claim.
std::string effective_formats(const QuantPlan& plan);

// The operator set the plan needs: the description's own where no format that raised it is used.
int64_t needed_opset(const BackendSpec& spec, const QuantPlan& plan);

}  // namespace octet::plan
