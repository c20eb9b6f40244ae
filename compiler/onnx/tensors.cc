#include "compiler/onnx/tensors.h"

#include <bit>
#include <memory>

#include "compiler/base/checked.h"
#include "compiler/base/names.h"
#include "compiler/onnx/typed_data.h"

namespace octet::onnx {
namespace {

using ir::DType;
using ir::Tensor;

static_assert(std::endian::native == std::endian::little, "raw_data is copied as it is");

std::string type_text(DType dtype, const std::vector<int64_t>& shape) {
  return cat(numerics::dtype_name(dtype), ir::Shape::of(shape).to_string());
}

// The bits of the last byte that no element of a packed type uses are cleared, so that equal
// tensors have equal bytes.
void clear_padding(DType dtype, int64_t count, std::span<std::byte> bytes) {
  const int bits = numerics::bit_width(dtype);
  if (bits == 0 || bits >= 8 || bytes.empty()) return;
  const int64_t used = count % (8 / bits) * bits;
  if (used != 0) bytes.back() &= static_cast<std::byte>((1U << used) - 1);
}

// A bool byte other than 0 and 1 has no meaning; C++ gives it none either.
Status check_bools(DType dtype, std::string_view bytes) {
  if (dtype != DType::kBool) return {};
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<uint8_t>(bytes[i]);
    if (byte > 1) return malformed("element ", i, " of a bool tensor is ", int{byte});
  }
  return {};
}

Result<Tensor> adopt(std::string owned, DType dtype, std::vector<int64_t> shape) {
  OCTET_TRY(check_bools(dtype, owned));
  auto owner = std::make_shared<std::string>(std::move(owned));
  const std::span<std::byte> bytes(reinterpret_cast<std::byte*>(owner->data()), owner->size());
  clear_padding(dtype, checked_product(shape).value_or(0), bytes);
  return Tensor::view(dtype, std::move(shape), bytes, std::move(owner));
}

// Data is either inline or named by external_data, and data_location says which.
Status check_location(const ::onnx::TensorProto& tensor) {
  constexpr int kLocationField = 14;
  const auto& unknown = tensor.unknown_fields();
  for (int i = 0; i < unknown.field_count(); ++i) {
    if (unknown.field(i).number() == kLocationField) {
      return malformed("unknown data_location");
    }
  }
  const bool external = tensor.data_location() == ::onnx::TensorProto::EXTERNAL;
  if (!external && tensor.external_data_size() > 0) {
    return malformed("external_data without data_location EXTERNAL");
  }
  if (external && (tensor.has_raw_data() || !misplaced_field(tensor, DType::kUndefined).empty())) {
    return malformed("both external data and data in the model");
  }
  return {};
}

void clear_data(::onnx::TensorProto& tensor) {
  tensor.clear_dims();
  tensor.clear_data_type();
  tensor.clear_raw_data();
  tensor.clear_float_data();
  tensor.clear_double_data();
  tensor.clear_int32_data();
  tensor.clear_int64_data();
  tensor.clear_uint64_data();
  tensor.clear_string_data();
  tensor.clear_external_data();
  tensor.clear_data_location();
}

Result<Tensor> take_strings(::onnx::TensorProto& tensor, std::vector<int64_t> shape,
                            int64_t count) {
  if (tensor.has_raw_data()) return malformed("a string tensor with raw_data");
  if (tensor.string_data_size() != count) {
    return malformed("string_data has ", tensor.string_data_size(), " entries, the shape ",
                     ir::Shape::of(shape).to_string(), " needs ", count);
  }
  std::vector<std::string> values;
  values.reserve(static_cast<size_t>(count));
  for (std::string& value : *tensor.mutable_string_data()) values.push_back(std::move(value));
  return Tensor::of_strings(std::move(shape), std::move(values));
}

}  // namespace

Result<std::vector<int64_t>> TensorReader::shape(std::span<const int64_t> dims) const {
  if (static_cast<int64_t>(dims.size()) > options_.max_rank) {
    return resource_limit("rank ", dims.size(), ", at most ", options_.max_rank, " allowed");
  }
  std::vector<int64_t> extents(dims.begin(), dims.end());
  for (size_t i = 0; i < extents.size(); ++i) {
    if (extents[i] < 0) return malformed("dims[", i, "] is ", extents[i]);
  }
  if (!checked_product(extents)) {
    return malformed("the element count of dims ", ir::Shape::of(extents).to_string(),
                     " overflows");
  }
  return extents;
}

Result<Tensor> TensorReader::take_raw(::onnx::TensorProto& tensor, DType dtype,
                                      std::vector<int64_t> shape, int64_t size) {
  if (static_cast<uint64_t>(size) != tensor.raw_data().size()) {
    return malformed("raw_data has ", tensor.raw_data().size(), " bytes, ", type_text(dtype, shape),
                     " needs ", size);
  }
  const std::unique_ptr<std::string> raw(tensor.release_raw_data());
  return adopt(raw == nullptr ? std::string() : std::move(*raw), dtype, std::move(shape));
}

Result<Tensor> TensorReader::take_external(::onnx::TensorProto& tensor, DType dtype,
                                           std::vector<int64_t> shape, int64_t size) {
  if (dtype == DType::kString) return malformed("a string tensor with external data");
  OCTET_TRY(budget_.charge(size));
  OCTET_ASSIGN(std::string bytes, read_external(tensor, size, source_));
  return adopt(std::move(bytes), dtype, std::move(shape));
}

Result<Tensor> TensorReader::take(::onnx::TensorProto& tensor) {
  if (!numerics::is_known_dtype(tensor.data_type())) {
    return malformed("data_type ", tensor.data_type(), " is not one of ONNX's");
  }
  const auto dtype = static_cast<DType>(tensor.data_type());
  if (tensor.has_segment()) return unsupported("a tensor in segments");
  OCTET_TRY(check_location(tensor));
  OCTET_ASSIGN(std::vector<int64_t> extents,
               shape({tensor.dims().data(), static_cast<size_t>(tensor.dims_size())}));
  const int64_t count = *checked_product(extents);
  const auto size = dtype == DType::kString ? count : numerics::storage_bytes(dtype, count);
  if (!size) return malformed("the size of ", type_text(dtype, extents), " overflows");
  const std::string_view misplaced = misplaced_field(tensor, dtype);
  if (!misplaced.empty()) {
    return malformed(misplaced, " in a tensor of ", numerics::dtype_name(dtype));
  }

  Result<Tensor> out = Tensor();
  if (tensor.data_location() == ::onnx::TensorProto::EXTERNAL) {
    out = take_external(tensor, dtype, std::move(extents), *size);
  } else if (dtype == DType::kString) {
    out = take_strings(tensor, std::move(extents), count);
  } else if (tensor.has_raw_data()) {
    const bool typed = !misplaced_field(tensor, DType::kUndefined).empty();
    if (typed) return malformed("both raw_data and ", typed_field(dtype));
    out = take_raw(tensor, dtype, std::move(extents), *size);
  } else {
    OCTET_ASSIGN(std::vector<std::byte> bytes, typed_bytes(tensor, dtype, count));
    clear_padding(dtype, count, bytes);
    out = Tensor::from_bytes(dtype, std::move(extents), std::move(bytes));
  }
  clear_data(tensor);
  return out;
}

}  // namespace octet::onnx
