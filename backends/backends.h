// Targets: their descriptions, what makes a quantized graph theirs, and the check of the result.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/plan/backend_spec.h"
#include "compiler/plan/quant_plan.h"

namespace octet::backends {

// Names of the built-in targets, sorted.
std::vector<std::string> builtin_backends();

// A built-in target by name, or a description from a file when `name_or_path` holds a '/' or ends
// in ".textproto". kUsage with the nearest name, or FILE:LINE:COLUMN and what is wrong.
Result<plan::BackendSpec> load_backend(const std::string& name_or_path);

// A description from text; `file_name` is for messages. kUsage also for one that has the name of a
// built-in target and differs from it.
Result<plan::BackendSpec> parse_backend(std::string_view text, std::string_view file_name);

// Who answers for a plan that the backend cannot take.
enum class PlanFrom {
  kPlanner,  // kInternal: a bug of Octet
  kFile,     // kUsage: somebody edited it, or wrote it for another backend
};

// Turns the graph that plan::apply_plan left into the backend's own form: lowering of its emitter,
// operator set, provenance in the metadata; then check_acceptance.
Status emit(ir::Graph& graph, const plan::BackendSpec& spec, PlanFrom from = PlanFrom::kPlanner);

// Whether the storage types and zero points of a plan that came from a file are among the
// description's spaces: kUsage naming the entry and the allowed types.
Status check_plan(const plan::QuantPlan& plan, const plan::BackendSpec& spec);

// Holds every constraint of the description against the finished graph: storage types, zero points,
// axes, narrow range, bias form and scale, equal parameters around operators that move, a quantizer
// behind what requires one, operator set. kInternal naming the node and the rule [A1]..[A9]; a file
// is written only after this passes.
Status check_acceptance(const ir::Graph& graph, const plan::BackendSpec& spec);

}  // namespace octet::backends
