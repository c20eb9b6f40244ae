// Operators of one operand that work element by element: rounding, exponentials, trigonometry,
// tests and the like. Types follow the input but for IsInf and IsNaN.
#include <cmath>
#include <limits>

#include "compiler/numerics/quantize.h"
#include "compiler/ops/elements.h"
#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

template <typename F>
Result<Tensors> evaluate_floats(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (is_half(x.dtype())) return through_float32(context, evaluate_floats<F>);
  return visit_float(context, x.dtype(), [&](auto tag) -> Result<Tensors> {
    using T = decltype(tag);
    OCTET_ASSIGN(Tensor out, context.allocate(x.dtype(), x.shape()));
    map_elements(x.data<T>().data(), out.mutable_data<T>().data(), x.element_count(), F());
    return one_tensor(std::move(out));
  });
}

template <typename F>
Result<Tensors> evaluate_numbers(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (is_half(x.dtype())) return through_float32(context, evaluate_numbers<F>);
  return visit_number(context, x.dtype(), [&](auto tag) -> Result<Tensors> {
    using T = decltype(tag);
    OCTET_ASSIGN(Tensor out, context.allocate(x.dtype(), x.shape()));
    map_elements(x.data<T>().data(), out.mutable_data<T>().data(), x.element_count(), F());
    return one_tensor(std::move(out));
  });
}

// The least value of a signed type is its own negative and absolute value.
struct NegOp {
  template <typename T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) {
      return -x;
    } else {
      return wrapping_sub(T(0), x);
    }
  }
};
struct AbsOp {
  template <typename T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::fabs(x);
    } else if constexpr (std::is_signed_v<T>) {
      return x < 0 ? wrapping_sub(T(0), x) : x;
    } else {
      return x;
    }
  }
};
struct SignOp {
  template <typename T>
  T operator()(T x) const {
    if (x > T(0)) return T(1);
    if constexpr (std::is_signed_v<T>) {
      if (x < T(0)) return T(-1);
    }
    return x == T(0) ? T(0) : x;  // not a number stays so
  }
};
struct RoundOp {
  template <typename T>
  T operator()(T x) const {
    return numerics::round_half_even(x);
  }
};

struct SigmoidOp {
  template <typename T>
  T operator()(T x) const {  // exp of a negative number only: never infinite
    const T e = std::exp(-std::fabs(x));
    return x >= 0 ? T(1) / (T(1) + e) : e / (T(1) + e);
  }
};
struct SoftplusOp {
  template <typename T>
  T operator()(T x) const {
    return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
  }
};
struct SoftsignOp {
  template <typename T>
  T operator()(T x) const {
    return x / (T(1) + std::fabs(x));
  }
};
struct ReciprocalOp {
  template <typename T>
  T operator()(T x) const {
    return T(1) / x;
  }
};

#define OCTET_STD_FUNCTION(Name, function) \
  struct Name##Op {                        \
    template <typename T>                  \
    T operator()(T x) const {              \
      return std::function(x);             \
    }                                      \
  }
OCTET_STD_FUNCTION(Acos, acos);
OCTET_STD_FUNCTION(Acosh, acosh);
OCTET_STD_FUNCTION(Asin, asin);
OCTET_STD_FUNCTION(Asinh, asinh);
OCTET_STD_FUNCTION(Atan, atan);
OCTET_STD_FUNCTION(Atanh, atanh);
OCTET_STD_FUNCTION(Ceil, ceil);
OCTET_STD_FUNCTION(Cos, cos);
OCTET_STD_FUNCTION(Cosh, cosh);
OCTET_STD_FUNCTION(Erf, erf);
OCTET_STD_FUNCTION(Exp, exp);
OCTET_STD_FUNCTION(Floor, floor);
OCTET_STD_FUNCTION(Log, log);
OCTET_STD_FUNCTION(Sin, sin);
OCTET_STD_FUNCTION(Sinh, sinh);
OCTET_STD_FUNCTION(Sqrt, sqrt);
OCTET_STD_FUNCTION(Tan, tan);
OCTET_STD_FUNCTION(Tanh, tanh);
#undef OCTET_STD_FUNCTION

struct BitNotOp {
  template <typename T>
  T operator()(T x) const {
    return static_cast<T>(~x);
  }
};

Result<Tensors> evaluate_bitwise_not(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  return visit_integer(context, x.dtype(), [&](auto tag) -> Result<Tensors> {
    using T = decltype(tag);
    OCTET_ASSIGN(Tensor out, context.allocate(x.dtype(), x.shape()));
    map_elements(x.data<T>().data(), out.mutable_data<T>().data(), x.element_count(), BitNotOp());
    return one_tensor(std::move(out));
  });
}

template <typename Test>
Result<Tensors> evaluate_test(const EvaluateContext& context, Test test) {
  const Tensor& x = context.input(0);
  return visit_float(context, x.dtype(), [&](auto tag) -> Result<Tensors> {
    using T = decltype(tag);
    OCTET_ASSIGN(Tensor out, context.allocate(DType::kBool, x.shape()));
    map_elements(x.data<T>().data(), out.mutable_data<uint8_t>().data(), x.element_count(),
                 [&test](T v) -> uint8_t { return test(v) ? 1 : 0; });
    return one_tensor(std::move(out));
  });
}

// `evaluate` on the operand widened to float32.
Result<Tensors> of_tiny_floats(const EvaluateContext& context, EvaluateFunction evaluate) {
  OCTET_ASSIGN(const Tensor wide, widen_tiny_floats(context, context.input(0)));
  const Tensor* const inputs[] = {&wide};
  return evaluate({context.node, context.opset, inputs, context.budget});
}

Result<Tensors> evaluate_is_nan(const EvaluateContext& context) {
  if (is_half(context.input(0).dtype())) return through_float32(context, evaluate_is_nan);
  if (is_tiny_float(context.input(0).dtype())) return of_tiny_floats(context, evaluate_is_nan);
  return evaluate_test(context, [](auto x) { return std::isnan(x); });
}

Result<Tensors> evaluate_is_inf(const EvaluateContext& context) {
  if (is_half(context.input(0).dtype())) return through_float32(context, evaluate_is_inf);
  if (is_tiny_float(context.input(0).dtype())) return of_tiny_floats(context, evaluate_is_inf);
  const bool negative = ir::int_attribute(context.node, "detect_negative", 1) != 0;
  const bool positive = ir::int_attribute(context.node, "detect_positive", 1) != 0;
  return evaluate_test(
      context, [&](auto x) { return std::isinf(x) && (std::signbit(x) ? negative : positive); });
}

Result<Facts> infer_bool(const InferContext& context) {
  return one_fact(DType::kBool, context.shape(0));
}

Result<Facts> infer_identity(const InferContext& context) {
  ir::ValueFacts facts = passed_through(context, context.shape(0));
  facts.type.quant = context.type(0).quant;
  facts.elements = kept_elements(context.elements(0), facts.type);
  return Facts{std::move(facts)};
}

Result<Tensors> evaluate_identity(const EvaluateContext& context) {
  return one_tensor(context.input(0));
}

OpSchema unary(std::string_view name, EvaluateFunction evaluate, int64_t since = 7) {
  OpSchema schema;
  schema.name = name;
  schema.since = since;
  schema.infer = infer_same_as_input;
  schema.evaluate = evaluate;
  return schema;
}

OpSchema ranged(OpSchema schema, FixedRange range) {
  schema.behaviour = QuantBehaviour::kFixedRange;
  schema.fixed_range = range;
  return schema;
}

OpSchema test(OpSchema schema) {
  schema.infer = infer_bool;
  return schema;
}

}  // namespace

OpSchema Abs_schema() { return unary("Abs", evaluate_numbers<AbsOp>); }
OpSchema Acos_schema() { return unary("Acos", evaluate_floats<AcosOp>); }
OpSchema Acosh_schema() { return unary("Acosh", evaluate_floats<AcoshOp>, 9); }
OpSchema Asin_schema() { return unary("Asin", evaluate_floats<AsinOp>); }
OpSchema Asinh_schema() { return unary("Asinh", evaluate_floats<AsinhOp>, 9); }
OpSchema Atan_schema() { return unary("Atan", evaluate_floats<AtanOp>); }
OpSchema Atanh_schema() { return unary("Atanh", evaluate_floats<AtanhOp>, 9); }
OpSchema BitwiseNot_schema() { return unary("BitwiseNot", evaluate_bitwise_not, 18); }
OpSchema Ceil_schema() { return unary("Ceil", evaluate_floats<CeilOp>); }
OpSchema Cos_schema() { return unary("Cos", evaluate_floats<CosOp>); }
OpSchema Cosh_schema() { return unary("Cosh", evaluate_floats<CoshOp>, 9); }
OpSchema Erf_schema() { return unary("Erf", evaluate_floats<ErfOp>, 9); }
OpSchema Exp_schema() { return unary("Exp", evaluate_floats<ExpOp>); }
OpSchema Floor_schema() { return unary("Floor", evaluate_floats<FloorOp>); }
OpSchema Identity_schema() {
  OpSchema schema = unary("Identity", evaluate_identity);
  schema.behaviour = QuantBehaviour::kPassesThrough;
  schema.infer = infer_identity;
  return schema;
}
OpSchema IsInf_schema() { return test(unary("IsInf", evaluate_is_inf, 10)); }
OpSchema IsNaN_schema() { return test(unary("IsNaN", evaluate_is_nan, 9)); }
OpSchema Log_schema() { return unary("Log", evaluate_floats<LogOp>); }
OpSchema Neg_schema() { return unary("Neg", evaluate_numbers<NegOp>); }
OpSchema Reciprocal_schema() { return unary("Reciprocal", evaluate_floats<ReciprocalOp>); }
OpSchema Round_schema() { return unary("Round", evaluate_floats<RoundOp>, 11); }
OpSchema Sigmoid_schema() {
  return ranged(unary("Sigmoid", evaluate_floats<SigmoidOp>), {0.0F, 1.0F});
}
OpSchema Sign_schema() { return unary("Sign", evaluate_numbers<SignOp>, 9); }
OpSchema Sin_schema() { return unary("Sin", evaluate_floats<SinOp>); }
OpSchema Sinh_schema() { return unary("Sinh", evaluate_floats<SinhOp>, 9); }
OpSchema Softplus_schema() { return unary("Softplus", evaluate_floats<SoftplusOp>); }
OpSchema Softsign_schema() { return unary("Softsign", evaluate_floats<SoftsignOp>); }
OpSchema Sqrt_schema() { return unary("Sqrt", evaluate_floats<SqrtOp>); }
OpSchema Tan_schema() { return unary("Tan", evaluate_floats<TanOp>); }
OpSchema Tanh_schema() { return ranged(unary("Tanh", evaluate_floats<TanhOp>), {-1.0F, 1.0F}); }

}  // namespace octet::ops
