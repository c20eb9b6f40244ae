#include "backends/emitters.h"
#include "backends/lowering/matmul_to_gemm.h"

namespace octet::backends {

Status emit_arm(ir::Graph& graph) { return lower_matmul_to_gemm(graph); }

}  // namespace octet::backends
