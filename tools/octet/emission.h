// From a plan to the file of a quantized model.
#pragma once

#include <string>

#include "backends/backends.h"
#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/plan/backend_spec.h"
#include "compiler/plan/quant_plan.h"

namespace octet::tools {

// The canonical graph with the plan done to it, in the backend's form, checked against the
// backend's description.
Result<ir::Graph> apply_and_emit(ir::Graph canonical, const plan::QuantPlan& plan,
                                 const plan::BackendSpec& spec,
                                 backends::PlanFrom from = backends::PlanFrom::kPlanner);

// Writes the model; what is in the file has been read back and found equal before the name appears.
Status write_checked(const ir::Graph& graph, const std::string& path);

}  // namespace octet::tools
