// The emitters of backends.def.
#pragma once

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"

namespace octet::backends {

#define OCTET_EMITTER(name) Status emit_##name(ir::Graph& graph);
#include "backends/backends.def"
#undef OCTET_EMITTER

}  // namespace octet::backends
