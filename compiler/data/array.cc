#include "compiler/data/array.h"

#include <algorithm>
#include <utility>

#include "compiler/data/buffer.h"

namespace octet::data {
namespace {

// The tensors of the IR are little endian, as is every machine that Octet runs on.
void swap_bytes(std::span<std::byte> bytes, size_t width) {
  for (size_t i = 0; i + width <= bytes.size(); i += width) {
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                 bytes.begin() + static_cast<std::ptrdiff_t>(i + width));
  }
}

}  // namespace

Result<Array> Array::open(ByteSourcePtr source) {
  Array array;
  OCTET_ASSIGN(array.header_, read_npy_header(*source));
  array.source_ = std::move(source);
  return array;
}

Result<ir::Tensor> Array::rows(int64_t first, int64_t count, std::vector<int64_t> shape) const {
  // The header's bytes are the product of its shape, so the row size divides them.
  const int64_t row_bytes = header_.data_bytes / std::max<int64_t>(1, header_.shape[0]);
  return read(first * row_bytes, count * row_bytes, std::move(shape));
}

Result<ir::Tensor> Array::whole() const { return read(0, header_.data_bytes, header_.shape); }

Result<ir::Tensor> Array::read(int64_t offset, int64_t bytes, std::vector<int64_t> shape) const {
  OCTET_ASSIGN(Buffer buffer, Buffer::of_size(bytes));
  OCTET_TRY(source_->read_at(header_.data_offset + offset, buffer.bytes));
  if (header_.byte_order == ByteOrder::kBig) {
    swap_bytes(buffer.bytes, static_cast<size_t>(numerics::bit_width(header_.dtype) / 8));
  }
  if (header_.dtype == ir::DType::kBool) {
    for (std::byte& value : buffer.bytes) value = std::byte{value != std::byte{0}};
  }
  return std::move(buffer).tensor(header_.dtype, std::move(shape));
}

}  // namespace octet::data
