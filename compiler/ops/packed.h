// Operators that move elements, on element types narrower than a byte.
#pragma once

#include "compiler/ops/evaluate_helpers.h"

namespace octet::ops {

// True for the 4-bit and 2-bit types, several of which share a byte.
bool is_packed(DType dtype);

// Runs `evaluate` with the bit patterns of packed operands spread over uint8 elements, and packs
// the uint8 outputs again. For operators that do not look at the elements and whose uint8 outputs
// are elements of input 0.
Result<Tensors> through_bytes(const EvaluateContext& context, EvaluateFunction evaluate);

// `kMove` for elements of any width.
template <EvaluateFunction kMove>
Result<Tensors> move_any_width(const EvaluateContext& context) {
  if (is_packed(context.input(0).dtype())) return through_bytes(context, kMove);
  return kMove(context);
}

}  // namespace octet::ops
