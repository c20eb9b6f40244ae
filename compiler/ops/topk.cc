// TopK: the k greatest or least elements along an axis, with their indices.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "compiler/ops/scratch.h"
#include "compiler/ops/shape_operands.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

Status check_k(int64_t k, const ir::Dim& extent) {
  if (k < 0 || (extent.is_static() && k > extent.extent())) {
    return malformed("k is ", k, " for an extent of ", extent.to_string());
  }
  return {};
}

Result<Facts> infer_topk(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  Facts out = {passed_through(context, x), fact(DType::kInt64, x)};
  if (context.opset() >= 10 && !context.has_input(1)) return malformed("input 1 is missing");
  if (!x.has_rank()) return out;
  OCTET_ASSIGN(const int64_t axis,
               normalize_axis(ir::int_attribute(context.node, "axis", -1), x.rank()));
  MaybeNumber k;
  if (context.opset() < 10) {
    k = ir::int_attribute(context.node, "k", 0);
  } else if (const auto numbers = maybe_numbers(context, 1); numbers && numbers->size() == 1) {
    k = numbers->front();
  }
  std::vector<ir::Dim> dims = x.dims();
  ir::Dim& extent = dims[static_cast<size_t>(axis)];
  if (k) OCTET_TRY(check_k(*k, extent));
  extent = k ? ir::Dim(*k) : ir::Dim();
  out[0].type.shape = ir::Shape(dims);
  out[1].type.shape = ir::Shape(dims);
  return out;
}

// Order of elements: greater (or less) first; a NaN counts as greater than all numbers.
template <typename T>
bool less(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a)) return false;
    if (std::isnan(b)) return true;
  }
  return a < b;
}

struct Selection {
  int64_t k = 0;
  int64_t extent = 0;
  int64_t outer = 1;
  int64_t inner = 1;
  bool largest = true;
  bool sorted = true;
};

// Ties go to the lower index. Unsorted output comes in the order of the indices.
template <typename T>
void select(const Selection& s, const T* x, T* values, int64_t* indices, std::span<int64_t> order) {
  for (int64_t lane = 0; lane < s.outer * s.inner; ++lane) {
    const int64_t outer = lane / s.inner;
    const T* from = x + outer * s.extent * s.inner + lane % s.inner;
    const int64_t to = outer * s.k * s.inner + lane % s.inner;
    std::iota(order.begin(), order.end(), int64_t{0});
    const auto before = [&](int64_t a, int64_t b) {
      const T va = from[a * s.inner];
      const T vb = from[b * s.inner];
      if (less(va, vb)) return !s.largest;
      if (less(vb, va)) return s.largest;
      return a < b;
    };
    const auto middle = order.begin() + s.k;
    std::partial_sort(order.begin(), middle, order.end(), before);
    if (!s.sorted) std::sort(order.begin(), middle);
    for (int64_t i = 0; i < s.k; ++i) {
      const int64_t picked = order[static_cast<size_t>(i)];
      values[to + i * s.inner] = from[picked * s.inner];
      indices[to + i * s.inner] = picked;
    }
  }
}

Result<Tensors> evaluate_topk(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (is_half(x.dtype())) return through_float32(context, evaluate_topk);
  OCTET_ASSIGN(const int64_t signed_axis,
               normalize_axis(ir::int_attribute(context.node, "axis", -1), x.rank()));
  const auto axis = static_cast<size_t>(signed_axis);
  Selection s;
  s.k = ir::int_attribute(context.node, "k", 0);
  if (context.opset >= 10) {
    OCTET_ASSIGN(s.k, number_of(context, 1));
  }
  s.extent = x.shape()[axis];
  s.largest = ir::int_attribute(context.node, "largest", 1) != 0;
  s.sorted = ir::int_attribute(context.node, "sorted", 1) != 0;
  OCTET_TRY(check_k(s.k, ir::Dim(s.extent)));
  std::vector<int64_t> shape = x.shape();
  shape[axis] = s.k;
  return visit_number(context, x.dtype(), [&](auto zero) -> Result<Tensors> {
    using T = decltype(zero);
    Tensors outputs(2);
    OCTET_ASSIGN(outputs[0], context.allocate(x.dtype(), shape));
    OCTET_ASSIGN(outputs[1], context.allocate(DType::kInt64, shape));
    if (outputs[0].element_count() == 0) return outputs;
    for (size_t a = 0; a < axis; ++a) s.outer *= shape[a];
    for (size_t a = axis + 1; a < shape.size(); ++a) s.inner *= shape[a];
    OCTET_ASSIGN(auto order, Scratch<int64_t>::make(context, s.extent));
    select(s, x.data<T>().data(), outputs[0].mutable_data<T>().data(),
           outputs[1].mutable_data<int64_t>().data(), order.span());
    return outputs;
  });
}

}  // namespace

OpSchema TopK_schema() {
  return {.name = "TopK",
          .roles = {Role::kData, Role::kShape},
          .max_inputs = 2,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_topk,
          .evaluate = evaluate_topk};
}

}  // namespace octet::ops
