// A dense tensor of known shape with its bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/tensor_type.h"

namespace octet::ir {

namespace internal {
template <typename T>
struct DTypeOf;
}

// Elements are packed, row-major, little endian; 4-bit types two a byte, low half first; bool is
// one byte. Copies share the bytes. Strings are held beside (data() is empty for them).
class Tensor {
 public:
  Tensor() = default;

  // Zero-filled. The element count times the width must not overflow: kResourceLimit.
  static Result<Tensor> zeros(DType dtype, std::vector<int64_t> shape);

  // Takes `bytes`, whose size must be that of the shape: kMalformed.
  static Result<Tensor> from_bytes(DType dtype, std::vector<int64_t> shape,
                                   std::vector<std::byte> bytes);

  // A view of bytes that `owner` keeps alive (a mapped file, an arena).
  static Result<Tensor> view(DType dtype, std::vector<int64_t> shape,
                             std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

  static Result<Tensor> of_strings(std::vector<int64_t> shape, std::vector<std::string> values);

  // For tests, passes and small constants; values.size() must be the product of the shape.
  template <typename T>
  static Tensor of(std::vector<int64_t> shape, const std::vector<T>& values);
  template <typename T>
  static Tensor scalar(T value) {
    return of<T>({}, {value});
  }

  DType dtype() const { return dtype_; }
  const std::vector<int64_t>& shape() const { return shape_; }
  size_t rank() const { return shape_.size(); }
  int64_t element_count() const { return count_; }
  TensorType type() const { return {dtype_, Shape::of(shape_)}; }

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::vector<std::string>& strings() const { return *strings_; }

  // The elements as T, which must be the C++ type of dtype(): float, double, [u]int8..64_t, bool.
  // 16-bit floats read as uint16_t, float8 as uint8_t, packed 4-bit types as uint8_t pairs.
  template <typename T>
  std::span<const T> data() const {
    return {reinterpret_cast<const T*>(bytes_.data()), bytes_.size() / sizeof(T)};
  }

  // Writable elements; only for a tensor that shares its bytes with no other (just made by
  // zeros()).
  template <typename T>
  std::span<T> mutable_data() {
    return {reinterpret_cast<T*>(const_cast<std::byte*>(bytes_.data())), bytes_.size() / sizeof(T)};
  }

  // Element `index` (row-major) whatever the type, bool as 0 or 1, narrow floats widened.
  double at_as_double(int64_t index) const;
  int64_t at_as_int64(int64_t index) const;
  // Sets element `index`; converts and saturates as numerics::cast_to_integer for integers.
  void set_from_double(int64_t index, double value);
  void set_from_int64(int64_t index, int64_t value);

  // All elements of an integer or bool tensor; the usual way to read axes, shapes and pads.
  std::vector<int64_t> to_int64s() const;
  // All elements of a floating point or integer tensor as float.
  std::vector<float> to_floats() const;

  // The same bytes under another shape with the same element count.
  Tensor reshaped(std::vector<int64_t> shape) const;

  // Same type, shape and bytes (NaNs compare by their bits).
  bool operator==(const Tensor& other) const;

 private:
  DType dtype_ = DType::kUndefined;
  std::vector<int64_t> shape_;
  int64_t count_ = 0;
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
  std::shared_ptr<const std::vector<std::string>> strings_;
};

using TensorPtr = std::shared_ptr<const Tensor>;

namespace internal {
#define OCTET_DTYPE_OF(type, value)               \
  template <>                                     \
  struct DTypeOf<type> {                          \
    static constexpr DType kValue = DType::value; \
  }
OCTET_DTYPE_OF(float, kFloat32);
OCTET_DTYPE_OF(double, kFloat64);
OCTET_DTYPE_OF(int8_t, kInt8);
OCTET_DTYPE_OF(uint8_t, kUint8);
OCTET_DTYPE_OF(int16_t, kInt16);
OCTET_DTYPE_OF(uint16_t, kUint16);
OCTET_DTYPE_OF(int32_t, kInt32);
OCTET_DTYPE_OF(uint32_t, kUint32);
OCTET_DTYPE_OF(int64_t, kInt64);
OCTET_DTYPE_OF(uint64_t, kUint64);
OCTET_DTYPE_OF(bool, kBool);
#undef OCTET_DTYPE_OF

Tensor tensor_of(DType dtype, std::vector<int64_t> shape, std::vector<std::byte> bytes);
}  // namespace internal

template <typename T>
Tensor Tensor::of(std::vector<int64_t> shape, const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  if constexpr (std::is_same_v<T, bool>) {
    for (size_t i = 0; i < values.size(); ++i) bytes[i] = static_cast<std::byte>(values[i] ? 1 : 0);
  } else if (!values.empty()) {
    std::memcpy(bytes.data(), values.data(), bytes.size());
  }
  return internal::tensor_of(internal::DTypeOf<T>::kValue, std::move(shape), std::move(bytes));
}

}  // namespace octet::ir
