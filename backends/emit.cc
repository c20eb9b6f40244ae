#include <algorithm>

#include "backends/backends.h"
#include "backends/emitters.h"

namespace octet::backends {
namespace {

// ONNX, docs/Versioning.md: the file format version that goes with a version of ai.onnx.
int64_t ir_version_for(int64_t opset) {
  if (opset >= 23) return 11;
  if (opset >= 21) return 10;
  if (opset >= 19) return 9;
  if (opset >= 15) return 8;
  return 7;
}

}  // namespace

Status emit(ir::Graph& graph, const plan::BackendSpec& spec, PlanFrom from) {
#define OCTET_EMITTER(name) \
  if (spec.emitter == #name) OCTET_TRY(emit_##name(graph));
#include "backends/backends.def"
#undef OCTET_EMITTER
  graph.remove_unused_constants();
  int64_t& opset = graph.model.opset_imports[""];
  opset = std::max(opset, spec.opset);
  graph.model.ir_version = std::max(graph.model.ir_version, ir_version_for(opset));
  graph.model.metadata.emplace_back("octet.backend", spec.name);
  const Status accepted = check_acceptance(graph, spec);
  if (accepted.ok() || from == PlanFrom::kPlanner) return accepted;
  return usage_error("backend ", spec.name, " cannot take the plan: ", accepted.error().message());
}

}  // namespace octet::backends
