// Elementwise operators of one float32 operand, in the layout of their operand.
#include <limits>

#include "compiler/interpreter/kernel.h"
#include "compiler/interpreter/kernels/vector_math.h"

namespace octet::interpreter {
namespace {

struct Numbers {
  float alpha = 0.0F;
  float beta = 0.0F;
};

struct Abs {
  static float of(float x, Numbers) { return std::fabs(x); }
};
struct Clip {
  static float of(float x, Numbers n) {
    x = x < n.alpha ? n.alpha : x;
    return x > n.beta ? n.beta : x;
  }
};
struct Cube {
  static float of(float x, Numbers) { return x * x * x; }
};
struct Elu {
  static OCTET_INLINE float of(float x, Numbers n) {
    return x < 0.0F ? n.alpha * exp_minus_one_of(x) : x;
  }
};
struct Erf {
  static OCTET_INLINE float of(float x, Numbers) { return erf_of(x); }
};
struct Exp {
  static OCTET_INLINE float of(float x, Numbers) { return exp_of(x); }
};
struct ErfGelu {
  static OCTET_INLINE float of(float x, Numbers) {
    return 0.5F * x * (1.0F + erf_of(x * 0.707106781F));
  }
};
// The five nodes with the bits that they give one by one, so that nothing depends on what is
// observed; halving is exact wherever it stands.
struct DividedGelu {
  static OCTET_INLINE float of(float x, Numbers n) {
    return 0.5F * (x * (erf_of(x / n.alpha) + 1.0F));
  }
};
struct MultipliedGelu {
  static OCTET_INLINE float of(float x, Numbers n) {
    return 0.5F * (x * (erf_of(x * n.alpha) + 1.0F));
  }
};
struct TanhGelu {
  static OCTET_INLINE float of(float x, Numbers) {
    return 0.5F * x * (1.0F + tanh_of(0.797884561F * (x + 0.044715F * x * x * x)));
  }
};
struct HardSigmoid {
  static float of(float x, Numbers n) {
    const float y = n.alpha * x + n.beta;
    const float low = y < 0.0F ? 0.0F : y;
    return low > 1.0F ? 1.0F : low;
  }
};
struct HardSwish {
  static float of(float x, Numbers) { return x * HardSigmoid::of(x, {1.0F / 6.0F, 0.5F}); }
};
struct LeakyRelu {
  static float of(float x, Numbers n) { return x < 0.0F ? n.alpha * x : x; }
};
struct Neg {
  static float of(float x, Numbers) { return -x; }
};
struct Reciprocal {
  static float of(float x, Numbers) { return 1.0F / x; }
};
struct Relu {
  static float of(float x, Numbers) { return x < 0.0F ? 0.0F : x; }
};
struct Sigmoid {
  static OCTET_INLINE float of(float x, Numbers) { return sigmoid_of(x); }
};
struct Sqrt {
  static float of(float x, Numbers) { return __builtin_sqrtf(x); }
};
struct Square {
  static float of(float x, Numbers) { return x * x; }
};
struct Tanh {
  static OCTET_INLINE float of(float x, Numbers) { return tanh_of(x); }
};

template <typename F>
OCTET_VECTORIZED void map(const float* x, float* y, int64_t count, Numbers n) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) y[i] = F::of(x[i], n);
}

struct Function {
  void (*loop)(const float*, float*, int64_t, Numbers) = nullptr;
  Numbers numbers;
};

class UnaryKernel : public Kernel {
 public:
  UnaryKernel(Function function, size_t operand, int64_t count)
      : function_(function), operand_(operand), count_(count) {
    in_place = {operand};
  }
  Status execute(const Execution& execution) const override {
    function_.loop(execution.input<float>(operand_), execution.output<float>(), count_,
                   function_.numbers);
    return {};
  }

 private:
  Function function_;
  size_t operand_;
  int64_t count_;
};

// A bound of Clip: a constant, an attribute, or `fallback`. Nothing when the run decides it.
std::optional<float> bound(const KernelRequest& request, size_t operand, const char* attribute,
                           float fallback) {
  if (request.opset < 11) return ir::float_attribute(request.node, attribute, fallback);
  if (!request.has_input(operand)) return fallback;
  const Operand& number = request.input(operand);
  if (number.constant == nullptr || !number.is_float() || number.count() != 1) return std::nullopt;
  return number.constant->data<float>()[0];
}

std::optional<Function> clip_function(const KernelRequest& request) {
  const auto low = bound(request, 1, "min", std::numeric_limits<float>::lowest());
  const auto high = bound(request, 2, "max", std::numeric_limits<float>::max());
  if (!low || !high) return std::nullopt;
  return Function{map<Clip>, {*low, *high}};
}

// Powers that are a few operations.
std::optional<Function> power_function(const KernelRequest& request) {
  const Operand& exponent = request.input(1);
  const bool one = exponent.constant != nullptr && exponent.count() == 1;
  if (!one || exponent.shape.size() > request.input(0).shape.size() ||
      !(exponent.is_float() || numerics::is_integer(exponent.dtype))) {
    return std::nullopt;
  }
  const double value = exponent.constant->at_as_double(0);
  if (value == 2.0) return Function{map<Square>, {}};
  if (value == 3.0) return Function{map<Cube>, {}};
  return std::nullopt;
}

std::optional<Function> function_of(const KernelRequest& request) {
  const ir::Node& node = request.node;
  const auto number = [&](const char* name, float fallback) {
    return ir::float_attribute(node, name, fallback);
  };
  if (node.is("Clip")) return clip_function(request);
  if (node.is("Pow")) return power_function(request);
  if (node.is("Elu")) return Function{map<Elu>, {number("alpha", 1.0F)}};
  if (node.is("LeakyRelu")) return Function{map<LeakyRelu>, {number("alpha", 0.01F)}};
  if (node.is("HardSigmoid")) {
    return Function{map<HardSigmoid>, {number("alpha", 0.2F), number("beta", 0.5F)}};
  }
  if (node.is("Gelu")) {
    const std::string approximate = ir::string_attribute(node, "approximate", "none");
    if (approximate == "none") return Function{map<ErfGelu>, {}};
    if (approximate == "tanh") return Function{map<TanhGelu>, {}};
    return std::nullopt;
  }
  struct Entry {
    std::string_view op;
    void (*loop)(const float*, float*, int64_t, Numbers);
  };
  static constexpr Entry kEntries[] = {
      {"Abs", map<Abs>},   {"Erf", map<Erf>},
      {"Exp", map<Exp>},   {"HardSwish", map<HardSwish>},
      {"Neg", map<Neg>},   {"Reciprocal", map<Reciprocal>},
      {"Relu", map<Relu>}, {"Sigmoid", map<Sigmoid>},
      {"Sqrt", map<Sqrt>}, {"Tanh", map<Tanh>},
  };
  for (const Entry& entry : kEntries) {
    if (node.is(entry.op)) return Function{entry.loop, {}};
  }
  return std::nullopt;
}

// `function` of operand `operand`, in its layout.
KernelPtr make_map(const KernelRequest& request, size_t operand, const Function& function) {
  const Operand& x = request.input(operand);
  // Padding must stay zero.
  const float zero = 0.0F;
  float at_zero = 0.0F;
  function.loop(&zero, &at_zero, 1, function.numbers);
  const Layout layout = x.layout.has_padding() && at_zero != 0.0F ? Layout() : x.layout;
  auto kernel = std::make_unique<UnaryKernel>(function, operand, layout.stored_elements(x.count()));
  kernel->needs.assign(request.inputs.size(), InputNeed::nothing());
  kernel->needs[operand] = InputNeed::in(layout);
  kernel->output_layouts = {layout};
  return kernel;
}

bool maps(const Operand& x, const KernelRequest& request) {
  return x.is_float() && request.outputs[0].is_float() && request.outputs[0].shape == x.shape;
}

}  // namespace

Result<KernelPtr> make_unary(const KernelRequest& request) {
  if (!maps(request.input(0), request)) return KernelPtr();
  const auto function = function_of(request);
  return function ? make_map(request, 0, *function) : KernelPtr();
}

Result<KernelPtr> make_gelu_of_pieces(const KernelRequest& request) {
  const bool gelu = request.post_ops.size() == 1 &&
                    request.post_ops[0].kind == PostOp::Kind::kGelu && request.inputs.size() == 2;
  if (!gelu) return KernelPtr();
  const size_t x = request.input(0).constant != nullptr ? 1 : 0;
  if (!maps(request.input(x), request)) return KernelPtr();
  const float factor = request.input(1 - x).constant->data<float>()[0];
  const bool divides = request.node.is("Div");
  return make_map(request, x, {divides ? map<DividedGelu> : map<MultipliedGelu>, {factor}});
}

}  // namespace octet::interpreter
