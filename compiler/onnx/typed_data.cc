#include "compiler/onnx/typed_data.h"

#include <array>
#include <cstring>
#include <limits>

namespace octet::onnx {
namespace {

using numerics::DType;
using Bytes = std::vector<std::byte>;

// How many entries the field has, against how many `count` elements take.
Status check_entries(std::string_view field, int64_t found, int64_t needed) {
  if (found == needed) return {};
  return malformed(field, " has ", found, " entries, type and shape need ", needed);
}

// The entries as they are, `per_element` of them for each element.
template <typename T>
Result<Bytes> copied(std::string_view field, const google::protobuf::RepeatedField<T>& entries,
                     int64_t count, int64_t per_element) {
  OCTET_TRY(check_entries(field, entries.size(), count * per_element));
  Bytes bytes(static_cast<size_t>(entries.size()) * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), entries.data(), bytes.size());
  return bytes;
}

// Each entry as one To; one outside [low, high] is refused.
template <typename To, typename From>
Result<Bytes> narrowed(std::string_view field, const google::protobuf::RepeatedField<From>& entries,
                       int64_t needed, From low, From high) {
  OCTET_TRY(check_entries(field, entries.size(), needed));
  Bytes bytes(static_cast<size_t>(entries.size()) * sizeof(To));
  for (int i = 0; i < entries.size(); ++i) {
    const From entry = entries.Get(i);
    if (entry < low || entry > high) {
      return malformed(field, " entry ", i, " is ", entry, ", outside ", low, " to ", high);
    }
    const To value = static_cast<To>(entry);
    std::memcpy(bytes.data() + static_cast<size_t>(i) * sizeof(To), &value, sizeof(To));
  }
  return bytes;
}

template <typename To>
Result<Bytes> from_int32(const ::onnx::TensorProto& tensor, int64_t needed) {
  return narrowed<To, int32_t>("int32_data", tensor.int32_data(), needed,
                               std::numeric_limits<To>::min(), std::numeric_limits<To>::max());
}

// A packed byte may be written as -128..-1 by those who hold it as a signed one.
Result<Bytes> packed_from_int32(const ::onnx::TensorProto& tensor, int64_t count,
                                int64_t per_byte) {
  return narrowed<uint8_t, int32_t>("int32_data", tensor.int32_data(),
                                    count / per_byte + (count % per_byte != 0 ? 1 : 0), -128, 255);
}

}  // namespace

std::string_view typed_field(DType dtype) {
  switch (dtype) {
    case DType::kUndefined:
      return "";
    case DType::kFloat32:
    case DType::kComplex64:
      return "float_data";
    case DType::kFloat64:
    case DType::kComplex128:
      return "double_data";
    case DType::kInt64:
      return "int64_data";
    case DType::kUint32:
    case DType::kUint64:
      return "uint64_data";
    case DType::kString:
      return "string_data";
    default:
      return "int32_data";
  }
}

std::string_view misplaced_field(const ::onnx::TensorProto& tensor, DType dtype) {
  const std::array<std::pair<std::string_view, int>, 6> fields = {{
      {"float_data", tensor.float_data_size()},
      {"double_data", tensor.double_data_size()},
      {"int32_data", tensor.int32_data_size()},
      {"int64_data", tensor.int64_data_size()},
      {"uint64_data", tensor.uint64_data_size()},
      {"string_data", tensor.string_data_size()},
  }};
  for (const auto& [name, size] : fields) {
    if (size > 0 && name != typed_field(dtype)) return name;
  }
  return "";
}

Result<Bytes> typed_bytes(const ::onnx::TensorProto& tensor, DType dtype, int64_t count) {
  switch (dtype) {
    case DType::kFloat32:
      return copied("float_data", tensor.float_data(), count, 1);
    case DType::kComplex64:
      return copied("float_data", tensor.float_data(), count, 2);
    case DType::kFloat64:
      return copied("double_data", tensor.double_data(), count, 1);
    case DType::kComplex128:
      return copied("double_data", tensor.double_data(), count, 2);
    case DType::kInt64:
      return copied("int64_data", tensor.int64_data(), count, 1);
    case DType::kUint64:
      return copied("uint64_data", tensor.uint64_data(), count, 1);
    case DType::kUint32:
      return narrowed<uint32_t, uint64_t>("uint64_data", tensor.uint64_data(), count, 0,
                                          UINT32_MAX);
    case DType::kInt32:
      return copied("int32_data", tensor.int32_data(), count, 1);
    case DType::kInt16:
      return from_int32<int16_t>(tensor, count);
    case DType::kUint16:
    case DType::kFloat16:
    case DType::kBfloat16:
      return from_int32<uint16_t>(tensor, count);
    case DType::kInt8:
      return from_int32<int8_t>(tensor, count);
    case DType::kBool:
      return narrowed<uint8_t, int32_t>("int32_data", tensor.int32_data(), count, 0, 1);
    case DType::kUint4:
    case DType::kInt4:
    case DType::kFloat4E2M1:
      return packed_from_int32(tensor, count, 2);
    case DType::kUint2:
    case DType::kInt2:
      return packed_from_int32(tensor, count, 4);
    case DType::kUint8:
    case DType::kFloat8E4M3FN:
    case DType::kFloat8E4M3FNUZ:
    case DType::kFloat8E5M2:
    case DType::kFloat8E5M2FNUZ:
    case DType::kFloat8E8M0:
      return from_int32<uint8_t>(tensor, count);
    case DType::kUndefined:
    case DType::kString:
      break;
  }
  return malformed("no data");
}

}  // namespace octet::onnx
