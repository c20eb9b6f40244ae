// LinearAttention (ai.onnx 27): attention as a recurrence over a state of fixed size, with decay
// and delta rule. onnx/docs/Operators.md, LinearAttention.
#include <algorithm>
#include <cmath>

#include "compiler/ops/doubles.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

constexpr size_t kQuery = 0;
constexpr size_t kKey = 1;
constexpr size_t kValue = 2;
constexpr size_t kPastState = 3;
constexpr size_t kDecay = 4;
constexpr size_t kBeta = 5;

struct UpdateRule {
  bool gated = false;  // the state decays
  bool delta = false;  // what the state already gives for the key is taken off the value

  static Result<UpdateRule> from(const ir::Node& node) {
    const std::string text = ir::string_attribute(node, "update_rule", "gated_delta");
    if (text == "linear") return UpdateRule{false, false};
    if (text == "gated") return UpdateRule{true, false};
    if (text == "delta") return UpdateRule{false, true};
    if (text == "gated_delta") return UpdateRule{true, true};
    return malformed("attribute update_rule: not one of linear, gated, delta, gated_delta");
  }
};

struct HeadCounts {
  int64_t q = 0;
  int64_t kv = 0;

  static Result<HeadCounts> from(const ir::Node& node) {
    const HeadCounts out = {ir::int_attribute(node, "q_num_heads", 0),
                            ir::int_attribute(node, "kv_num_heads", 0)};
    if (out.q < 1 || out.kv < 1 || out.q % out.kv != 0) {
      return malformed("attributes q_num_heads and kv_num_heads are ", out.q, " and ", out.kv);
    }
    return out;
  }
};

struct LinearSizes {
  UpdateRule rule;
  HeadCounts heads;
  int64_t batch = 0;
  int64_t steps = 0;
  int64_t key = 0;    // columns of the state of one head are values,
  int64_t value = 0;  // rows are keys
  int64_t decay_columns = 0;
  int64_t beta_columns = 0;
};

Result<LinearSizes> linear_sizes(const EvaluateContext& context) {
  LinearSizes out;
  OCTET_ASSIGN(out.rule, UpdateRule::from(context.node));
  OCTET_ASSIGN(out.heads, HeadCounts::from(context.node));
  for (size_t operand : {kQuery, kKey, kValue, kDecay, kBeta}) {
    OCTET_TRY(require_rank(context, operand, 3));
  }
  if (context.has_input(kDecay) != out.rule.gated || context.has_input(kBeta) != out.rule.delta) {
    return malformed("the operands decay and beta do not fit the update rule");
  }
  const auto& q = context.input(kQuery).shape();
  const auto& v = context.input(kValue).shape();
  out.batch = q[0];
  out.steps = q[1];
  out.key = q[2] / out.heads.q;
  out.value = v[2] / out.heads.kv;
  // Products of known extents of tensors in memory, or refused below.
  const auto key_columns = checked_mul(out.heads.kv, out.key);
  if (q[2] % out.heads.q != 0 || v[2] % out.heads.kv != 0 || !key_columns) {
    return malformed("columns of query and value are no multiple of the heads");
  }
  OCTET_TRY(require_shape(context, kKey, std::vector<int64_t>{out.batch, out.steps, *key_columns}));
  OCTET_TRY(require_shape(context, kValue, std::vector<int64_t>{out.batch, out.steps, v[2]}));
  if (context.has_input(kPastState)) {
    OCTET_TRY(require_shape(context, kPastState,
                            std::vector<int64_t>{out.batch, out.heads.kv, out.key, out.value}));
  }
  for (size_t operand : {kDecay, kBeta}) {
    if (!context.has_input(operand)) continue;
    OCTET_TRY(require_shape(context, operand, std::vector<int64_t>{out.batch, out.steps, -1}));
    const int64_t columns = context.input(operand).shape()[2];
    const int64_t other = operand == kDecay ? *key_columns : 1;
    if (columns != out.heads.kv && columns != other) {
      return malformed("input ", operand, ": ", columns, " columns, must be ", out.heads.kv, " or ",
                       other);
    }
    (operand == kDecay ? out.decay_columns : out.beta_columns) = columns;
  }
  return out;
}

// The state of one head: S[d, m], row-major.
class HeadState {
 public:
  HeadState(double* state, const LinearSizes& sizes) : s_(state), sizes_(sizes) {}

  void decay(const double* log_factors, int64_t step) {
    for (int64_t d = 0; d < sizes_.key; ++d) {
      const double factor = std::exp(log_factors[d * step]);
      for (int64_t m = 0; m < sizes_.value; ++m) s_[d * sizes_.value + m] *= factor;
    }
  }
  // out[m] = sum over d of S[d, m] x[d]
  void read(const double* x, std::span<double> out) const {
    std::fill(out.begin(), out.end(), 0.0);
    for (int64_t d = 0; d < sizes_.key; ++d) {
      for (int64_t m = 0; m < sizes_.value; ++m) {
        out[static_cast<size_t>(m)] += s_[d * sizes_.value + m] * x[d];
      }
    }
  }
  void add(const double* key, std::span<const double> value) {
    for (int64_t d = 0; d < sizes_.key; ++d) {
      for (int64_t m = 0; m < sizes_.value; ++m) {
        s_[d * sizes_.value + m] += key[d] * value[static_cast<size_t>(m)];
      }
    }
  }

 private:
  double* s_;
  const LinearSizes& sizes_;
};

Result<Tensors> evaluate_linear_attention(const EvaluateContext& context) {
  OCTET_ASSIGN(const LinearSizes sizes, linear_sizes(context));
  const DType dtype = context.input(kQuery).dtype();
  const DType state_dtype =
      context.has_input(kPastState) ? context.input(kPastState).dtype() : dtype;
  OCTET_ASSIGN(auto q, doubles_of(context, kQuery));
  OCTET_ASSIGN(auto k, doubles_of(context, kKey));
  OCTET_ASSIGN(auto v, doubles_of(context, kValue));
  OCTET_ASSIGN(auto decay, optional_doubles_of(context, kDecay));
  OCTET_ASSIGN(auto beta, optional_doubles_of(context, kBeta));
  const std::vector<int64_t> state_shape = {sizes.batch, sizes.heads.kv, sizes.key, sizes.value};
  OCTET_ASSIGN(const int64_t state_count, element_product(state_shape));
  OCTET_ASSIGN(auto past, optional_doubles_of(context, kPastState));
  OCTET_ASSIGN(auto state, Scratch<double>::make(context, state_count));
  std::copy(past.span().begin(), past.span().end(), state.span().begin());
  const std::vector<int64_t> y_shape = {sizes.batch, sizes.steps,
                                        checked_mul(sizes.heads.q, sizes.value).value_or(-1)};
  if (y_shape[2] < 0) return resource_limit("an output with too many columns");
  OCTET_ASSIGN(const int64_t y_count, element_product(y_shape));
  OCTET_ASSIGN(auto y, Scratch<double>::make(context, y_count));
  OCTET_ASSIGN(auto row, Scratch<double>::make(context, sizes.value));
  double scale = ir::float_attribute(context.node, "scale", 0.0F);
  if (scale == 0) scale = 1.0 / std::sqrt(static_cast<double>(sizes.key));
  const int64_t group = sizes.heads.q / sizes.heads.kv;
  for (int64_t b = 0; b < sizes.batch; ++b) {
    for (int64_t h = 0; h < sizes.heads.kv; ++h) {
      HeadState s(state.span().data() + (b * sizes.heads.kv + h) * sizes.key * sizes.value, sizes);
      for (int64_t t = 0; t < sizes.steps; ++t) {
        const int64_t token = b * sizes.steps + t;
        const double* key = k.span().data() + (token * sizes.heads.kv + h) * sizes.key;
        const double* value = v.span().data() + (token * sizes.heads.kv + h) * sizes.value;
        if (sizes.rule.gated) {
          const bool per_head = sizes.decay_columns == sizes.heads.kv;
          s.decay(
              decay.span().data() + token * sizes.decay_columns + (per_head ? h : h * sizes.key),
              per_head ? 0 : 1);
        }
        if (sizes.rule.delta) {
          s.read(key, row.span());
          const double rate = beta[static_cast<size_t>(token * sizes.beta_columns +
                                                       (sizes.beta_columns == 1 ? 0 : h))];
          for (int64_t m = 0; m < sizes.value; ++m) {
            double& x = row[static_cast<size_t>(m)];
            x = rate * (value[m] - x);
          }
        } else {
          std::copy_n(value, sizes.value, row.span().begin());
        }
        s.add(key, row.span());
        for (int64_t g = h * group; g < (h + 1) * group; ++g) {
          s.read(q.span().data() + (token * sizes.heads.q + g) * sizes.key, row.span());
          double* to = y.span().data() + (token * sizes.heads.q + g) * sizes.value;
          for (int64_t m = 0; m < sizes.value; ++m) to[m] = scale * row[static_cast<size_t>(m)];
        }
      }
    }
  }
  Tensors outputs(2);
  OCTET_ASSIGN(outputs[0], tensor_of_doubles(context, dtype, y_shape, y.span()));
  OCTET_ASSIGN(outputs[1], tensor_of_doubles(context, state_dtype, state_shape, state.span()));
  return outputs;
}

ir::Dim divided(const ir::Dim& dim, int64_t by) {
  return dim.is_static() ? ir::Dim(dim.extent() / by) : ir::Dim();
}

Result<Facts> infer_linear_attention(const InferContext& context) {
  OCTET_TRY(UpdateRule::from(context.node));
  OCTET_ASSIGN(const HeadCounts heads, HeadCounts::from(context.node));
  for (size_t operand : {kQuery, kKey, kValue, kDecay, kBeta}) {
    OCTET_TRY(require_rank(context, operand, 3));
  }
  const DType dtype = context.type(kQuery).storage;
  const bool past = context.has_input(kPastState);
  Facts out = {fact(dtype, unknown_shape(3)),
               fact(past ? context.type(kPastState).storage : dtype, unknown_shape(4))};
  const ir::Shape& q = context.shape(kQuery);
  const ir::Shape& v = context.shape(kValue);
  if (!q.has_rank() || !v.has_rank()) return out;
  ir::Dim columns;
  const ir::Dim size = divided(v[2], heads.kv);
  if (size.is_static()) {
    const auto product = checked_mul(size.extent(), heads.q);
    if (product) columns = *product;
  }
  out[0].type.shape = ir::Shape({q[0], q[1], columns});
  out[1].type.shape = ir::Shape({q[0], heads.kv, divided(q[2], heads.q), size});
  return out;
}

}  // namespace

OpSchema LinearAttention_schema() {
  return {.name = "LinearAttention",
          .since = 27,
          .roles = {Role::kData},
          .required = 3,
          .max_inputs = 6,
          .infer = infer_linear_attention,
          .evaluate = evaluate_linear_attention};
}

}  // namespace octet::ops
