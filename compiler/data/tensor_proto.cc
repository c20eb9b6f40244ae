#include "compiler/data/tensor_proto.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "compiler/base/checked.h"
#include "compiler/data/buffer.h"

namespace octet::data {
namespace {

using ir::DType;

enum class Wire : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Field {
  uint32_t number = 0;
  Wire wire = Wire::kVarint;
  uint64_t value = 0;      // kVarint
  std::string_view bytes;  // the others
};

std::optional<uint64_t> take_varint(std::string_view& rest) {
  uint64_t out = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (rest.empty()) return std::nullopt;
    const auto byte = static_cast<uint8_t>(rest[0]);
    rest.remove_prefix(1);
    out |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return out;
  }
  return std::nullopt;
}

std::optional<std::string_view> take_bytes(std::string_view& rest, uint64_t count) {
  if (count > rest.size()) return std::nullopt;
  const std::string_view out = rest.substr(0, static_cast<size_t>(count));
  rest.remove_prefix(static_cast<size_t>(count));
  return out;
}

std::optional<Field> take_field(std::string_view& rest) {
  const auto tag = take_varint(rest);
  if (!tag || *tag >> 3 == 0 || *tag >> 32 != 0) return std::nullopt;
  Field field{static_cast<uint32_t>(*tag >> 3), static_cast<Wire>(*tag & 7), 0, {}};
  std::optional<uint64_t> length;
  switch (field.wire) {
    case Wire::kVarint: {
      const auto value = take_varint(rest);
      if (!value) return std::nullopt;
      field.value = *value;
      return field;
    }
    case Wire::kFixed64:
      length = 8;
      break;
    case Wire::kFixed32:
      length = 4;
      break;
    case Wire::kBytes:
      length = take_varint(rest);
      break;
    default:
      return std::nullopt;
  }
  const auto bytes = length ? take_bytes(rest, *length) : std::nullopt;
  if (!bytes) return std::nullopt;
  field.bytes = *bytes;
  return field;
}

enum FieldNumber : uint32_t {
  kDims = 1,
  kDataType = 2,
  kSegment = 3,
  kFloatData = 4,
  kInt32Data = 5,
  kStringData = 6,
  kInt64Data = 7,
  kName = 8,
  kRawData = 9,
  kDoubleData = 10,
  kUint64Data = 11,
  kExternalData = 13,
  kDataLocation = 14,
};

struct Parsed {
  TensorProtoHeader header;
  std::optional<std::string_view> raw;
  // Elements of the typed field, varints or fixed width, with the field that they came from.
  std::vector<uint64_t> typed;
  uint32_t typed_field = 0;
};

// The typed field that holds elements of a type (onnx.proto, TensorProto).
uint32_t field_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return kFloatData;
    case DType::kFloat64:
      return kDoubleData;
    case DType::kInt64:
      return kInt64Data;
    case DType::kUint32:
    case DType::kUint64:
      return kUint64Data;
    default:
      return kInt32Data;
  }
}

bool append_packed(const Field& field, Wire element, std::vector<uint64_t>& out) {
  if (field.wire == Wire::kVarint) {
    out.push_back(field.value);
    return element == Wire::kVarint;
  }
  const size_t width = element == Wire::kFixed32 ? 4 : 8;
  std::string_view rest = field.bytes;
  if (element == Wire::kVarint) {
    if (field.wire != Wire::kBytes) return false;
    while (!rest.empty()) {
      const auto value = take_varint(rest);
      if (!value) return false;
      out.push_back(*value);
    }
    return true;
  }
  if ((field.wire != element && field.wire != Wire::kBytes) || rest.size() % width != 0) {
    return false;
  }
  for (; !rest.empty(); rest.remove_prefix(width)) {
    uint64_t value = 0;
    std::memcpy(&value, rest.data(), width);
    out.push_back(value);
  }
  return true;
}

Error damaged() { return bad_data("is not an ONNX tensor (TensorProto)"); }

Status take_typed(const Field& field, Parsed& out) {
  if (out.typed_field != 0 && out.typed_field != field.number) return damaged();
  out.typed_field = field.number;
  Wire element = Wire::kVarint;
  if (field.number == kFloatData) element = Wire::kFixed32;
  if (field.number == kDoubleData) element = Wire::kFixed64;
  return append_packed(field, element, out.typed) ? Status() : damaged();
}

Status take(const Field& field, Parsed& out) {
  const bool bytes = field.wire == Wire::kBytes;
  switch (field.number) {
    case kDims: {
      std::vector<uint64_t> dims;
      if (!append_packed(field, Wire::kVarint, dims)) return damaged();
      for (const uint64_t dim : dims) out.header.shape.push_back(static_cast<int64_t>(dim));
      return out.header.shape.size() <= 64 ? Status() : damaged();
    }
    case kDataType: {
      const auto type = static_cast<int64_t>(field.value);
      if (field.wire != Wire::kVarint || type < 0 || type > INT32_MAX) return damaged();
      if (!numerics::is_known_dtype(static_cast<int32_t>(type))) return damaged();
      out.header.dtype = static_cast<DType>(type);
      return {};
    }
    case kName:
      if (!bytes) return damaged();
      out.header.name = std::string(field.bytes);
      return {};
    case kRawData:
      if (!bytes) return damaged();
      out.raw = field.bytes;
      return {};
    case kFloatData:
    case kInt32Data:
    case kInt64Data:
    case kDoubleData:
    case kUint64Data:
      return take_typed(field, out);
    case kStringData:
      return bad_data("holds strings, which no quantized model takes");
    case kSegment:
    case kExternalData:
      return bad_data("holds its elements elsewhere, which test data may not");
    case kDataLocation:
      return field.value == 0 ? Status()
                              : bad_data("holds its elements elsewhere, which test data may not");
    default:
      return {};
  }
}

Result<Parsed> parse(std::string_view bytes) {
  Parsed out;
  while (!bytes.empty()) {
    const auto field = take_field(bytes);
    if (!field) return damaged();
    OCTET_TRY(take(*field, out));
  }
  const int bits = numerics::bit_width(out.header.dtype);
  if (bits == 0 || bits > 64 || out.header.dtype == DType::kComplex64) {
    return bad_data("holds ", numerics::dtype_name(out.header.dtype),
                    " elements, which no input takes");
  }
  const auto count = checked_product(out.header.shape);
  const auto size = count ? numerics::storage_bytes(out.header.dtype, *count) : std::nullopt;
  if (!size) return bad_data("has a shape that is too large");
  // Below 8 bits the typed field holds whole bytes, as raw_data does.
  const int64_t elements = bits < 8 ? *size : *count;
  const bool fits = out.raw ? static_cast<int64_t>(out.raw->size()) == *size && out.typed.empty()
                            : static_cast<int64_t>(out.typed.size()) == elements &&
                                  (elements == 0 || out.typed_field == field_of(out.header.dtype));
  if (!fits) {
    return bad_data("claims ", numerics::dtype_name(out.header.dtype),
                    ir::Shape::of(out.header.shape).to_string(),
                    " but does not hold that many elements");
  }
  return out;
}

}  // namespace

Result<TensorProtoHeader> read_tensor_proto_header(std::string_view bytes) {
  OCTET_ASSIGN(Parsed parsed, parse(bytes));
  return std::move(parsed.header);
}

Result<ir::Tensor> read_tensor_proto(std::string_view bytes) {
  OCTET_ASSIGN(Parsed parsed, parse(bytes));
  const DType dtype = parsed.header.dtype;
  OCTET_ASSIGN(Buffer buffer, Buffer::of_tensor(dtype, parsed.header.shape));
  if (parsed.raw) {
    std::copy_n(reinterpret_cast<const std::byte*>(parsed.raw->data()), parsed.raw->size(),
                buffer.bytes.begin());
  } else {
    // Little endian: the low bytes of each element come first.
    const size_t width = std::max<size_t>(1, static_cast<size_t>(numerics::bit_width(dtype)) / 8);
    for (size_t i = 0; i < parsed.typed.size(); ++i) {
      std::memcpy(buffer.bytes.data() + i * width, &parsed.typed[i], width);
    }
  }
  if (dtype == DType::kBool) {
    for (std::byte& value : buffer.bytes) value = std::byte{value != std::byte{0}};
  }
  return std::move(buffer).tensor(dtype, std::move(parsed.header.shape));
}

}  // namespace octet::data
