#include "compiler/numerics/dtype.h"

#include <array>

#include "compiler/base/checked.h"

namespace octet::numerics {
namespace {

enum class Kind { kOther, kSigned, kUnsigned, kFloat };

struct Traits {
  std::string_view name;
  int bits;
  Kind kind;
};

// Indexed by the enumerator.
constexpr std::array<Traits, 27> kTraits = {{
    {"undefined", 0, Kind::kOther},      {"float32", 32, Kind::kFloat},
    {"uint8", 8, Kind::kUnsigned},       {"int8", 8, Kind::kSigned},
    {"uint16", 16, Kind::kUnsigned},     {"int16", 16, Kind::kSigned},
    {"int32", 32, Kind::kSigned},        {"int64", 64, Kind::kSigned},
    {"string", 0, Kind::kOther},         {"bool", 8, Kind::kOther},
    {"float16", 16, Kind::kFloat},       {"float64", 64, Kind::kFloat},
    {"uint32", 32, Kind::kUnsigned},     {"uint64", 64, Kind::kUnsigned},
    {"complex64", 64, Kind::kOther},     {"complex128", 128, Kind::kOther},
    {"bfloat16", 16, Kind::kFloat},      {"float8e4m3fn", 8, Kind::kFloat},
    {"float8e4m3fnuz", 8, Kind::kFloat}, {"float8e5m2", 8, Kind::kFloat},
    {"float8e5m2fnuz", 8, Kind::kFloat}, {"uint4", 4, Kind::kUnsigned},
    {"int4", 4, Kind::kSigned},          {"float4e2m1", 4, Kind::kFloat},
    {"float8e8m0", 8, Kind::kFloat},     {"uint2", 2, Kind::kUnsigned},
    {"int2", 2, Kind::kSigned},
}};

const Traits& traits(DType dtype) {
  const auto index = static_cast<size_t>(dtype);
  return index < kTraits.size() ? kTraits[index] : kTraits[0];
}

}  // namespace

std::string_view dtype_name(DType dtype) { return traits(dtype).name; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (size_t i = 0; i < kTraits.size(); ++i) {
    if (kTraits[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

bool is_known_dtype(int32_t onnx_data_type) {
  return onnx_data_type > 0 && onnx_data_type < static_cast<int32_t>(kTraits.size());
}

int bit_width(DType dtype) { return traits(dtype).bits; }

bool is_integer(DType dtype) {
  return traits(dtype).kind == Kind::kSigned || traits(dtype).kind == Kind::kUnsigned;
}

bool is_signed_integer(DType dtype) { return traits(dtype).kind == Kind::kSigned; }

bool is_floating_point(DType dtype) { return traits(dtype).kind == Kind::kFloat; }

std::optional<int64_t> storage_bytes(DType dtype, int64_t count) {
  const int64_t bits = bit_width(dtype);
  if (bits == 0 || count < 0) return std::nullopt;
  if (bits >= 8) return checked_mul(count, bits / 8);
  const int64_t per_byte = 8 / bits;
  return count / per_byte + (count % per_byte != 0 ? 1 : 0);
}

IntegerRange integer_range(DType dtype) {
  const int bits = bit_width(dtype);
  if (!is_integer(dtype) || bits > 32) return {};
  const int64_t one = 1;
  if (is_signed_integer(dtype)) return {-(one << (bits - 1)), (one << (bits - 1)) - 1};
  return {0, (one << bits) - 1};
}

}  // namespace octet::numerics
