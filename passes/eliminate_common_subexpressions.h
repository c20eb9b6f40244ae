#pragma once

#include "passes/pass.h"

namespace octet::passes {

struct EliminateCommonSubexpressionsConfig {
  // Integer constants of at most this many elements (axes, shapes) that are equal become one first.
  int64_t max_constant_elements = 64;
};

// Of nodes with the same operator, operands and attributes the first stays. Operators must be known
// and always give the same results for the same operands; quantize and dequantize nodes stay as
// they are, since a quantized model places them one per reader on purpose.
Result<PassReport> eliminate_common_subexpressions(
    ir::Graph& graph, const EliminateCommonSubexpressionsConfig& config, PassContext& context);

}  // namespace octet::passes
