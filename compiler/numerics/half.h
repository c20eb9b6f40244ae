// Conversions between float32 and the narrow floating point formats, rounding half to even.
#pragma once

#include <cstdint>

#include "compiler/numerics/dtype.h"

namespace octet::numerics {

uint16_t float_to_half(float x);  // IEEE binary16; overflow gives infinity
float half_to_float(uint16_t bits);
uint16_t float_to_bfloat16(float x);
float bfloat16_to_float(uint16_t bits);

// dtype is one of the four float8 types, kFloat4E2M1 or kFloat8E8M0. With `saturate`, values beyond
// the format's range become its largest finite value, else NaN or infinity as ONNX's Cast has it
// (onnx/docs/docsgen/source/technical/float8.md).
enum class Overflow { kSaturate, kNonFinite };
uint8_t float_to_float8(float x, DType dtype, Overflow overflow);
float float8_to_float(uint8_t bits, DType dtype);

}  // namespace octet::numerics
