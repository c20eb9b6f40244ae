// Gather, GatherElements, GatherND: elements picked by indices.
#include <cstring>

#include "compiler/base/checked.h"
#include "compiler/ops/index_operand.h"
#include "compiler/ops/packed.h"
#include "compiler/ops/shape_operands.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

Status require_index_type(const InferContext& context, size_t operand) {
  const DType dtype = context.type(operand).storage;
  if (dtype == DType::kUndefined || dtype == DType::kInt32 || dtype == DType::kInt64) return {};
  return malformed("input ", operand, ": ", numerics::dtype_name(dtype),
                   " where int32 or int64 is needed");
}

// Elements of a gathered list: indices are known, or the only thing known is how many.
std::optional<std::vector<ir::Dim>> picked_elements(const InferContext& context) {
  const auto elements = context.elements(0);
  const auto indices = maybe_numbers(context, 1);
  if (!elements || !indices || context.shape(0).rank() != 1) return std::nullopt;
  const auto count = static_cast<int64_t>(elements->size());
  std::vector<ir::Dim> out;
  for (const MaybeNumber& index : *indices) {
    ir::Dim dim;
    if (index && *index >= -count && *index < count) {
      dim = (*elements)[static_cast<size_t>(*index < 0 ? *index + count : *index)];
    }
    out.push_back(dim);
  }
  return out;
}

Result<Facts> infer_gather(const InferContext& context) {
  OCTET_TRY(require_index_type(context, 1));
  const ir::Shape& x = context.shape(0);
  const ir::Shape& indices = context.shape(1);
  if (!x.has_rank()) return Facts{passed_through(context, ir::Shape())};
  OCTET_ASSIGN(const int64_t axis,
               normalize_axis(ir::int_attribute(context.node, "axis", 0), x.rank()));
  if (!indices.has_rank()) return Facts{passed_through(context, ir::Shape())};
  OCTET_TRY(check_rank(x.rank() + indices.rank()));
  std::vector<ir::Dim> dims(x.dims().begin(), x.dims().begin() + axis);
  dims.insert(dims.end(), indices.dims().begin(), indices.dims().end());
  dims.insert(dims.end(), x.dims().begin() + axis + 1, x.dims().end());
  Facts out = {passed_through(context, ir::Shape(std::move(dims)))};
  keep_elements(out[0], picked_elements(context));
  return out;
}

Result<Tensors> evaluate_gather(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  const Tensor& indices = context.input(1);
  OCTET_ASSIGN(const size_t width, element_width(x.dtype()));
  OCTET_ASSIGN(const IndexReader reader, IndexReader::make(context, 1));
  OCTET_ASSIGN(const int64_t axis,
               normalize_axis(ir::int_attribute(context.node, "axis", 0), x.rank()));
  OCTET_TRY(check_rank(x.rank() + indices.rank()));
  std::vector<int64_t> shape(x.shape().begin(), x.shape().begin() + axis);
  shape.insert(shape.end(), indices.shape().begin(), indices.shape().end());
  shape.insert(shape.end(), x.shape().begin() + axis + 1, x.shape().end());
  OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), shape));
  if (y.element_count() == 0) return one_tensor(std::move(y));
  const int64_t extent = x.shape()[static_cast<size_t>(axis)];
  const int64_t outer = *checked_product(std::span(x.shape()).first(static_cast<size_t>(axis)));
  const int64_t count = indices.element_count();
  const int64_t row = y.element_count() / (outer * count) * static_cast<int64_t>(width);
  std::byte* to = writable_bytes(y);
  for (int64_t i = 0; i < count; ++i) {
    OCTET_ASSIGN(const int64_t index, reader.at(i, extent));
    for (int64_t o = 0; o < outer; ++o) {
      std::memcpy(to + (o * count + i) * row, x.bytes().data() + (o * extent + index) * row,
                  static_cast<size_t>(row));
    }
  }
  return one_tensor(std::move(y));
}

Result<Facts> infer_gather_elements(const InferContext& context) {
  OCTET_TRY(require_index_type(context, 1));
  const ir::Shape& x = context.shape(0);
  if (x.has_rank()) {
    OCTET_TRY(normalize_axis(ir::int_attribute(context.node, "axis", 0), x.rank()));
    OCTET_TRY(require_rank(context, 1, x.rank()));
  }
  return Facts{passed_through(context, context.shape(1))};
}

// y[i][j] = x[indices[i][j]][j] for axis 0, and so on.
Result<Tensors> evaluate_gather_elements(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  const Tensor& indices = context.input(1);
  OCTET_ASSIGN(const size_t width, element_width(x.dtype()));
  OCTET_ASSIGN(const IndexReader reader, IndexReader::make(context, 1));
  OCTET_ASSIGN(const int64_t signed_axis,
               normalize_axis(ir::int_attribute(context.node, "axis", 0), x.rank()));
  const auto axis = static_cast<size_t>(signed_axis);
  if (indices.rank() != x.rank()) {
    return malformed("input 1: rank ", indices.rank(), " for a data rank of ", x.rank());
  }
  for (size_t a = 0; a < x.rank(); ++a) {
    if (a != axis && indices.shape()[a] > x.shape()[a]) {
      return malformed("input 1: extent ", indices.shape()[a], " on axis ", a,
                       " where the data has ", x.shape()[a]);
    }
  }
  OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), indices.shape()));
  if (y.element_count() == 0) return one_tensor(std::move(y));
  const std::vector<int64_t> strides = row_major_strides(x.shape());
  const int64_t extent = x.shape()[axis];
  std::vector<int64_t> index(x.rank(), 0);
  std::byte* to = writable_bytes(y);
  for (int64_t i = 0; i < y.element_count(); ++i) {
    OCTET_ASSIGN(const int64_t picked, reader.at(i, extent));
    int64_t at = picked * strides[axis];
    for (size_t a = 0; a < index.size(); ++a) at += a == axis ? 0 : index[a] * strides[a];
    std::memcpy(to + i * static_cast<int64_t>(width),
                x.bytes().data() + at * static_cast<int64_t>(width), width);
    for (size_t a = index.size(); a-- > 0;) {
      if (++index[a] < indices.shape()[a]) break;
      index[a] = 0;
    }
  }
  return one_tensor(std::move(y));
}

Status check_batch_dims(int64_t batch_dims, size_t x_rank, size_t index_rank) {
  if (x_rank < 1 || index_rank < 1) return malformed("a scalar operand");
  if (batch_dims < 0 || batch_dims >= static_cast<int64_t>(std::min(x_rank, index_rank))) {
    return malformed("attribute batch_dims is ", batch_dims, " for ranks of ", x_rank, " and ",
                     index_rank);
  }
  return {};
}

Result<Facts> infer_gather_nd(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  const ir::Shape& indices = context.shape(1);
  OCTET_TRY(require_index_type(context, 1));
  if (!x.has_rank() || !indices.has_rank()) return Facts{passed_through(context, ir::Shape())};
  const int64_t batch_dims = ir::int_attribute(context.node, "batch_dims", 0);
  OCTET_TRY(check_batch_dims(batch_dims, x.rank(), indices.rank()));
  const ir::Dim& depth = indices[indices.rank() - 1];
  if (!depth.is_static()) return Facts{passed_through(context, ir::Shape())};
  const auto most = static_cast<int64_t>(x.rank()) - batch_dims;
  if (depth.extent() < 1 || depth.extent() > most) {
    return malformed("input 1: indices into ", depth.extent(), " axes of ", most);
  }
  std::vector<ir::Dim> dims(indices.dims().begin(), indices.dims().end() - 1);
  dims.insert(dims.end(), x.dims().begin() + batch_dims + depth.extent(), x.dims().end());
  return Facts{passed_through(context, ir::Shape(std::move(dims)))};
}

Result<Tensors> evaluate_gather_nd(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  const Tensor& indices = context.input(1);
  OCTET_ASSIGN(const size_t width, element_width(x.dtype()));
  OCTET_ASSIGN(const IndexReader reader, IndexReader::make(context, 1));
  const int64_t batch_dims = ir::int_attribute(context.node, "batch_dims", 0);
  OCTET_TRY(check_batch_dims(batch_dims, x.rank(), indices.rank()));
  const int64_t depth = indices.shape().back();
  if (depth < 1 || depth > static_cast<int64_t>(x.rank()) - batch_dims) {
    return malformed("input 1: indices into ", depth, " axes of ",
                     static_cast<int64_t>(x.rank()) - batch_dims);
  }
  const auto batch_axes = static_cast<size_t>(batch_dims);
  if (!std::equal(x.shape().begin(), x.shape().begin() + batch_dims, indices.shape().begin())) {
    return malformed("input 1: batch axes differ from those of input 0");
  }
  std::vector<int64_t> shape(indices.shape().begin(), indices.shape().end() - 1);
  shape.insert(shape.end(), x.shape().begin() + batch_dims + depth, x.shape().end());
  OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), shape));
  if (y.element_count() == 0) return one_tensor(std::move(y));
  const std::vector<int64_t> strides = row_major_strides(x.shape());
  const int64_t tuples = indices.element_count() / depth;
  const int64_t batch = *checked_product(std::span(x.shape()).first(batch_axes));
  const int64_t batch_stride = x.element_count() / batch;
  const int64_t row = y.element_count() / tuples * static_cast<int64_t>(width);
  for (int64_t t = 0; t < tuples; ++t) {
    int64_t at = t / (tuples / batch) * batch_stride;
    for (int64_t d = 0; d < depth; ++d) {
      const size_t axis = batch_axes + static_cast<size_t>(d);
      OCTET_ASSIGN(const int64_t index, reader.at(t * depth + d, x.shape()[axis]));
      at += index * strides[axis];
    }
    std::memcpy(writable_bytes(y) + t * row, x.bytes().data() + at * static_cast<int64_t>(width),
                static_cast<size_t>(row));
  }
  return one_tensor(std::move(y));
}

}  // namespace

OpSchema Gather_schema() {
  return {.name = "Gather",
          .roles = {Role::kData, Role::kIndex},
          .required = 2,
          .max_inputs = 2,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_gather,
          .evaluate = move_any_width<evaluate_gather>};
}

OpSchema GatherElements_schema() {
  return {.name = "GatherElements",
          .since = 11,
          .roles = {Role::kData, Role::kIndex},
          .required = 2,
          .max_inputs = 2,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_gather_elements,
          .evaluate = move_any_width<evaluate_gather_elements>};
}

OpSchema GatherND_schema() {
  return {.name = "GatherND",
          .since = 11,
          .roles = {Role::kData, Role::kIndex},
          .required = 2,
          .max_inputs = 2,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_gather_nd,
          .evaluate = move_any_width<evaluate_gather_nd>};
}

}  // namespace octet::ops
