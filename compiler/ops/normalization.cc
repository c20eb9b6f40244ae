// Normalizations over channels: BatchNormalization, InstanceNormalization, GroupNormalization, LRN.
// Sums and arithmetic in double, rounded once.
#include "compiler/ops/normalization.h"

#include <cmath>

#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {

template <typename T>
Moments moments(const T* x, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]);
  Moments out;
  if (count == 0) return out;
  out.mean = sum / static_cast<double>(count);
  double squares = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double d = static_cast<double>(x[i]) - out.mean;
    squares += d * d;
  }
  out.variance = squares / static_cast<double>(count);
  return out;
}

template Moments moments(const float*, int64_t);
template Moments moments(const double*, int64_t);

namespace {

// [batch, channels, elements per channel] of an operand of rank 2 at least.
struct Planes {
  int64_t batch = 1;
  int64_t channels = 1;
  int64_t size = 1;
};

Result<Planes> planes_of(const Tensor& x) {
  if (x.rank() < 2) return malformed("input 0: rank ", x.rank(), "; at least 2 is needed");
  Planes out;
  out.batch = x.shape()[0];
  out.channels = x.shape()[1];
  // Only used where there are elements.
  if (x.element_count() > 0) out.size = x.element_count() / (out.batch * out.channels);
  return out;
}

Status require_count(const EvaluateContext& context, size_t operand, int64_t count) {
  const Tensor& tensor = context.input(operand);
  if (tensor.rank() == 1 && tensor.element_count() == count &&
      numerics::is_floating_point(tensor.dtype())) {
    return {};
  }
  return malformed("input ", operand, ": ", tensor.type().to_string(), " where ", count,
                   " numbers are needed");
}

// Output like input 0, whose axis 1 is as long as operands `first` to the last.
Result<Facts> infer_channels(const InferContext& context, size_t outputs) {
  const ir::Shape& x = context.shape(0);
  if (x.has_rank() && x.rank() < 2) {
    return malformed("input 0: rank ", x.rank(), "; at least 2 is needed");
  }
  for (size_t i = 1; i < context.input_count(); ++i) {
    OCTET_TRY(require_rank(context, i, 1));
  }
  Facts out(outputs);
  out[0] = fact(context.type(0).storage, x);
  return out;
}

Status check_channel_count(const InferContext& context, size_t operand) {
  if (!context.has_input(operand) || !context.shape(operand).has_rank()) return {};
  const ir::Shape& x = context.shape(0);
  const ir::Dim& count = context.shape(operand)[0];
  if (!x.has_rank() || !x[1].is_static() || !count.is_static() || x[1] == count) return {};
  return malformed("input ", operand, ": ", count.extent(), " numbers for ", x[1].extent(),
                   " channels");
}

Result<Facts> infer_batch_norm(const InferContext& context) {
  OCTET_ASSIGN(Facts out, infer_channels(context, 5));
  for (size_t i = 1; i < 5; ++i) OCTET_TRY(check_channel_count(context, i));
  return out;
}

Result<Facts> infer_instance_norm(const InferContext& context) {
  OCTET_ASSIGN(Facts out, infer_channels(context, 1));
  for (size_t i = 1; i < 3; ++i) OCTET_TRY(check_channel_count(context, i));
  return out;
}

Result<Facts> infer_group_norm(const InferContext& context) { return infer_channels(context, 1); }

Status require_inference(const EvaluateContext& context) {
  if (ir::int_attribute(context.node, "training_mode", 0) != 0) {
    return unsupported("training_mode 1; export the model for inference");
  }
  for (size_t i = 1; i < context.node.outputs.size(); ++i) {
    if (context.node.output(i).valid()) {
      return unsupported("the outputs of training; export the model for inference");
    }
  }
  if (context.opset < 9 && ir::int_attribute(context.node, "spatial", 1) != 1) {
    return unsupported("spatial 0");
  }
  return {};
}

// y = scale * (x - mean) / sqrt(variance + epsilon) + bias, per channel.
Result<Tensors> evaluate_batch_norm(const EvaluateContext& context) {
  OCTET_TRY(require_inference(context));
  if (is_half(context.input(0).dtype())) return through_float32(context, evaluate_batch_norm);
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const Planes planes, planes_of(x));
  for (size_t i = 1; i < 5; ++i) OCTET_TRY(require_count(context, i, planes.channels));
  const double epsilon = ir::float_attribute(context.node, "epsilon", 1e-5F);
  return visit_float(context, x.dtype(), [&](auto zero) -> Result<Tensors> {
    using T = decltype(zero);
    OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), x.shape()));
    if (x.element_count() == 0) return one_tensor(std::move(y));
    const T* from = x.data<T>().data();
    T* to = y.mutable_data<T>().data();
    for (int64_t nc = 0; nc < planes.batch * planes.channels; ++nc) {
      const int64_t c = nc % planes.channels;
      const double scale = context.input(1).at_as_double(c);
      const double bias = context.input(2).at_as_double(c);
      const double mean = context.input(3).at_as_double(c);
      const double deviation = std::sqrt(context.input(4).at_as_double(c) + epsilon);
      map_elements(from + nc * planes.size, to + nc * planes.size, planes.size, [&](T v) {
        return static_cast<T>((static_cast<double>(v) - mean) / deviation * scale + bias);
      });
    }
    return one_tensor(std::move(y));
  });
}

// The same with mean and variance of the groups of each sample; InstanceNormalization has as many
// groups as channels. scale_at and bias_at give the factors of channel c.
template <typename Factors>
Result<Tensors> normalize_groups(const EvaluateContext& context, const Planes& planes,
                                 int64_t groups, Factors factors) {
  const Tensor& x = context.input(0);
  const double epsilon = ir::float_attribute(context.node, "epsilon", 1e-5F);
  return visit_float(context, x.dtype(), [&](auto zero) -> Result<Tensors> {
    using T = decltype(zero);
    OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), x.shape()));
    if (x.element_count() == 0) return one_tensor(std::move(y));
    const T* from = x.data<T>().data();
    T* to = y.mutable_data<T>().data();
    const int64_t channels = planes.channels / groups;
    for (int64_t ng = 0; ng < planes.batch * groups; ++ng) {
      const int64_t at = ng * channels * planes.size;
      const Moments m = moments(from + at, channels * planes.size);
      const double deviation = std::sqrt(m.variance + epsilon);
      for (int64_t c = 0; c < channels; ++c) {
        const auto factor = factors(ng % groups * channels + c);
        const double scale = factor.first;
        const double bias = factor.second;
        map_elements(from + at + c * planes.size, to + at + c * planes.size, planes.size, [&](T v) {
          return static_cast<T>((static_cast<double>(v) - m.mean) / deviation * scale + bias);
        });
      }
    }
    return one_tensor(std::move(y));
  });
}

Result<Tensors> evaluate_instance_norm(const EvaluateContext& context) {
  if (is_half(context.input(0).dtype())) return through_float32(context, evaluate_instance_norm);
  OCTET_ASSIGN(const Planes planes, planes_of(context.input(0)));
  for (size_t i = 1; i < 3; ++i) OCTET_TRY(require_count(context, i, planes.channels));
  if (planes.channels == 0) return malformed("input 0: no channels");
  return normalize_groups(context, planes, planes.channels, [&](int64_t c) {
    return std::pair(context.input(1).at_as_double(c), context.input(2).at_as_double(c));
  });
}

// Scale and bias are per group before opset 21, per channel since.
Result<Tensors> evaluate_group_norm(const EvaluateContext& context) {
  if (is_half(context.input(0).dtype())) return through_float32(context, evaluate_group_norm);
  OCTET_ASSIGN(const Planes planes, planes_of(context.input(0)));
  const int64_t groups = ir::int_attribute(context.node, "num_groups", 0);
  if (groups < 1 || planes.channels % groups != 0 || planes.channels == 0) {
    return malformed("attribute num_groups is ", groups, " for ", planes.channels, " channels");
  }
  const bool per_channel = context.opset >= 21;
  for (size_t i = 1; i < 3; ++i) {
    OCTET_TRY(require_count(context, i, per_channel ? planes.channels : groups));
  }
  const int64_t channels = per_channel ? 1 : planes.channels / groups;
  return normalize_groups(context, planes, groups, [&](int64_t c) {
    return std::pair(context.input(1).at_as_double(c / channels),
                     context.input(2).at_as_double(c / channels));
  });
}

// y[c] = x[c] / (bias + alpha / size * sum of squares of the channels around c) ^ beta.
Result<Tensors> evaluate_lrn(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  if (is_half(x.dtype())) return through_float32(context, evaluate_lrn);
  OCTET_ASSIGN(const Planes planes, planes_of(x));
  const int64_t size = ir::int_attribute(context.node, "size", 0);
  if (size < 1) return malformed("attribute size is ", size, "; it must be at least 1");
  const double alpha = ir::float_attribute(context.node, "alpha", 1e-4F);
  const double beta = ir::float_attribute(context.node, "beta", 0.75F);
  const double bias = ir::float_attribute(context.node, "bias", 1.0F);
  const int64_t below = std::min((size - 1) / 2, planes.channels);
  const int64_t above = std::min(size - 1 - (size - 1) / 2, planes.channels);
  return visit_float(context, x.dtype(), [&](auto zero) -> Result<Tensors> {
    using T = decltype(zero);
    OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), x.shape()));
    if (x.element_count() == 0) return one_tensor(std::move(y));
    OCTET_ASSIGN(auto squares, Scratch<double>::make(context, planes.size));
    const std::span<double> sums = squares.span();
    for (int64_t nc = 0; nc < planes.batch * planes.channels; ++nc) {
      const int64_t c = nc % planes.channels;
      const T* sample = x.data<T>().data() + (nc - c) * planes.size;
      std::fill(sums.begin(), sums.end(), 0.0);
      for (int64_t k = std::max<int64_t>(0, c - below);
           k <= std::min(planes.channels - 1, c + above); ++k) {
        for (int64_t i = 0; i < planes.size; ++i) {
          const auto v = static_cast<double>(sample[k * planes.size + i]);
          sums[static_cast<size_t>(i)] += v * v;
        }
      }
      T* to = y.mutable_data<T>().data() + nc * planes.size;
      for (int64_t i = 0; i < planes.size; ++i) {
        const double base = bias + alpha / static_cast<double>(size) * sums[static_cast<size_t>(i)];
        to[i] =
            static_cast<T>(static_cast<double>(sample[c * planes.size + i]) / std::pow(base, beta));
      }
    }
    return one_tensor(std::move(y));
  });
}

}  // namespace

OpSchema BatchNormalization_schema() {
  return {.name = "BatchNormalization",
          .roles = {Role::kData, Role::kParameter},
          .required = 5,
          .max_inputs = 5,
          .behaviour = QuantBehaviour::kComputes,
          .infer = infer_batch_norm,
          .evaluate = evaluate_batch_norm};
}

OpSchema InstanceNormalization_schema() {
  return {.name = "InstanceNormalization",
          .roles = {Role::kData, Role::kParameter},
          .required = 3,
          .max_inputs = 3,
          .infer = infer_instance_norm,
          .evaluate = evaluate_instance_norm};
}

OpSchema GroupNormalization_schema() {
  return {.name = "GroupNormalization",
          .since = 18,
          .roles = {Role::kData, Role::kParameter},
          .required = 3,
          .max_inputs = 3,
          .infer = infer_group_norm,
          .evaluate = evaluate_group_norm};
}

OpSchema LRN_schema() {
  return {.name = "LRN", .infer = infer_same_as_input, .evaluate = evaluate_lrn};
}

}  // namespace octet::ops
