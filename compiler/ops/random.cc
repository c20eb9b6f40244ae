// RandomUniform, RandomNormal, their Like forms, Bernoulli and Multinomial (ai.onnx 7, 15, 22),
// when the node has a seed. The text leaves the generator open; here element i of a node depends on
// its seed and on i alone, so that results are the same everywhere. onnx/docs/Operators.md, by
// these names.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "compiler/ops/doubles.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

// Numbers by position: SplitMix64 (Steele, Lea, Flood 2014) of seed and position.
class Random {
 public:
  static Result<Random> from(const ir::Node& node) {
    if (!ir::has_attribute(node, "seed")) {
      return unsupported(
          "random numbers without the attribute seed differ from run to run; give "
          "the node a seed");
    }
    return Random(std::bit_cast<uint32_t>(ir::float_attribute(node, "seed", 0.0F)));
  }

  // In [0, 1).
  double uniform(uint64_t position) const {
    return static_cast<double>(bits(position) >> 11) * 0x1p-53;
  }
  // Box and Muller's, one of each pair.
  double normal(uint64_t position) const {
    const double radius = std::sqrt(-2 * std::log1p(-uniform(2 * position)));
    return radius * std::cos(2 * std::numbers::pi * uniform(2 * position + 1));
  }

 private:
  explicit Random(uint64_t seed) : seed_(seed) {}

  uint64_t bits(uint64_t position) const {
    uint64_t z = (seed_ << 32) + (position + 1) * 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }

  uint64_t seed_;
};

Result<DType> dtype_attribute(const ir::Node& node, DType fallback) {
  const int64_t type = ir::int_attribute(node, "dtype", static_cast<int64_t>(fallback));
  if (type < 0 || type > INT32_MAX ||
      (type != 0 && !numerics::is_known_dtype(static_cast<int32_t>(type)))) {
    return malformed("attribute dtype is ", type);
  }
  return static_cast<DType>(type);
}

bool is_like(const ir::Node& node) { return node.op_type.ends_with("Like"); }

// mean + scale * normal, or low + (high - low) * uniform.
struct Distribution {
  Random random;
  bool normal = false;
  double start = 0;
  double range = 1;

  static Result<Distribution> from(const ir::Node& node) {
    OCTET_ASSIGN(const Random random, Random::from(node));
    if (node.op_type.starts_with("RandomNormal")) {
      return Distribution{random, true, ir::float_attribute(node, "mean", 0.0F),
                          ir::float_attribute(node, "scale", 1.0F)};
    }
    const double low = ir::float_attribute(node, "low", 0.0F);
    return Distribution{random, false, low, ir::float_attribute(node, "high", 1.0F) - low};
  }
  double at(uint64_t i) const {
    return start + range * (normal ? random.normal(i) : random.uniform(i));
  }
};

Result<Tensors> evaluate_distribution(const EvaluateContext& context) {
  const ir::Node& node = context.node;
  OCTET_ASSIGN(const Distribution distribution, Distribution::from(node));
  const std::vector<int64_t> shape =
      is_like(node) ? context.input(0).shape() : ir::ints_attribute(node, "shape");
  OCTET_ASSIGN(const DType dtype,
               dtype_attribute(node, is_like(node) ? context.input(0).dtype() : DType::kFloat32));
  OCTET_ASSIGN(const int64_t count, element_product(shape));
  OCTET_ASSIGN(auto y, Scratch<double>::make(context, count));
  for (int64_t i = 0; i < count; ++i) {
    y[static_cast<size_t>(i)] = distribution.at(static_cast<uint64_t>(i));
  }
  OCTET_ASSIGN(Tensor out, tensor_of_doubles(context, dtype, shape, y.span()));
  return one_tensor(std::move(out));
}

Result<Facts> infer_distribution(const InferContext& context) {
  const ir::Node& node = context.node;
  if (is_like(node)) {
    OCTET_ASSIGN(const DType dtype, dtype_attribute(node, context.type(0).storage));
    return one_fact(dtype, context.shape(0));
  }
  OCTET_ASSIGN(const DType dtype, dtype_attribute(node, DType::kFloat32));
  const auto shape = ir::ints_attribute(node, "shape");
  for (int64_t extent : shape) {
    if (extent < 0) return malformed("attribute shape: an extent of ", extent);
  }
  return one_fact(dtype, ir::Shape::of(shape));
}

// 1 with the probability given by the element.
Result<Tensors> evaluate_bernoulli(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const Random random, Random::from(context.node));
  OCTET_ASSIGN(const DType dtype, dtype_attribute(context.node, x.dtype()));
  OCTET_ASSIGN(auto p, doubles_of(context, 0));
  if (numerics::bit_width(dtype) < 8 || is_tiny_float(dtype) || dtype == DType::kComplex64 ||
      dtype == DType::kComplex128) {
    return unsupported_dtype(context, dtype);
  }
  OCTET_ASSIGN(Tensor out, context.allocate(dtype, x.shape()));
  for (int64_t i = 0; i < x.element_count(); ++i) {
    if (random.uniform(static_cast<uint64_t>(i)) >= p[static_cast<size_t>(i)]) continue;
    if (numerics::is_floating_point(dtype)) {
      out.set_from_double(i, 1);
    } else {
      out.set_from_int64(i, 1);
    }
  }
  return one_tensor(std::move(out));
}

Result<Facts> infer_bernoulli(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, dtype_attribute(context.node, context.type(0).storage));
  return one_fact(dtype, context.shape(0));
}

Result<int64_t> sample_size(const ir::Node& node) {
  const int64_t size = ir::int_attribute(node, "sample_size", 1);
  if (size < 0) return malformed("attribute sample_size is ", size);
  return size;
}

Result<DType> multinomial_type(const ir::Node& node) {
  OCTET_ASSIGN(const DType dtype, dtype_attribute(node, DType::kInt32));
  if (dtype == DType::kInt32 || dtype == DType::kInt64) return dtype;
  return malformed("attribute dtype: ", numerics::dtype_name(dtype));
}

// Classes drawn by their unnormalized log-probabilities.
Result<Tensors> evaluate_multinomial(const EvaluateContext& context) {
  OCTET_TRY(require_rank(context, 0, 2));
  OCTET_ASSIGN(const Random random, Random::from(context.node));
  OCTET_ASSIGN(const int64_t samples, sample_size(context.node));
  OCTET_ASSIGN(const DType dtype, multinomial_type(context.node));
  const int64_t batch = context.input(0).shape()[0];
  const int64_t classes = context.input(0).shape()[1];
  if (classes == 0) return malformed("input 0: no classes");
  OCTET_ASSIGN(auto weights, doubles_of(context, 0));
  OCTET_ASSIGN(Tensor out, context.allocate(dtype, {batch, samples}));
  for (int64_t b = 0; b < batch; ++b) {
    const auto row =
        weights.span().subspan(static_cast<size_t>(b * classes), static_cast<size_t>(classes));
    const double top = *std::max_element(row.begin(), row.end());
    double total = 0;
    for (double& x : row) {
      total += std::exp(x - top);
      x = total;  // running sums
    }
    for (int64_t s = 0; s < samples; ++s) {
      const int64_t at = b * samples + s;
      const double draw = random.uniform(static_cast<uint64_t>(at)) * total;
      const auto found = std::find_if(row.begin(), row.end(), [&](double x) { return x > draw; });
      const int64_t chosen = std::min<int64_t>(found - row.begin(), classes - 1);
      out.set_from_int64(at, chosen);
    }
  }
  return one_tensor(std::move(out));
}

Result<Facts> infer_multinomial(const InferContext& context) {
  OCTET_TRY(require_rank(context, 0, 2));
  OCTET_ASSIGN(const DType dtype, multinomial_type(context.node));
  OCTET_ASSIGN(const int64_t samples, sample_size(context.node));
  const ir::Shape& x = context.shape(0);
  return one_fact(dtype, ir::Shape({x.has_rank() ? x[0] : ir::Dim(), samples}));
}

OpSchema without_operands(std::string_view name) {
  return {.name = name,
          .required = 0,
          .max_inputs = 0,
          .infer = infer_distribution,
          .evaluate = evaluate_distribution};
}

OpSchema of_operand(std::string_view name, InferFunction infer, EvaluateFunction evaluate,
                    int64_t since = 7) {
  return {.name = name,
          .since = since,
          .roles = {Role::kParameter},
          .infer = infer,
          .evaluate = evaluate};
}

}  // namespace

OpSchema Bernoulli_schema() {
  return of_operand("Bernoulli", infer_bernoulli, evaluate_bernoulli, 15);
}
OpSchema Multinomial_schema() {
  return of_operand("Multinomial", infer_multinomial, evaluate_multinomial);
}
OpSchema RandomNormal_schema() { return without_operands("RandomNormal"); }
OpSchema RandomNormalLike_schema() {
  return of_operand("RandomNormalLike", infer_distribution, evaluate_distribution);
}
OpSchema RandomUniform_schema() { return without_operands("RandomUniform"); }
OpSchema RandomUniformLike_schema() {
  return of_operand("RandomUniformLike", infer_distribution, evaluate_distribution);
}

}  // namespace octet::ops
