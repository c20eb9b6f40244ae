// Which nodes can be computed now, or once instead of twice.
#pragma once

#include "compiler/ir/graph.h"

namespace octet::passes {

// Known, without bodies, and always the same results for the same operands. Quantize and dequantize
// nodes do not count: a quantized model says by them what is quantized, and places them one per
// reader on purpose.
bool is_pure(const ir::Node& node);

}  // namespace octet::passes
