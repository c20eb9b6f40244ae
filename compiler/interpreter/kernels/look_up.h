// Functions of one byte over runs of bytes.
#pragma once

#include <cstdint>

#include "compiler/ops/qlinear_table.h"

namespace octet::interpreter {

// y[i] = table[x[i]]; x and y may be the same.
void look_up(const ops::ByteTable& table, const uint8_t* x, int64_t count, uint8_t* y);

}  // namespace octet::interpreter
