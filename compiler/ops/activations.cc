// Activation functions with attributes. Formulas: ONNX operators of the same names, versions 7 to
// 23 (Clip takes its bounds from attributes before 11 and from inputs since).
#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

// The numbers of a node: attributes are float32 in the file and in the computation.
struct Numbers {
  float alpha = 0.0F;
  float beta = 0.0F;  // gamma of Selu
};

// out = F{numbers}(x) on floats.
template <typename F>
Result<Tensors> evaluate_floats(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (is_half(x.dtype())) return through_float32(context, evaluate_floats<F>);
  const Numbers numbers = F::numbers(context.node);
  return visit_float(context, x.dtype(), [&](auto tag) -> Result<Tensors> {
    using T = decltype(tag);
    OCTET_ASSIGN(Tensor out, context.allocate(x.dtype(), x.shape()));
    const F f{numbers};
    map_elements(x.data<T>().data(), out.mutable_data<T>().data(), x.element_count(),
                 [f](T v) { return f(v); });
    return one_tensor(std::move(out));
  });
}

struct LeakyReluOp {
  static Numbers numbers(const ir::Node& node) {
    return {ir::float_attribute(node, "alpha", 0.01F)};
  }
  Numbers n;
  template <typename T>
  T operator()(T x) const {
    return x < 0 ? x * static_cast<T>(n.alpha) : x;
  }
};
struct SwishOp {
  static Numbers numbers(const ir::Node& node) {
    return {ir::float_attribute(node, "alpha", 1.0F)};
  }
  Numbers n;
  template <typename T>
  T operator()(T x) const {
    return x / (T(1) + std::exp(-static_cast<T>(n.alpha) * x));
  }
};
struct ShrinkOp {
  static Numbers numbers(const ir::Node& node) {
    return {ir::float_attribute(node, "lambd", 0.5F), ir::float_attribute(node, "bias", 0.0F)};
  }
  Numbers n;
  template <typename T>
  T operator()(T x) const {
    if (x < -static_cast<T>(n.alpha)) return x + static_cast<T>(n.beta);
    return x > static_cast<T>(n.alpha) ? x - static_cast<T>(n.beta) : T(0);
  }
};
struct ThresholdedReluOp {
  static Numbers numbers(const ir::Node& node) {
    return {ir::float_attribute(node, "alpha", 1.0F)};
  }
  Numbers n;
  template <typename T>
  T operator()(T x) const {
    return x <= static_cast<T>(n.alpha) ? T(0) : x;
  }
};
struct EluOp {
  static Numbers numbers(const ir::Node& node) {
    return {ir::float_attribute(node, "alpha", 1.0F)};
  }
  Numbers n;
  template <typename T>
  T operator()(T x) const {
    return x < 0 ? static_cast<T>(n.alpha) * std::expm1(x) : x;
  }
};
struct CeluOp {
  static Numbers numbers(const ir::Node& node) {
    return {ir::float_attribute(node, "alpha", 1.0F)};
  }
  Numbers n;
  template <typename T>
  T operator()(T x) const {
    const T alpha = static_cast<T>(n.alpha);
    if (x != x) return x;
    return std::max(T(0), x) + std::min(T(0), alpha * std::expm1(x / alpha));
  }
};
struct SeluOp {
  static Numbers numbers(const ir::Node& node) {
    return {ir::float_attribute(node, "alpha", 1.67326319217681884765625F),
            ir::float_attribute(node, "gamma", 1.05070102214813232421875F)};
  }
  Numbers n;
  template <typename T>
  T operator()(T x) const {
    const T gamma = static_cast<T>(n.beta);
    return x > 0 ? gamma * x : gamma * (static_cast<T>(n.alpha) * std::expm1(x));
  }
};

template <typename T>
T hard_sigmoid(T x, const Numbers& n) {
  const T y = static_cast<T>(n.alpha) * x + static_cast<T>(n.beta);
  return y < 0 ? T(0) : (y > 1 ? T(1) : y);
}
struct HardSigmoidOp {
  static Numbers numbers(const ir::Node& node) {
    return {ir::float_attribute(node, "alpha", 0.2F), ir::float_attribute(node, "beta", 0.5F)};
  }
  Numbers n;
  template <typename T>
  T operator()(T x) const {
    return hard_sigmoid(x, n);
  }
};
struct HardSwishOp {
  static Numbers numbers(const ir::Node&) { return {1.0F / 6.0F, 0.5F}; }
  Numbers n;
  template <typename T>
  T operator()(T x) const {
    return x * hard_sigmoid(x, n);
  }
};
struct MishOp {
  static Numbers numbers(const ir::Node&) { return {}; }
  Numbers n;
  template <typename T>
  T operator()(T x) const {
    const T softplus = x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
    return x * std::tanh(softplus);
  }
};
struct ErfGeluOp {
  static Numbers numbers(const ir::Node&) { return {}; }
  Numbers n;
  template <typename T>
  T operator()(T x) const {
    // 1 + erf(u), without its cancellation for negative numbers.
    return T(0.5) * x * std::erfc(x * T(-0.70710678118654752440));
  }
};
struct TanhGeluOp {
  static Numbers numbers(const ir::Node&) { return {}; }
  Numbers n;
  template <typename T>
  T operator()(T x) const {
    const T inner = T(0.79788456080286535588) * (x + T(0.044715) * x * x * x);
    // 0.5 * (1 + tanh(u)) is the logistic function of 2u, which does not cancel.
    return x / (T(1) + std::exp(T(-2) * inner));
  }
};

Result<Tensors> evaluate_gelu(const EvaluateContext& context) {
  const std::string approximate = ir::string_attribute(context.node, "approximate", "none");
  if (approximate == "none") return evaluate_floats<ErfGeluOp>(context);
  if (approximate == "tanh") return evaluate_floats<TanhGeluOp>(context);
  return malformed("approximate must be none or tanh");
}

// Integers since version 14. Not a number stays so.
Result<Tensors> evaluate_relu(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (is_half(x.dtype())) return through_float32(context, evaluate_relu);
  return visit_number(context, x.dtype(), [&](auto tag) -> Result<Tensors> {
    using T = decltype(tag);
    OCTET_ASSIGN(Tensor out, context.allocate(x.dtype(), x.shape()));
    map_elements(x.data<T>().data(), out.mutable_data<T>().data(), x.element_count(),
                 [](T v) { return v < T(0) ? T(0) : v; });
    return one_tensor(std::move(out));
  });
}

// A bound of Clip: `fallback` when it is not given.
template <typename T>
Result<T> clip_bound(const EvaluateContext& context, size_t operand, const char* attribute,
                     T fallback) {
  if (context.opset < 11) {
    if (!ir::has_attribute(context.node, attribute)) return fallback;
    return static_cast<T>(ir::float_attribute(context.node, attribute, 0.0F));
  }
  if (!context.has_input(operand)) return fallback;
  const Tensor& bound = context.input(operand);
  OCTET_TRY(require_dtype(context, operand, context.input(0).dtype()));
  if (bound.element_count() != 1) {
    return malformed("input ", operand, ": ", bound.element_count(), " elements, must be 1");
  }
  return bound.data<T>()[0];
}

// The upper bound wins when it is below the lower one, as numpy has it.
Result<Tensors> evaluate_clip(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (is_half(x.dtype())) return through_float32(context, evaluate_clip);
  if (context.opset < 11 && !numerics::is_floating_point(x.dtype())) {
    return unsupported_dtype(context, x.dtype());
  }
  return visit_number(context, x.dtype(), [&](auto tag) -> Result<Tensors> {
    using T = decltype(tag);
    using Limits = std::numeric_limits<T>;
    OCTET_ASSIGN(const T lower, clip_bound<T>(context, 1, "min", Limits::lowest()));
    OCTET_ASSIGN(const T upper, clip_bound<T>(context, 2, "max", Limits::max()));
    OCTET_ASSIGN(Tensor out, context.allocate(x.dtype(), x.shape()));
    map_elements(x.data<T>().data(), out.mutable_data<T>().data(), x.element_count(),
                 [lower, upper](T v) {
                   v = v < lower ? lower : v;
                   return v > upper ? upper : v;
                 });
    return one_tensor(std::move(out));
  });
}

Result<Facts> infer_clip(const InferContext& context) {
  OCTET_TRY(common_dtype(context, {0, 1, 2}));
  for (size_t i = 1; i < 3; ++i) {
    if (!context.has_input(i)) continue;
    const auto count = context.shape(i).element_count();
    if (count && *count != 1) return malformed("input ", i, ": ", *count, " elements, must be 1");
  }
  return infer_same_as_input(context);
}

// The slope broadcasts to x, never the other way.
Result<Facts> infer_prelu(const InferContext& context) {
  OCTET_ASSIGN(DType dtype, common_dtype(context, {0, 1}));
  OCTET_ASSIGN(ir::Shape shape, broadcast_shapes(context.shape(0), context.shape(1)));
  const ir::Shape& x = context.shape(0);
  if (x.has_rank() && shape.has_rank() && !ir::compatible(x, shape)) {
    return malformed("input 1: shape ", context.shape(1).to_string(),
                     " does not broadcast to that of input 0, ", x.to_string());
  }
  return one_fact(dtype, x);
}

Result<Tensors> evaluate_prelu(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_TRY(require_dtype(context, 1, x.dtype()));
  if (is_half(x.dtype())) return through_float32(context, evaluate_prelu);
  return visit_number(context, x.dtype(), [&](auto tag) -> Result<Tensors> {
    using T = decltype(tag);
    OCTET_ASSIGN(Tensor out, allocate_broadcast(context, x.dtype(), x, context.input(1)));
    if (out.shape() != x.shape()) return malformed("input 1 does not broadcast to input 0");
    map_broadcast<T, T, T>(x, context.input(1), out, [](T v, T slope) {
      if constexpr (std::is_floating_point_v<T>) {
        return v < 0 ? v * slope : v;
      } else {
        return v < T(0) ? wrapping_mul(v, slope) : v;
      }
    });
    return one_tensor(std::move(out));
  });
}

// Integers by way of double, converted as Cast would.
Result<Tensors> evaluate_shrink(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (numerics::is_floating_point(x.dtype())) return evaluate_floats<ShrinkOp>(context);
  if (!numerics::is_integer(x.dtype()) || is_packed_integer(x.dtype())) {
    return unsupported_dtype(context, x.dtype());
  }
  const ShrinkOp shrink{ShrinkOp::numbers(context.node)};
  OCTET_ASSIGN(Tensor out, context.allocate(x.dtype(), x.shape()));
  for (int64_t i = 0; i < x.element_count(); ++i) {
    out.set_from_double(i, shrink(x.at_as_double(i)));
  }
  return one_tensor(std::move(out));
}

OpSchema activation(std::string_view name, EvaluateFunction evaluate, int64_t since = 7) {
  OpSchema schema;
  schema.name = name;
  schema.since = since;
  schema.roles = {Role::kData};
  schema.behaviour = QuantBehaviour::kComputes;
  schema.infer = infer_same_as_input;
  schema.evaluate = evaluate;
  return schema;
}

}  // namespace

OpSchema Celu_schema() { return activation("Celu", evaluate_floats<CeluOp>, 12); }
OpSchema Clip_schema() {
  OpSchema schema = activation("Clip", evaluate_clip);
  schema.roles = {Role::kData, Role::kParameter, Role::kParameter};
  schema.max_inputs = 3;
  schema.infer = infer_clip;
  return schema;
}
OpSchema Elu_schema() { return activation("Elu", evaluate_floats<EluOp>); }
OpSchema Gelu_schema() { return activation("Gelu", evaluate_gelu, 20); }
OpSchema HardSigmoid_schema() {
  OpSchema schema = activation("HardSigmoid", evaluate_floats<HardSigmoidOp>);
  schema.behaviour = QuantBehaviour::kFixedRange;
  schema.fixed_range = FixedRange{0.0F, 1.0F};
  return schema;
}
OpSchema HardSwish_schema() { return activation("HardSwish", evaluate_floats<HardSwishOp>, 14); }
OpSchema LeakyRelu_schema() { return activation("LeakyRelu", evaluate_floats<LeakyReluOp>); }
OpSchema Mish_schema() { return activation("Mish", evaluate_floats<MishOp>, 18); }
OpSchema PRelu_schema() {
  OpSchema schema = activation("PRelu", evaluate_prelu);
  schema.roles = {Role::kData, Role::kParameter};
  schema.required = 2;
  schema.max_inputs = 2;
  schema.infer = infer_prelu;
  return schema;
}
OpSchema Relu_schema() { return activation("Relu", evaluate_relu); }
OpSchema Selu_schema() { return activation("Selu", evaluate_floats<SeluOp>); }
OpSchema Shrink_schema() { return activation("Shrink", evaluate_shrink, 9); }
OpSchema Swish_schema() { return activation("Swish", evaluate_floats<SwishOp>, 24); }
OpSchema ThresholdedRelu_schema() {
  return activation("ThresholdedRelu", evaluate_floats<ThresholdedReluOp>, 10);
}

}  // namespace octet::ops
