// OpenVINO reads quantize and dequantize nodes as they are: its low precision transformations move
// and fuse them when the model is compiled.
#include "backends/emitters.h"

namespace octet::backends {

Status emit_openvino(ir::Graph& /*graph*/) { return {}; }

}  // namespace octet::backends
