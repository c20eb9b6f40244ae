// Scatter, ScatterElements, ScatterND: a copy of the data with some elements replaced or reduced
// into.
#include <algorithm>
#include <cstring>

#include "compiler/base/checked.h"
#include "compiler/ops/index_operand.h"
#include "compiler/ops/shape_operands.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

enum class Reduction { kNone, kAdd, kMul, kMin, kMax };

Result<Reduction> reduction_of(const ir::Node& node) {
  const std::string text = ir::string_attribute(node, "reduction", "none");
  if (text == "none") return Reduction::kNone;
  if (text == "add") return Reduction::kAdd;
  if (text == "mul") return Reduction::kMul;
  if (text == "min") return Reduction::kMin;
  if (text == "max") return Reduction::kMax;
  return malformed("attribute reduction: not one of none, add, mul, min, max");
}

// A run of `count` updates from element `from` of the updates to element `to` of the output.
struct Update {
  int64_t to = 0;
  int64_t from = 0;
  int64_t count = 0;
};

template <typename T>
T reduce(Reduction reduction, T old, T update) {
  if constexpr (std::is_floating_point_v<T>) {
    if (reduction == Reduction::kAdd) return old + update;
    if (reduction == Reduction::kMul) return old * update;
  } else {
    if (reduction == Reduction::kAdd) return wrapping_add(old, update);
    if (reduction == Reduction::kMul) return wrapping_mul(old, update);
  }
  if (reduction == Reduction::kMin) return std::min(old, update);
  return std::max(old, update);
}

// Copies the data, then applies the updates that `for_each` names, in order.
template <typename ForEach>
Result<Tensors> scatter(const EvaluateContext& context, EvaluateFunction self, ForEach for_each) {
  const Tensor& x = context.input(0);
  const Tensor& updates = context.input(2);
  OCTET_TRY(require_dtype(context, 2, x.dtype()));
  OCTET_ASSIGN(const Reduction reduction, reduction_of(context.node));
  if (reduction != Reduction::kNone && is_half(x.dtype())) return through_float32(context, self);
  OCTET_ASSIGN(const size_t width, element_width(x.dtype()));
  OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), x.shape()));
  if (x.element_count() > 0) std::memcpy(writable_bytes(y), x.bytes().data(), x.bytes().size());
  if (reduction == Reduction::kNone) {
    OCTET_TRY(for_each([&](const Update& u) {
      std::memcpy(writable_bytes(y) + u.to * static_cast<int64_t>(width),
                  updates.bytes().data() + u.from * static_cast<int64_t>(width),
                  static_cast<size_t>(u.count) * width);
    }));
    return one_tensor(std::move(y));
  }
  return visit_number(context, x.dtype(), [&](auto zero) -> Result<Tensors> {
    using T = decltype(zero);
    T* to = y.mutable_data<T>().data();
    const T* from = updates.data<T>().data();
    OCTET_TRY(for_each([&](const Update& u) {
      for (int64_t i = 0; i < u.count; ++i) {
        to[u.to + i] = reduce(reduction, to[u.to + i], from[u.from + i]);
      }
    }));
    return one_tensor(std::move(y));
  });
}

Result<Facts> infer_scatter_elements(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, common_dtype(context, {0, 2}));
  const ir::Shape& x = context.shape(0);
  if (x.has_rank()) {
    OCTET_TRY(normalize_axis(ir::int_attribute(context.node, "axis", 0), x.rank()));
    OCTET_TRY(require_rank(context, 1, x.rank()));
  }
  if (!ir::compatible(context.shape(1), context.shape(2))) {
    return malformed("input 2: shape ", context.shape(2).to_string(), " where the indices have ",
                     context.shape(1).to_string());
  }
  return one_fact(dtype, x);
}

// y[indices[i][j]][j] = updates[i][j] for axis 0, and so on.
Result<Tensors> evaluate_scatter_elements(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  const Tensor& indices = context.input(1);
  OCTET_ASSIGN(const IndexReader reader, IndexReader::make(context, 1));
  OCTET_ASSIGN(const int64_t signed_axis,
               normalize_axis(ir::int_attribute(context.node, "axis", 0), x.rank()));
  const auto axis = static_cast<size_t>(signed_axis);
  if (indices.rank() != x.rank() || context.input(2).shape() != indices.shape()) {
    return malformed("input 1: shape ", indices.type().shape.to_string(), " for data of ",
                     x.type().shape.to_string(), " and updates of ",
                     context.input(2).type().shape.to_string());
  }
  for (size_t a = 0; a < x.rank(); ++a) {
    if (a != axis && indices.shape()[a] > x.shape()[a]) {
      return malformed("input 1: extent ", indices.shape()[a], " on axis ", a,
                       " where the data has ", x.shape()[a]);
    }
  }
  const std::vector<int64_t> strides = row_major_strides(x.shape());
  return scatter(context, evaluate_scatter_elements, [&](auto apply) -> Status {
    std::vector<int64_t> index(x.rank(), 0);
    for (int64_t i = 0; i < indices.element_count(); ++i) {
      OCTET_ASSIGN(const int64_t picked, reader.at(i, x.shape()[axis]));
      int64_t at = picked * strides[axis];
      for (size_t a = 0; a < index.size(); ++a) at += a == axis ? 0 : index[a] * strides[a];
      apply(Update{at, i, 1});
      for (size_t a = index.size(); a-- > 0;) {
        if (++index[a] < indices.shape()[a]) break;
        index[a] = 0;
      }
    }
    return {};
  });
}

Result<Facts> infer_scatter_nd(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, common_dtype(context, {0, 2}));
  for (size_t i = 0; i < 2; ++i) {
    if (context.shape(i).has_rank() && context.shape(i).rank() == 0) {
      return malformed("input ", i, ": a scalar");
    }
  }
  return one_fact(dtype, context.shape(0));
}

// y[indices[i]] = updates[i], where the last axis of the indices holds tuples.
Result<Tensors> evaluate_scatter_nd(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  const Tensor& indices = context.input(1);
  OCTET_ASSIGN(const IndexReader reader, IndexReader::make(context, 1));
  if (x.rank() == 0 || indices.rank() == 0) return malformed("a scalar operand");
  const int64_t depth = indices.shape().back();
  if (depth < 1 || depth > static_cast<int64_t>(x.rank())) {
    return malformed("input 1: indices into ", depth, " axes of ", x.rank());
  }
  std::vector<int64_t> wanted(indices.shape().begin(), indices.shape().end() - 1);
  wanted.insert(wanted.end(), x.shape().begin() + depth, x.shape().end());
  if (context.input(2).shape() != wanted) {
    return malformed("input 2: shape ", context.input(2).type().shape.to_string(), ", must be ",
                     ir::Shape::of(wanted).to_string());
  }
  const std::vector<int64_t> strides = row_major_strides(x.shape());
  const int64_t tuples = indices.element_count() / depth;
  return scatter(context, evaluate_scatter_nd, [&](auto apply) -> Status {
    if (context.input(2).element_count() == 0) return {};
    const int64_t row = context.input(2).element_count() / tuples;
    for (int64_t t = 0; t < tuples; ++t) {
      int64_t at = 0;
      for (int64_t d = 0; d < depth; ++d) {
        const auto axis = static_cast<size_t>(d);
        OCTET_ASSIGN(const int64_t index, reader.at(t * depth + d, x.shape()[axis]));
        at += index * strides[axis];
      }
      apply(Update{at, t * row, row});
    }
    return {};
  });
}

OpSchema scatter_schema(std::string_view name, int64_t since) {
  return {.name = name,
          .since = since,
          .roles = {Role::kData, Role::kIndex, Role::kData},
          .required = 3,
          .max_inputs = 3,
          .behaviour = QuantBehaviour::kSameScale,
          .infer = infer_scatter_elements,
          .evaluate = evaluate_scatter_elements};
}

}  // namespace

OpSchema Scatter_schema() {
  OpSchema schema = scatter_schema("Scatter", 9);
  schema.until = 10;
  return schema;
}

OpSchema ScatterElements_schema() { return scatter_schema("ScatterElements", 11); }

OpSchema ScatterND_schema() {
  OpSchema schema = scatter_schema("ScatterND", 11);
  schema.infer = infer_scatter_nd;
  schema.evaluate = evaluate_scatter_nd;
  return schema;
}

}  // namespace octet::ops
