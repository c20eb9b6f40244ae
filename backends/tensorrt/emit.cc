// TensorRT reads quantize and dequantize nodes as they are (explicit quantization); its builder
// moves and fuses them.
#include "backends/emitters.h"

namespace octet::backends {

Status emit_tensorrt(ir::Graph& /*graph*/) { return {}; }

}  // namespace octet::backends
