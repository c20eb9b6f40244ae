#include <algorithm>

#include "backends/backends.h"
#include "backends/emitters.h"
#include "compiler/ir/versions.h"

namespace octet::backends {

Status emit(ir::Graph& graph, const plan::BackendSpec& spec, PlanFrom from) {
#define OCTET_EMITTER(name) \
  if (spec.emitter == #name) OCTET_TRY(emit_##name(graph));
#include "backends/backends.def"
#undef OCTET_EMITTER
  graph.remove_unused_constants();
  int64_t& opset = graph.model.opset_imports[""];
  opset = std::max(opset, spec.opset);
  graph.model.ir_version = std::max(graph.model.ir_version, ir::ir_version_for(opset));
  graph.model.metadata.emplace_back("octet.backend", spec.name);
  const Status accepted = check_acceptance(graph, spec);
  if (accepted.ok() || from == PlanFrom::kPlanner) return accepted;
  return usage_error("backend ", spec.name, " cannot take the plan: ", accepted.error().message());
}

}  // namespace octet::backends
