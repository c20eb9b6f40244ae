// Element types. The enumerators have the values of ONNX's TensorProto.DataType.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace octet::numerics {

enum class DType : int32_t {
  kUndefined = 0,  // not a tensor, or not known
  kFloat32 = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBfloat16 = 16,
  kFloat8E4M3FN = 17,
  kFloat8E4M3FNUZ = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2FNUZ = 20,
  kUint4 = 21,
  kInt4 = 22,
  kFloat4E2M1 = 23,
  kFloat8E8M0 = 24,
  kUint2 = 25,
  kInt2 = 26,
};

// The name in text form: "float32", "int8", "uint4", ...
std::string_view dtype_name(DType dtype);
std::optional<DType> dtype_from_name(std::string_view name);

// True for the enumerators above other than kUndefined.
bool is_known_dtype(int32_t onnx_data_type);

// Bits of one element in storage: 4 for int4, 8 for bool; 0 for kString and kUndefined.
int bit_width(DType dtype);

bool is_integer(DType dtype);  // signed or unsigned, 2 to 64 bits; not bool
bool is_signed_integer(DType dtype);
bool is_floating_point(DType dtype);  // float8 and float4 included, complex not

// Bytes of `count` packed elements (4-bit types hold two a byte, the first in the low half).
// Nothing on overflow, for a negative count and for kString.
std::optional<int64_t> storage_bytes(DType dtype, int64_t count);

// The least and greatest value of an integer type of at most 32 bits.
struct IntegerRange {
  int64_t min = 0;
  int64_t max = 0;
};
IntegerRange integer_range(DType dtype);

}  // namespace octet::numerics
