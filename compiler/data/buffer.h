// Memory for one tensor, not cleared before it is filled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "compiler/base/checked.h"
#include "compiler/base/result.h"
#include "compiler/ir/tensor.h"

namespace octet::data {

struct Buffer {
  std::shared_ptr<std::byte[]> owner;
  std::span<std::byte> bytes;

  static Result<Buffer> of_size(int64_t size) {
    if (size < 0) return internal_error("a buffer of ", size, " bytes");
    std::shared_ptr<std::byte[]> owner(new (std::nothrow) std::byte[static_cast<size_t>(size)]);
    if (owner == nullptr) return resource_limit("no memory for ", size, " bytes");
    const std::span<std::byte> bytes(owner.get(), static_cast<size_t>(size));
    return Buffer{std::move(owner), bytes};
  }

  // For a tensor of this type and shape.
  static Result<Buffer> of_tensor(ir::DType dtype, const std::vector<int64_t>& shape) {
    const auto count = checked_product(shape);
    const auto size = count ? numerics::storage_bytes(dtype, *count) : std::nullopt;
    if (!size) return resource_limit("an array of that shape is too large");
    return of_size(*size);
  }

  template <typename T>
  T* as() {
    return reinterpret_cast<T*>(bytes.data());
  }

  Result<ir::Tensor> tensor(ir::DType dtype, std::vector<int64_t> shape) && {
    const std::span<const std::byte> view = bytes;
    return ir::Tensor::view(dtype, std::move(shape), view, std::move(owner));
  }
};

}  // namespace octet::data
