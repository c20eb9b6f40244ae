// ArgMax, ArgMin, CumSum and CumProd: walks along one axis.
#include "compiler/base/checked.h"
#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

// A shape as [outer, count, inner] about an axis.
struct View {
  int64_t outer = 1;
  int64_t count = 1;
  int64_t inner = 1;
};

View make_view(const std::vector<int64_t>& shape, size_t axis) {
  View view;
  for (size_t i = 0; i < shape.size(); ++i) {
    int64_t& part = i < axis ? view.outer : (i == axis ? view.count : view.inner);
    // Without an element nothing is walked; with one, the products are those of a tensor in memory.
    if (__builtin_mul_overflow(part, shape[i], &part)) return {0, 0, 0};
  }
  return view;
}

bool keeps_dims(const ir::Node& node) { return ir::int_attribute(node, "keepdims", 1) != 0; }

Result<Facts> infer_arg(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  if (!x.has_rank()) return one_fact(DType::kInt64, ir::Shape());
  OCTET_ASSIGN(const int64_t axis,
               normalize_axis(ir::int_attribute(context.node, "axis", 0), x.rank()));
  std::vector<ir::Dim> dims = x.dims();
  if (keeps_dims(context.node)) {
    dims[static_cast<size_t>(axis)] = 1;
  } else {
    dims.erase(dims.begin() + axis);
  }
  return one_fact(DType::kInt64, ir::Shape(std::move(dims)));
}

struct Greater {
  template <typename T>
  bool operator()(T a, T b) const {
    return a > b;
  }
};
struct Less {
  template <typename T>
  bool operator()(T a, T b) const {
    return a < b;
  }
};

// Among equals the first, or the last with select_last_index (since version 12).
template <typename T, typename Better>
void find_best(const View& view, const T* x, int64_t* out, bool last) {
  for (int64_t o = 0; o < view.outer; ++o) {
    for (int64_t i = 0; i < view.inner; ++i) {
      const T* row = x + o * view.count * view.inner + i;
      int64_t best = 0;
      for (int64_t k = 1; k < view.count; ++k) {
        const T a = row[k * view.inner];
        const T b = row[best * view.inner];
        if (Better()(a, b) || (last && a == b)) best = k;
      }
      out[o * view.inner + i] = best;
    }
  }
}

template <typename Better>
Result<Tensors> evaluate_arg(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (is_half(x.dtype())) return through_float32(context, evaluate_arg<Better>);
  OCTET_ASSIGN(const int64_t axis,
               normalize_axis(ir::int_attribute(context.node, "axis", 0), x.rank()));
  std::vector<int64_t> shape = x.shape();
  const bool empty_axis = shape[static_cast<size_t>(axis)] == 0;
  if (keeps_dims(context.node)) {
    shape[static_cast<size_t>(axis)] = 1;
  } else {
    shape.erase(shape.begin() + axis);
  }
  if (empty_axis && checked_product(shape) != 0) {
    return malformed("input 0: axis ", axis, " is empty");
  }
  const bool last = ir::int_attribute(context.node, "select_last_index", 0) != 0;
  const View view =
      x.element_count() == 0 ? View{0, 0, 0} : make_view(x.shape(), static_cast<size_t>(axis));
  return visit_number(context, x.dtype(), [&](auto tag) -> Result<Tensors> {
    using T = decltype(tag);
    OCTET_ASSIGN(Tensor out, context.allocate(DType::kInt64, std::move(shape)));
    find_best<T, Better>(view, x.data<T>().data(), out.mutable_data<int64_t>().data(), last);
    return one_tensor(std::move(out));
  });
}

struct SumOp {
  static constexpr int kStart = 0;
  template <typename T>
  T operator()(T a, T b) const {
    return a + b;
  }
};
struct ProductOp {
  static constexpr int kStart = 1;
  template <typename T>
  T operator()(T a, T b) const {
    return a * b;
  }
};

// Running sums or products along the axis: float32 in double, integers modulo 2^64.
template <typename F, typename T>
void running(const View& view, const T* x, T* out, bool exclusive, bool reverse) {
  using Sum = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;
  for (int64_t o = 0; o < view.outer; ++o) {
    for (int64_t i = 0; i < view.inner; ++i) {
      const int64_t base = o * view.count * view.inner + i;
      Sum sum = F::kStart;
      for (int64_t k = 0; k < view.count; ++k) {
        const int64_t at = base + (reverse ? view.count - 1 - k : k) * view.inner;
        if (exclusive) out[at] = static_cast<T>(sum);
        sum = F()(sum, static_cast<Sum>(x[at]));
        if (!exclusive) out[at] = static_cast<T>(sum);
      }
    }
  }
}

template <typename F>
Result<Tensors> evaluate_running(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (is_half(x.dtype())) return through_float32(context, evaluate_running<F>);
  const Tensor& axis_input = context.input(1);
  if (!numerics::is_integer(axis_input.dtype()) || axis_input.element_count() != 1) {
    return malformed("input 1: the axis must be one integer");
  }
  OCTET_ASSIGN(const int64_t axis, normalize_axis(axis_input.at_as_int64(0), x.rank()));
  const bool exclusive = ir::int_attribute(context.node, "exclusive", 0) != 0;
  const bool reverse = ir::int_attribute(context.node, "reverse", 0) != 0;
  const View view =
      x.element_count() == 0 ? View{0, 0, 0} : make_view(x.shape(), static_cast<size_t>(axis));
  return visit_number(context, x.dtype(), [&](auto tag) -> Result<Tensors> {
    using T = decltype(tag);
    OCTET_ASSIGN(Tensor out, context.allocate(x.dtype(), x.shape()));
    running<F>(view, x.data<T>().data(), out.mutable_data<T>().data(), exclusive, reverse);
    return one_tensor(std::move(out));
  });
}

OpSchema along_axis(std::string_view name, int64_t since, EvaluateFunction evaluate) {
  return {.name = name,
          .since = since,
          .roles = {Role::kData, Role::kShape},
          .required = 2,
          .max_inputs = 2,
          .infer = infer_same_as_input,
          .evaluate = evaluate};
}

OpSchema arg(std::string_view name, EvaluateFunction evaluate) {
  OpSchema schema;
  schema.name = name;
  schema.infer = infer_arg;
  schema.evaluate = evaluate;
  return schema;
}

}  // namespace

OpSchema ArgMax_schema() { return arg("ArgMax", evaluate_arg<Greater>); }
OpSchema ArgMin_schema() { return arg("ArgMin", evaluate_arg<Less>); }
OpSchema CumProd_schema() { return along_axis("CumProd", 26, evaluate_running<ProductOp>); }
OpSchema CumSum_schema() { return along_axis("CumSum", 11, evaluate_running<SumOp>); }

}  // namespace octet::ops
