// Max, Min, Sum and Mean over any number of operands, which broadcast as numpy does since version 8
// (version 6 wants equal shapes, which is the same for models that keep to it).
#include "compiler/ops/elements.h"
#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

Result<Facts> infer_variadic(const InferContext& context) {
  OCTET_ASSIGN(DType dtype, common_dtype_of_all(context));
  ir::Shape shape = context.shape(0);
  for (size_t i = 1; i < context.input_count(); ++i) {
    if (!context.has_input(i)) return malformed("input ", i, " is missing");
    OCTET_ASSIGN(shape, broadcast_shapes(shape, context.shape(i)));
  }
  return one_fact(dtype, std::move(shape));
}

template <DimFunction combine>
Result<Facts> infer_choice(const InferContext& context) {
  OCTET_ASSIGN(Facts facts, infer_variadic(context));
  if (context.input_count() == 2) {
    facts[0].elements = combined_elements(context, facts[0].type, combine);
  }
  return facts;
}

// Not a number wins, as in numpy's maximum and minimum.
struct MaxOp {
  template <typename T>
  T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};
struct MinOp {
  template <typename T>
  T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};
struct SumOp {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return a + b;
    } else {
      return wrapping_add(a, b);
    }
  }
};

Result<std::vector<int64_t>> output_shape(const EvaluateContext& context) {
  std::vector<int64_t> shape = context.input(0).shape();
  for (size_t i = 1; i < context.inputs.size(); ++i) {
    if (!context.has_input(i)) return malformed("input ", i, " is missing");
    OCTET_TRY(require_dtype(context, i, context.input(0).dtype()));
    OCTET_ASSIGN(shape, broadcast_extents(shape, context.input(i).shape()));
  }
  return shape;
}

// out = F(out, x) for an operand x that broadcasts to the shape of out.
template <typename T, typename F>
void fold_operand(const Tensor& x, Tensor& out, F f) {
  const auto plan = make_broadcast_plan<1>(out.shape(), {x.shape()});
  const T* from = x.data<T>().data();
  T* to = out.mutable_data<T>().data();
  for_each_run(plan, [&](int64_t at, const std::array<int64_t, 1>& offset) {
    const T* operand = from + offset[0];
    T* row = to + at;
    if (plan.run_stride[0] == 1) {
      for (int64_t i = 0; i < plan.run; ++i) row[i] = f(row[i], operand[i]);
    } else {
      for (int64_t i = 0; i < plan.run; ++i) row[i] = f(row[i], *operand);
    }
  });
}

enum class Ending { kNone, kDivideByCount };

template <typename F, Ending ending>
Result<Tensors> evaluate_fold(const EvaluateContext& context) {
  const DType dtype = context.input(0).dtype();
  OCTET_ASSIGN(std::vector<int64_t> shape, output_shape(context));
  if (is_half(dtype)) return through_float32(context, evaluate_fold<F, ending>);
  return visit_number(context, dtype, [&](auto tag) -> Result<Tensors> {
    using T = decltype(tag);
    OCTET_ASSIGN(Tensor out, context.allocate(dtype, shape));
    fold_operand<T>(context.input(0), out, [](T, T x) { return x; });
    for (size_t i = 1; i < context.inputs.size(); ++i) {
      fold_operand<T>(context.input(i), out, F());
    }
    if constexpr (ending == Ending::kDivideByCount) {
      const T count = static_cast<T>(context.inputs.size());
      if (count == T(0)) return malformed("a mean of too many operands for its type");
      for (T& x : out.mutable_data<T>()) x = static_cast<T>(x / count);
    }
    return one_tensor(std::move(out));
  });
}

OpSchema variadic(std::string_view name, InferFunction infer, EvaluateFunction evaluate,
                  QuantBehaviour behaviour) {
  OpSchema schema;
  schema.name = name;
  schema.roles = {Role::kData};
  schema.required = 1;
  schema.max_inputs = SIZE_MAX;
  schema.behaviour = behaviour;
  schema.commutative = true;
  schema.infer = infer;
  schema.evaluate = evaluate;
  return schema;
}

}  // namespace

OpSchema Max_schema() {
  return variadic("Max", infer_choice<max_dims>, evaluate_fold<MaxOp, Ending::kNone>,
                  QuantBehaviour::kSameScale);
}
OpSchema Min_schema() {
  return variadic("Min", infer_choice<min_dims>, evaluate_fold<MinOp, Ending::kNone>,
                  QuantBehaviour::kSameScale);
}
OpSchema Sum_schema() {
  return variadic("Sum", infer_variadic, evaluate_fold<SumOp, Ending::kNone>,
                  QuantBehaviour::kComputes);
}
OpSchema Mean_schema() {
  return variadic("Mean", infer_variadic, evaluate_fold<SumOp, Ending::kDivideByCount>,
                  QuantBehaviour::kComputes);
}

}  // namespace octet::ops
