#include "compiler/ir/tensor.h"

#include <algorithm>

#include "compiler/base/checked.h"
#include "compiler/numerics/half.h"
#include "compiler/numerics/quantize.h"

namespace octet::ir {
namespace {

using Bytes = std::vector<std::byte>;

std::string shape_text(const std::vector<int64_t>& shape) { return Shape::of(shape).to_string(); }

uint8_t nibble(const std::byte* data, int64_t index) {
  const auto byte = static_cast<uint8_t>(data[index / 2]);
  return index % 2 == 0 ? byte & 0x0F : byte >> 4;
}

void set_nibble(std::byte* data, int64_t index, uint8_t bits) {
  const auto byte = static_cast<uint8_t>(data[index / 2]);
  const int low = bits & 0x0F;
  data[index / 2] =
      static_cast<std::byte>(index % 2 == 0 ? (byte & 0xF0) | low : (byte & 0x0F) | (low << 4));
}

template <typename T>
T load(const std::byte* data, int64_t index) {
  T value;
  std::memcpy(&value, data + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

template <typename T>
void store(std::byte* data, int64_t index, T value) {
  std::memcpy(data + index * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

}  // namespace

Result<Tensor> Tensor::zeros(DType dtype, std::vector<int64_t> shape) {
  const auto count = checked_product(shape);
  const auto size = count ? numerics::storage_bytes(dtype, *count) : std::nullopt;
  // Beyond any machine: not worth asking the allocator, which may abort (AddressSanitizer's does).
  constexpr int64_t kLargest = int64_t{1} << 39;
  if (!size || *size > kLargest) {
    return resource_limit("a tensor of ", numerics::dtype_name(dtype), shape_text(shape),
                          " is too large");
  }
  auto bytes = std::make_shared<Bytes>();
  try {
    bytes->resize(static_cast<size_t>(*size));
  } catch (const std::bad_alloc&) {
    return resource_limit("no memory for ", *size, " bytes");
  } catch (const std::length_error&) {
    return resource_limit("no memory for ", *size, " bytes");
  }
  const std::span<const std::byte> span(*bytes);
  return view(dtype, std::move(shape), span, std::move(bytes));
}

Result<Tensor> Tensor::from_bytes(DType dtype, std::vector<int64_t> shape, Bytes bytes) {
  auto owner = std::make_shared<const Bytes>(std::move(bytes));
  const std::span<const std::byte> span(*owner);
  return view(dtype, std::move(shape), span, std::move(owner));
}

Result<Tensor> Tensor::view(DType dtype, std::vector<int64_t> shape,
                            std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  const auto count = checked_product(shape);
  const auto size = count ? numerics::storage_bytes(dtype, *count) : std::nullopt;
  if (!size || static_cast<uint64_t>(*size) != bytes.size()) {
    return malformed(bytes.size(), " bytes of data for ", numerics::dtype_name(dtype),
                     shape_text(shape), size ? cat(", which needs ", *size) : std::string());
  }
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.shape_ = std::move(shape);
  tensor.count_ = *count;
  tensor.bytes_ = bytes;
  tensor.owner_ = std::move(owner);
  return tensor;
}

Result<Tensor> Tensor::of_strings(std::vector<int64_t> shape, std::vector<std::string> values) {
  const auto count = checked_product(shape);
  if (!count || static_cast<uint64_t>(*count) != values.size()) {
    return malformed(values.size(), " strings for a shape of ", shape_text(shape));
  }
  Tensor tensor;
  tensor.dtype_ = DType::kString;
  tensor.shape_ = std::move(shape);
  tensor.count_ = *count;
  tensor.strings_ = std::make_shared<const std::vector<std::string>>(std::move(values));
  return tensor;
}

namespace internal {
Tensor tensor_of(DType dtype, std::vector<int64_t> shape, Bytes bytes) {
  auto tensor = Tensor::from_bytes(dtype, std::move(shape), std::move(bytes));
  return std::move(tensor).value();
}
}  // namespace internal

double Tensor::at_as_double(int64_t index) const {
  const std::byte* data = bytes_.data();
  switch (dtype_) {
    case DType::kFloat32:
      return load<float>(data, index);
    case DType::kFloat64:
      return load<double>(data, index);
    case DType::kFloat16:
      return numerics::half_to_float(load<uint16_t>(data, index));
    case DType::kBfloat16:
      return numerics::bfloat16_to_float(load<uint16_t>(data, index));
    case DType::kFloat8E4M3FN:
    case DType::kFloat8E4M3FNUZ:
    case DType::kFloat8E5M2:
    case DType::kFloat8E5M2FNUZ:
    case DType::kFloat8E8M0:
      return numerics::float8_to_float(load<uint8_t>(data, index), dtype_);
    case DType::kFloat4E2M1:
      return numerics::float8_to_float(nibble(data, index), dtype_);
    case DType::kUint64:
      return static_cast<double>(load<uint64_t>(data, index));
    default:
      return static_cast<double>(at_as_int64(index));
  }
}

int64_t Tensor::at_as_int64(int64_t index) const {
  const std::byte* data = bytes_.data();
  switch (dtype_) {
    case DType::kInt8:
      return load<int8_t>(data, index);
    case DType::kUint8:
      return load<uint8_t>(data, index);
    case DType::kInt16:
      return load<int16_t>(data, index);
    case DType::kUint16:
      return load<uint16_t>(data, index);
    case DType::kInt32:
      return load<int32_t>(data, index);
    case DType::kUint32:
      return load<uint32_t>(data, index);
    case DType::kInt64:
      return load<int64_t>(data, index);
    case DType::kUint64:
      return static_cast<int64_t>(load<uint64_t>(data, index));
    case DType::kBool:
      return load<uint8_t>(data, index) != 0 ? 1 : 0;
    case DType::kUint4:
      return nibble(data, index);
    case DType::kInt4:
      return static_cast<int8_t>(nibble(data, index) << 4) >> 4;
    case DType::kUint2:
    case DType::kInt2: {
      const int bits = (static_cast<uint8_t>(data[index / 4]) >> (2 * (index % 4))) & 3;
      return dtype_ == DType::kInt2 && bits > 1 ? bits - 4 : bits;
    }
    case DType::kUndefined:
    case DType::kString:
    case DType::kComplex64:
    case DType::kComplex128:
      return 0;
    default:
      return numerics::cast_to_integer(at_as_double(index), DType::kInt64);
  }
}

void Tensor::set_from_double(int64_t index, double value) {
  auto* data = const_cast<std::byte*>(bytes_.data());
  const auto narrow = static_cast<float>(value);
  switch (dtype_) {
    case DType::kFloat32:
      return store(data, index, narrow);
    case DType::kFloat64:
      return store(data, index, value);
    case DType::kFloat16:
      return store(data, index, numerics::float_to_half(narrow));
    case DType::kBfloat16:
      return store(data, index, numerics::float_to_bfloat16(narrow));
    case DType::kFloat8E4M3FN:
    case DType::kFloat8E4M3FNUZ:
    case DType::kFloat8E5M2:
    case DType::kFloat8E5M2FNUZ:
    case DType::kFloat8E8M0:
      return store(data, index,
                   numerics::float_to_float8(narrow, dtype_, numerics::Overflow::kSaturate));
    case DType::kFloat4E2M1:
      return set_nibble(data, index,
                        numerics::float_to_float8(narrow, dtype_, numerics::Overflow::kSaturate));
    case DType::kBool:
      return store<uint8_t>(data, index, value != 0.0 ? 1 : 0);
    default:
      return set_from_int64(index, numerics::cast_to_integer(value, dtype_));
  }
}

void Tensor::set_from_int64(int64_t index, int64_t value) {
  auto* data = const_cast<std::byte*>(bytes_.data());
  switch (dtype_) {
    case DType::kInt8:
    case DType::kUint8:
      return store(data, index, static_cast<uint8_t>(value));
    case DType::kInt16:
    case DType::kUint16:
      return store(data, index, static_cast<uint16_t>(value));
    case DType::kInt32:
    case DType::kUint32:
      return store(data, index, static_cast<uint32_t>(value));
    case DType::kInt64:
    case DType::kUint64:
      return store(data, index, value);
    case DType::kBool:
      return store<uint8_t>(data, index, value != 0 ? 1 : 0);
    case DType::kUint4:
    case DType::kInt4:
      return set_nibble(data, index, static_cast<uint8_t>(value & 0x0F));
    case DType::kUint2:
    case DType::kInt2: {
      const int shift = static_cast<int>(2 * (index % 4));
      const auto byte = static_cast<uint8_t>(data[index / 4]);
      data[index / 4] =
          static_cast<std::byte>((byte & ~(3 << shift)) | ((static_cast<int>(value) & 3) << shift));
      return;
    }
    case DType::kUndefined:
    case DType::kString:
    case DType::kComplex64:
    case DType::kComplex128:
      return;
    default:
      return set_from_double(index, static_cast<double>(value));
  }
}

std::vector<int64_t> Tensor::to_int64s() const {
  std::vector<int64_t> out(static_cast<size_t>(count_));
  for (int64_t i = 0; i < count_; ++i) out[static_cast<size_t>(i)] = at_as_int64(i);
  return out;
}

std::vector<float> Tensor::to_floats() const {
  std::vector<float> out(static_cast<size_t>(count_));
  if (dtype_ == DType::kFloat32 && count_ > 0) {
    std::memcpy(out.data(), bytes_.data(), bytes_.size());
    return out;
  }
  for (int64_t i = 0; i < count_; ++i) {
    out[static_cast<size_t>(i)] = static_cast<float>(at_as_double(i));
  }
  return out;
}

Tensor Tensor::reshaped(std::vector<int64_t> shape) const {
  Tensor out = *this;
  out.shape_ = std::move(shape);
  return out;
}

bool Tensor::operator==(const Tensor& other) const {
  if (dtype_ != other.dtype_ || shape_ != other.shape_) return false;
  if (dtype_ == DType::kString) return *strings_ == *other.strings_;
  return bytes_.size() == other.bytes_.size() &&
         (bytes_.empty() || std::memcmp(bytes_.data(), other.bytes_.data(), bytes_.size()) == 0);
}

}  // namespace octet::ir
