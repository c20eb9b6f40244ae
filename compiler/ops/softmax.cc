// Softmax, LogSoftmax and Hardmax. Before version 13 the input is seen as a matrix, all axes from
// `axis` (default 1) on in its rows; since 13 the function works along `axis` (default -1) alone.
#include <algorithm>
#include <cmath>

#include "compiler/base/checked.h"
#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

// The input as [outer, count, inner]; the function runs over `count`.
struct View {
  int64_t outer = 1;
  int64_t count = 1;
  int64_t inner = 1;
};

Result<int64_t> attribute_axis(const ir::Node& node, int64_t opset, size_t rank) {
  const int64_t axis = ir::int_attribute(node, "axis", opset < 13 ? 1 : -1);
  // A vector with the old default axis of 1 is a column of one-element rows.
  if (opset < 13 && axis == static_cast<int64_t>(rank)) return axis;
  return normalize_axis(axis, rank);
}

Result<Facts> infer_softmax(const InferContext& context) {
  if (context.shape(0).has_rank()) {
    OCTET_TRY(attribute_axis(context.node, context.opset(), context.shape(0).rank()));
  }
  return infer_same_as_input(context);
}

Result<View> make_view(const EvaluateContext& context) {
  const std::vector<int64_t>& shape = context.input(0).shape();
  OCTET_ASSIGN(const int64_t axis, attribute_axis(context.node, context.opset, shape.size()));
  View view;
  if (context.input(0).element_count() == 0) return View{0, 0, 0};
  for (int64_t i = 0; i < static_cast<int64_t>(shape.size()); ++i) {
    int64_t& part = i < axis                            ? view.outer
                    : (i == axis || context.opset < 13) ? view.count
                                                        : view.inner;
    part *= shape[static_cast<size_t>(i)];
  }
  return view;
}

// Each function turns `count` numbers that lie `step` apart into as many at the same places.
// Shifting by the maximum keeps exp from overflowing; sums are in double.
struct SoftmaxOp {
  template <typename T>
  void operator()(const T* x, T* y, int64_t count, int64_t step) const {
    T top = x[0];
    for (int64_t i = 1; i < count; ++i) top = std::max(top, x[i * step]);
    double sum = 0.0;
    for (int64_t i = 0; i < count; ++i) {
      y[i * step] = std::exp(x[i * step] - top);
      sum += static_cast<double>(y[i * step]);
    }
    const T total = static_cast<T>(sum);
    for (int64_t i = 0; i < count; ++i) y[i * step] /= total;
  }
};
struct LogSoftmaxOp {
  template <typename T>
  void operator()(const T* x, T* y, int64_t count, int64_t step) const {
    T top = x[0];
    for (int64_t i = 1; i < count; ++i) top = std::max(top, x[i * step]);
    double sum = 0.0;
    for (int64_t i = 0; i < count; ++i) sum += std::exp(static_cast<double>(x[i * step] - top));
    const T log_sum = static_cast<T>(std::log(sum));
    for (int64_t i = 0; i < count; ++i) y[i * step] = x[i * step] - top - log_sum;
  }
};
struct HardmaxOp {  // the first of equal maxima is 1, all others are 0
  template <typename T>
  void operator()(const T* x, T* y, int64_t count, int64_t step) const {
    int64_t best = 0;
    for (int64_t i = 1; i < count; ++i) {
      if (x[i * step] > x[best * step]) best = i;
    }
    for (int64_t i = 0; i < count; ++i) y[i * step] = T(i == best ? 1 : 0);
  }
};

template <typename F>
Result<Tensors> evaluate_rows(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (is_half(x.dtype())) return through_float32(context, evaluate_rows<F>);
  OCTET_ASSIGN(const View view, make_view(context));
  return visit_float(context, x.dtype(), [&](auto tag) -> Result<Tensors> {
    using T = decltype(tag);
    OCTET_ASSIGN(Tensor out, context.allocate(x.dtype(), x.shape()));
    const T* from = x.data<T>().data();
    T* to = out.mutable_data<T>().data();
    for (int64_t o = 0; o < view.outer; ++o) {
      for (int64_t i = 0; i < view.inner; ++i) {
        const int64_t at = o * view.count * view.inner + i;
        F()(from + at, to + at, view.count, view.inner);
      }
    }
    return one_tensor(std::move(out));
  });
}

OpSchema along_axis(std::string_view name, EvaluateFunction evaluate) {
  OpSchema schema;
  schema.name = name;
  schema.infer = infer_softmax;
  schema.evaluate = evaluate;
  return schema;
}

}  // namespace

OpSchema Softmax_schema() {
  OpSchema schema = along_axis("Softmax", evaluate_rows<SoftmaxOp>);
  schema.behaviour = QuantBehaviour::kFixedRange;
  schema.fixed_range = FixedRange{0.0F, 1.0F};
  return schema;
}
OpSchema LogSoftmax_schema() { return along_axis("LogSoftmax", evaluate_rows<LogSoftmaxOp>); }
OpSchema Hardmax_schema() { return along_axis("Hardmax", evaluate_rows<HardmaxOp>); }

}  // namespace octet::ops
