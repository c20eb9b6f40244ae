// Sparse initializers: made dense, since no operator of the IR reads another form.
#include <algorithm>
#include <cstring>

#include "compiler/base/checked.h"
#include "compiler/onnx/tensors.h"

namespace octet::onnx {
namespace {

using ir::DType;
using ir::Tensor;

// Position of entry `i` in the dense tensor. Indices are [NNZ] linear or [NNZ, rank] coordinates.
Result<int64_t> position(const Tensor& indices, int64_t i, const std::vector<int64_t>& shape,
                         int64_t count) {
  const auto data = indices.data<int64_t>();
  if (indices.rank() == 1) {
    const int64_t at = data[static_cast<size_t>(i)];
    if (at < 0 || at >= count) return malformed("index ", at, " of ", count, " elements");
    return at;
  }
  int64_t at = 0;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    const int64_t coordinate = data[static_cast<size_t>(i) * shape.size() + axis];
    if (coordinate < 0 || coordinate >= shape[axis]) {
      return malformed("index ", coordinate, " on axis ", axis, " of extent ", shape[axis]);
    }
    at = at * shape[axis] + coordinate;
  }
  return at;
}

Status check_indices(const Tensor& values, const Tensor& indices, size_t rank) {
  if (values.rank() != 1) return malformed("values of rank ", values.rank(), ", not 1");
  if (indices.dtype() != DType::kInt64) {
    return malformed("indices are ", numerics::dtype_name(indices.dtype()), ", not int64");
  }
  const int64_t entries = values.element_count();
  const bool linear = indices.shape() == std::vector<int64_t>{entries};
  const bool coordinates =
      indices.shape() == std::vector<int64_t>{entries, static_cast<int64_t>(rank)};
  if (linear || coordinates) return {};
  return malformed("indices of shape ", ir::Shape::of(indices.shape()).to_string(), " for ",
                   entries, " values and rank ", rank);
}

}  // namespace

Result<Tensor> TensorReader::take_sparse(::onnx::SparseTensorProto& sparse) {
  OCTET_ASSIGN(std::vector<int64_t> extents,
               shape({sparse.dims().data(), static_cast<size_t>(sparse.dims_size())}));
  auto read_values = take(*sparse.mutable_values());
  if (!read_values.ok()) return read_values.error().in("values");
  auto read_indices = take(*sparse.mutable_indices());
  if (!read_indices.ok()) return read_indices.error().in("indices");
  const Tensor& values = read_values.value();
  const Tensor& indices = read_indices.value();
  const int bits = numerics::bit_width(values.dtype());
  if (bits < 8) {
    return unsupported("a sparse tensor of ", numerics::dtype_name(values.dtype()));
  }
  OCTET_TRY(check_indices(values, indices, extents.size()));

  const int64_t count = *checked_product(extents);
  const auto size = numerics::storage_bytes(values.dtype(), count);
  if (!size || *size > options_.max_sparse_bytes) {
    return resource_limit("dense it would be larger than ", options_.max_sparse_bytes, " bytes");
  }
  OCTET_ASSIGN(Tensor dense, Tensor::zeros(values.dtype(), extents));
  auto bytes = dense.mutable_data<std::byte>();
  const auto width = static_cast<size_t>(bits / 8);
  int64_t last = -1;
  for (int64_t i = 0; i < values.element_count(); ++i) {
    OCTET_ASSIGN(const int64_t at, position(indices, i, extents, count));
    if (at <= last) return malformed("indices are not in ascending order at entry ", i);
    last = at;
    std::memcpy(bytes.data() + static_cast<size_t>(at) * width,
                values.bytes().data() + static_cast<size_t>(i) * width, width);
  }
  return dense;
}

}  // namespace octet::onnx
