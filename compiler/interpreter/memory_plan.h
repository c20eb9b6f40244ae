// Where buffers lie in an execution context's memory, and when heap buffers can go.
#pragma once

#include "compiler/interpreter/plan.h"

namespace octet::interpreter {

// Lets kernels work in place where nobody reads the operand later, gives every arena buffer an
// offset such that buffers alive at the same step do not overlap, and fills in Step::last_uses.
// Also sets the sizes of the arena. kResourceLimit when they do not fit 64 bits.
Status plan_memory(Plan& plan);

}  // namespace octet::interpreter
