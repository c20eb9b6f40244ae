// Operators of one 8-bit number: a table of 256 results.
#pragma once

#include <array>
#include <cstdint>

#include "compiler/numerics/quantize.h"
#include "compiler/ops/integer_operands.h"

namespace octet::ops {

// By the bits of the input: quantize(f(dequantize(x))).
using ByteTable = std::array<uint8_t, 256>;

template <typename F>
ByteTable byte_table(const QuantizedOperand& x, const OutputQuantization& y, F f) {
  ByteTable out;
  for (int32_t i = 0; i < 256; ++i) {
    const int32_t q = x.dtype == DType::kInt8 ? static_cast<int8_t>(i) : i;
    const float value = f(numerics::dequantize(q, x.scale, x.zero_point));
    out[static_cast<size_t>(i)] = static_cast<uint8_t>(
        numerics::quantize(value, y.scale, y.range.zero_point, y.range.qmin, y.range.qmax));
  }
  return out;
}

// The table of a node of QLinearSigmoid or QLinearLeakyRelu.
ByteTable unary_table(const ir::Node& node, const QuantizedOperand& x, const OutputQuantization& y);

}  // namespace octet::ops
