// Normalizations over axes: LayerNormalization, RMSNormalization, MeanVarianceNormalization,
// LpNormalization. Sums and arithmetic in double, rounded once.
#include <cmath>
#include <optional>

#include "compiler/ops/doubles.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/normalization.h"

namespace octet::ops {
namespace {

// The normalized part of x: `rows` runs of `count` elements, from `axis` to the last one.
struct Rows {
  int64_t axis = 0;
  int64_t rows = 0;
  int64_t count = 0;
  std::vector<int64_t> reduced;  // x's shape with 1 from axis on
};

Result<Rows> rows_of(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  Rows out;
  OCTET_ASSIGN(out.axis, normalize_axis(ir::int_attribute(context.node, "axis", -1), x.rank()));
  out.reduced = x.shape();
  for (size_t a = static_cast<size_t>(out.axis); a < x.rank(); ++a) out.reduced[a] = 1;
  out.rows = checked_product(out.reduced).value_or(0);
  if (x.element_count() > 0) out.count = x.element_count() / out.rows;
  return out;
}

// Scale or bias, spread over all elements of x. Usually it is one row long already.
class Spread {
 public:
  static Result<Spread> make(const EvaluateContext& context, size_t operand, const Rows& rows) {
    const Tensor& x = context.input(0);
    const Tensor& tensor = context.input(operand);
    if (!numerics::is_floating_point(tensor.dtype())) {
      return malformed("input ", operand, ": of type ", numerics::dtype_name(tensor.dtype()));
    }
    OCTET_ASSIGN(const auto joined, broadcast_extents(tensor.shape(), x.shape()));
    if (joined != x.shape()) {
      return malformed("input ", operand, ": shape ", tensor.type().shape.to_string(),
                       " does not broadcast to ", x.type().shape.to_string());
    }
    // Varies from row to row?
    const auto strides = broadcast_strides(tensor.shape(), x.shape());
    bool by_row = false;
    for (size_t a = 0; a < static_cast<size_t>(rows.axis); ++a) by_row = by_row || strides[a] != 0;
    const int64_t count = by_row ? x.element_count() : rows.count;
    OCTET_ASSIGN(auto values, Scratch<double>::make(context, count));
    std::vector<int64_t> target = x.shape();
    for (size_t a = 0; !by_row && a < static_cast<size_t>(rows.axis); ++a) target[a] = 1;
    const auto plan = make_broadcast_plan<1>(target, {tensor.shape()});
    for_each_run(plan, [&](int64_t to, const std::array<int64_t, 1>& from) {
      for (int64_t i = 0; i < plan.run; ++i) {
        values[static_cast<size_t>(to + i)] = tensor.at_as_double(from[0] + i * plan.run_stride[0]);
      }
    });
    return Spread(std::move(values), by_row ? rows.count : 0);
  }

  const double* row(int64_t index) { return values_.span().data() + index * step_; }

 private:
  Spread(Scratch<double> values, int64_t step) : values_(std::move(values)), step_(step) {}
  Scratch<double> values_;
  int64_t step_;
};

Result<Facts> infer_layer_norm(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  Facts out(3);
  out[0] = fact(context.type(0).storage, x);
  DType stash = context.type(0).storage;
  if (stash != DType::kUndefined && ir::int_attribute(context.node, "stash_type", 1) == 1) {
    stash = DType::kFloat32;
  }
  ir::Shape reduced;
  if (x.has_rank()) {
    OCTET_ASSIGN(const int64_t axis,
                 normalize_axis(ir::int_attribute(context.node, "axis", -1), x.rank()));
    std::vector<ir::Dim> dims = x.dims();
    for (size_t a = static_cast<size_t>(axis); a < dims.size(); ++a) dims[a] = 1;
    reduced = ir::Shape(std::move(dims));
  }
  for (size_t i = 1; i < context.input_count(); ++i) {
    if (context.has_input(i)) OCTET_TRY(broadcast_shapes(x, context.shape(i)));
  }
  out[1] = fact(stash, reduced);
  out[2] = fact(stash, reduced);
  return out;
}

// Mean and InvStdDev stay in double here, where nothing rounds them to x's type on the way out.
Result<Tensors> layer_norm_in_double(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (is_half(x.dtype())) return through_float32(context, layer_norm_in_double);
  OCTET_ASSIGN(const Rows rows, rows_of(context));
  const double epsilon = ir::float_attribute(context.node, "epsilon", 1e-5F);
  return visit_float(context, x.dtype(), [&](auto zero) -> Result<Tensors> {
    using T = decltype(zero);
    Tensors outputs(3);
    OCTET_ASSIGN(outputs[0], context.allocate(x.dtype(), x.shape()));
    OCTET_ASSIGN(outputs[1], context.allocate(DType::kFloat64, rows.reduced));
    OCTET_ASSIGN(outputs[2], context.allocate(DType::kFloat64, rows.reduced));
    if (x.element_count() == 0) return outputs;
    OCTET_ASSIGN(auto scale, Spread::make(context, 1, rows));
    std::optional<Spread> bias;
    if (context.has_input(2)) {
      OCTET_ASSIGN(Spread made, Spread::make(context, 2, rows));
      bias.emplace(std::move(made));
    }
    for (int64_t r = 0; r < rows.rows; ++r) {
      const T* from = x.data<T>().data() + r * rows.count;
      T* to = outputs[0].mutable_data<T>().data() + r * rows.count;
      const Moments m = moments(from, rows.count);
      const double inverse = 1.0 / std::sqrt(m.variance + epsilon);
      const double* s = scale.row(r);
      const double* b = bias ? bias->row(r) : nullptr;
      for (int64_t i = 0; i < rows.count; ++i) {
        const double normal = (static_cast<double>(from[i]) - m.mean) * inverse * s[i];
        to[i] = static_cast<T>(b != nullptr ? normal + b[i] : normal);
      }
      outputs[1].mutable_data<double>()[static_cast<size_t>(r)] = m.mean;
      outputs[2].mutable_data<double>()[static_cast<size_t>(r)] = inverse;
    }
    return outputs;
  });
}

// (x - mean) / sqrt(variance + epsilon) * scale + bias over the axes from `axis` on.
Result<Tensors> evaluate_layer_norm(const EvaluateContext& context) {
  const DType dtype = context.input(0).dtype();
  OCTET_ASSIGN(Tensors outputs, layer_norm_in_double(context));
  const bool in_float = ir::int_attribute(context.node, "stash_type", 1) == 1;
  for (size_t i = 1; i < 3; ++i) {
    if (!in_float && dtype == DType::kFloat64) continue;
    const auto bytes = static_cast<int64_t>(outputs[i].bytes().size());
    OCTET_ASSIGN(outputs[i], to_float32(context, outputs[i]));
    if (context.budget != nullptr) context.budget->release(bytes);
    if (!in_float && is_half(dtype)) {
      OCTET_ASSIGN(outputs[i], to_half(context, outputs[i], dtype));
    }
  }
  outputs.resize(std::max<size_t>(1, context.node.outputs.size()));
  return outputs;
}

// The type is that of the scale.
Result<Facts> infer_rms_norm(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  if (x.has_rank()) {
    OCTET_TRY(normalize_axis(ir::int_attribute(context.node, "axis", -1), x.rank()));
  }
  OCTET_TRY(broadcast_shapes(x, context.shape(1)));
  return one_fact(context.type(1).storage, x);
}

// x / sqrt(mean of squares + epsilon) * scale over the axes from `axis` on. Scale and result may be
// of another type than x.
Result<Tensors> evaluate_rms_norm(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const Rows rows, rows_of(context));
  const double epsilon = ir::float_attribute(context.node, "epsilon", 1e-5F);
  OCTET_ASSIGN(auto from, doubles_of(context, 0));
  OCTET_ASSIGN(auto y, Scratch<double>::make(context, x.element_count()));
  if (x.element_count() > 0) {
    OCTET_ASSIGN(auto scale, Spread::make(context, 1, rows));
    for (int64_t r = 0; r < rows.rows; ++r) {
      const double* row = from.span().data() + r * rows.count;
      double* to = y.span().data() + r * rows.count;
      double squares = 0;
      for (int64_t i = 0; i < rows.count; ++i) squares += row[i] * row[i];
      const double root = std::sqrt(squares / static_cast<double>(rows.count) + epsilon);
      const double* s = scale.row(r);
      for (int64_t i = 0; i < rows.count; ++i) to[i] = row[i] / root * s[i];
    }
  }
  OCTET_ASSIGN(Tensor out,
               tensor_of_doubles(context, context.input(1).dtype(), x.shape(), y.span()));
  return one_tensor(std::move(out));
}

// Elements that share their indices on all axes but `axes` are normalized together: the shape of
// the groups, with 1 on those axes.
Result<std::vector<int64_t>> group_shape(const Tensor& x, std::span<const int64_t> axes) {
  OCTET_ASSIGN(const auto normal, normalize_axes(axes, x.rank()));
  std::vector<int64_t> shape = x.shape();
  for (int64_t a : normal) shape[static_cast<size_t>(a)] = 1;
  return shape;
}

// visit(element, group) for every element.
template <typename Visit>
void for_each_in_group(const BroadcastPlan<1>& plan, Visit visit) {
  for_each_run(plan, [&](int64_t at, const std::array<int64_t, 1>& group) {
    for (int64_t i = 0; i < plan.run; ++i) {
      visit(static_cast<size_t>(at + i), static_cast<size_t>(group[0] + i * plan.run_stride[0]));
    }
  });
}

// (x - mean) / (standard deviation + 1e-9) over `axes`: the function body in the standard.
Result<Tensors> evaluate_mvn(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (is_half(x.dtype())) return through_float32(context, evaluate_mvn);
  const auto axes = ir::ints_attribute(context.node, "axes", {0, 2, 3});
  OCTET_ASSIGN(const auto groups, group_shape(x, axes));
  return visit_float(context, x.dtype(), [&](auto zero) -> Result<Tensors> {
    using T = decltype(zero);
    OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), x.shape()));
    if (x.element_count() == 0) return one_tensor(std::move(y));
    const int64_t count = *checked_product(groups);
    const double share = static_cast<double>(count) / static_cast<double>(x.element_count());
    OCTET_ASSIGN(auto means, Scratch<double>::make(context, count));
    OCTET_ASSIGN(auto variances, Scratch<double>::make(context, count));
    const auto plan = make_broadcast_plan<1>(x.shape(), {groups});
    const auto from = x.data<T>();
    const auto to = y.mutable_data<T>();
    for_each_in_group(
        plan, [&](size_t i, size_t g) { means[g] += static_cast<double>(from[i]) * share; });
    for_each_in_group(plan, [&](size_t i, size_t g) {
      const double d = static_cast<double>(from[i]) - means[g];
      variances[g] += d * d * share;
    });
    for_each_in_group(plan, [&](size_t i, size_t g) {
      to[i] = static_cast<T>((static_cast<double>(from[i]) - means[g]) /
                             (std::sqrt(variances[g]) + 1e-9));
    });
    return one_tensor(std::move(y));
  });
}

// x / (sum of |x|^p)^(1/p) along `axis`, p 1 or 2; zeros where the norm is zero.
Result<Tensors> evaluate_lp_norm(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (is_half(x.dtype())) return through_float32(context, evaluate_lp_norm);
  const int64_t p = ir::int_attribute(context.node, "p", 2);
  if (p != 1 && p != 2) return malformed("attribute p is ", p, "; it must be 1 or 2");
  const std::vector<int64_t> axes = {ir::int_attribute(context.node, "axis", -1)};
  OCTET_ASSIGN(const auto groups, group_shape(x, axes));
  return visit_float(context, x.dtype(), [&](auto zero) -> Result<Tensors> {
    using T = decltype(zero);
    OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), x.shape()));
    if (x.element_count() == 0) return one_tensor(std::move(y));
    OCTET_ASSIGN(auto norms, Scratch<double>::make(context, *checked_product(groups)));
    const auto plan = make_broadcast_plan<1>(x.shape(), {groups});
    const auto from = x.data<T>();
    const auto to = y.mutable_data<T>();
    for_each_in_group(plan, [&](size_t i, size_t g) {
      const auto v = static_cast<double>(from[i]);
      norms[g] += p == 1 ? std::abs(v) : v * v;
    });
    for_each_in_group(plan, [&](size_t i, size_t g) {
      const double norm = p == 1 ? norms[g] : std::sqrt(norms[g]);
      to[i] = norm == 0 ? T() : static_cast<T>(static_cast<double>(from[i]) / norm);
    });
    return one_tensor(std::move(y));
  });
}

}  // namespace

OpSchema LayerNormalization_schema() {
  return {.name = "LayerNormalization",
          .since = 7,  // of the standard since 17; ONNX Runtime has had it before
          .roles = {Role::kData, Role::kParameter},
          .required = 2,
          .max_inputs = 3,
          .infer = infer_layer_norm,
          .evaluate = evaluate_layer_norm};
}

OpSchema RMSNormalization_schema() {
  return {.name = "RMSNormalization",
          .since = 23,
          .roles = {Role::kData, Role::kParameter},
          .required = 2,
          .max_inputs = 2,
          .infer = infer_rms_norm,
          .evaluate = evaluate_rms_norm};
}

OpSchema MeanVarianceNormalization_schema() {
  return {.name = "MeanVarianceNormalization",
          .since = 9,
          .infer = infer_same_as_input,
          .evaluate = evaluate_mvn};
}

OpSchema LpNormalization_schema() {
  return {.name = "LpNormalization", .infer = infer_same_as_input, .evaluate = evaluate_lp_norm};
}

}  // namespace octet::ops
