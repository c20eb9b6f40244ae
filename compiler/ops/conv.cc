#include "compiler/ops/conv.h"

#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

int64_t extent_or_unknown(const ir::Dim& dim) { return dim.is_static() ? dim.extent() : -1; }

Status check_ranks(const ir::Shape& x, const ir::Shape& w) {
  if (x.has_rank() && x.rank() < 3) {
    return malformed("input 0: rank ", x.rank(), "; at least 3 is needed");
  }
  if (w.has_rank() && w.rank() < 3) {
    return malformed("weight: rank ", w.rank(), "; at least 3 is needed");
  }
  if (x.has_rank() && w.has_rank() && x.rank() != w.rank()) {
    return malformed("weight: rank ", w.rank(), " for a data rank of ", x.rank());
  }
  return {};
}

// Kernel extents, from the weight or from kernel_shape; nothing when neither tells them.
std::optional<std::vector<int64_t>> known_kernel(const ir::Node& node, const ir::Shape& w) {
  std::vector<int64_t> kernel;
  if (w.has_rank()) {
    for (size_t a = 2; a < w.rank(); ++a) {
      if (w[a].is_static()) kernel.push_back(w[a].extent());
    }
    if (kernel.size() + 2 == w.rank()) return kernel;
  }
  kernel = ir::ints_attribute(node, "kernel_shape");
  if (kernel.empty() || (w.has_rank() && kernel.size() + 2 != w.rank())) return std::nullopt;
  return kernel;
}

// The bias of Conv and ConvTranspose: one number per output channel.
Status check_bias(const InferContext& context, const ir::Dim& out_channels) {
  OCTET_TRY(require_rank(context, 2, 1));
  if (!context.has_input(2) || !context.shape(2).has_rank()) return {};
  const ir::Dim& count = context.shape(2)[0];
  if (count.is_static() && out_channels.is_static() && count.extent() != out_channels.extent()) {
    return malformed("input 2: ", count.extent(), " numbers for ", out_channels.extent(),
                     " output channels");
  }
  return {};
}

Result<Facts> infer_conv(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, common_dtype(context, {0, 1, 2}));
  OCTET_ASSIGN(const ir::Shape shape, infer_conv_shape(context, 1));
  OCTET_TRY(check_bias(context, shape.has_rank() ? shape[1] : ir::Dim()));
  return one_fact(dtype, shape);
}

Result<Facts> infer_conv_transpose(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, common_dtype(context, {0, 1, 2}));
  const ir::Shape& x = context.shape(0);
  const ir::Shape& w = context.shape(1);
  OCTET_TRY(check_ranks(x, w));
  const int64_t group = ir::int_attribute(context.node, "group", 1);
  OCTET_TRY(check_conv_channels(group, x.has_rank() ? extent_or_unknown(x[1]) : -1, -1, -1));
  if (x.has_rank() && w.has_rank() && x[1].is_static() && w[0].is_static() && x[1] != w[0]) {
    return malformed("input 1: ", w[0].extent(), " input channels where input 0 has ",
                     x[1].extent());
  }
  if (!x.has_rank()) return one_fact(dtype, ir::Shape());
  std::vector<ir::Dim> dims(x.rank());
  dims[0] = x[0];
  if (w.has_rank() && w[1].is_static()) {
    const auto channels = checked_mul(w[1].extent(), group);
    if (!channels) return malformed("input 1: ", w[1].extent(), " channels in ", group, " groups");
    dims[1] = *channels;
  }
  OCTET_TRY(check_bias(context, dims[1]));
  if (const auto kernel = known_kernel(context.node, w)) {
    OCTET_ASSIGN(const auto window, WindowAttributes::from_conv(context.node, *kernel));
    if (window.rank() + 2 != x.rank()) {
      return malformed("attribute kernel_shape: ", window.rank(), " numbers for a data rank of ",
                       x.rank());
    }
    for (size_t a = 0; a < window.rank(); ++a) {
      OCTET_ASSIGN(dims[a + 2], transposed_window_output(window, a, x[a + 2]));
    }
  }
  return one_fact(dtype, ir::Shape(std::move(dims)));
}

enum class Direction { kForward, kTransposed };

template <Direction kDirection, typename T>
Result<Tensors> convolve(const EvaluateContext& context, const ConvAttributes& conv) {
  OCTET_ASSIGN(ir::Tensor y, context.allocate(context.input(0).dtype(), conv.output_shape()));
  const auto x = context.input(0).data<T>();
  const auto w = context.input(1).data<T>();
  const auto bias = context.has_input(2) ? context.input(2).data<T>() : std::span<const T>();
  const auto out = y.mutable_data<T>();
  const auto load_x = [&](int64_t i) { return static_cast<double>(x[static_cast<size_t>(i)]); };
  const auto load_w = [&](int64_t i, int64_t) {
    return static_cast<double>(w[static_cast<size_t>(i)]);
  };
  const auto store = [&](int64_t i, int64_t channel, double sum) {
    if (!bias.empty()) sum += static_cast<double>(bias[static_cast<size_t>(channel)]);
    out[static_cast<size_t>(i)] = static_cast<T>(sum);
  };
  if constexpr (kDirection == Direction::kForward) {
    OCTET_TRY(reference_conv<double>(context, conv, load_x, load_w, store));
  } else {
    OCTET_TRY(reference_conv_transpose<double>(context, conv, load_x, load_w, store));
  }
  return one_tensor(std::move(y));
}

// ONNX Conv and ConvTranspose: sums in double, rounded once.
template <Direction kDirection>
Result<Tensors> evaluate_conv(const EvaluateContext& context) {
  const ir::Tensor& x = context.input(0);
  const ir::Tensor& w = context.input(1);
  OCTET_ASSIGN(const ConvAttributes conv,
               kDirection == Direction::kForward
                   ? ConvAttributes::from(context.node, x.shape(), w.shape())
                   : ConvAttributes::from_transposed(context.node, x.shape(), w.shape()));
  for (size_t i = 1; i < 3; ++i) {
    if (context.has_input(i) && context.input(i).dtype() != x.dtype()) {
      return malformed("input ", i, ": not of the type of input 0");
    }
  }
  if (context.has_input(2) && context.input(2).element_count() != conv.out_channels) {
    return malformed("input 2: ", context.input(2).element_count(), " numbers for ",
                     conv.out_channels, " output channels");
  }
  if (is_half(x.dtype())) return through_float32(context, evaluate_conv<kDirection>);
  if (x.dtype() == DType::kFloat32) return convolve<kDirection, float>(context, conv);
  if (x.dtype() == DType::kFloat64) return convolve<kDirection, double>(context, conv);
  return unsupported_dtype(context, x.dtype());
}

std::optional<int64_t> conv_channel_axis(const ir::Node&, size_t) { return 0; }

// With groups, the output channels of a transposed convolution are spread over both axes.
std::optional<int64_t> conv_transpose_channel_axis(const ir::Node& node, size_t) {
  if (ir::int_attribute(node, "group", 1) != 1) return std::nullopt;
  return 1;
}

}  // namespace

Result<ir::Shape> infer_conv_shape(const InferContext& context, size_t weight) {
  const ir::Shape& x = context.shape(0);
  const ir::Shape& w = context.shape(weight);
  OCTET_TRY(check_ranks(x, w));
  OCTET_TRY(check_conv_channels(
      ir::int_attribute(context.node, "group", 1), x.has_rank() ? extent_or_unknown(x[1]) : -1,
      w.has_rank() ? extent_or_unknown(w[1]) : -1, w.has_rank() ? extent_or_unknown(w[0]) : -1));
  const auto kernel = known_kernel(context.node, w);
  if (!x.has_rank() && !w.has_rank()) return ir::Shape();
  std::vector<ir::Dim> dims(x.has_rank() ? x.rank() : w.rank());
  if (x.has_rank()) dims[0] = x[0];
  if (w.has_rank()) dims[1] = w[0];
  if (kernel) {
    OCTET_ASSIGN(const auto window, WindowAttributes::from_conv(context.node, *kernel));
    if (window.rank() + 2 != dims.size()) {
      return malformed("attribute kernel_shape: ", window.rank(), " numbers for a data rank of ",
                       dims.size());
    }
    for (size_t a = 0; x.has_rank() && a < window.rank(); ++a) {
      OCTET_ASSIGN(dims[a + 2], window_output(window, a, x[a + 2]));
    }
  }
  return ir::Shape(std::move(dims));
}

OpSchema Conv_schema() {
  return {.name = "Conv",
          .roles = {Role::kData, Role::kWeight, Role::kBias},
          .required = 2,
          .max_inputs = 3,
          .behaviour = QuantBehaviour::kComputes,
          .weight_channel_axis = conv_channel_axis,
          .infer = infer_conv,
          .evaluate = evaluate_conv<Direction::kForward>};
}

OpSchema ConvTranspose_schema() {
  return {.name = "ConvTranspose",
          .roles = {Role::kData, Role::kWeight, Role::kBias},
          .required = 2,
          .max_inputs = 3,
          .behaviour = QuantBehaviour::kComputes,
          .weight_channel_axis = conv_transpose_channel_axis,
          .infer = infer_conv_transpose,
          .evaluate = evaluate_conv<Direction::kTransposed>};
}

}  // namespace octet::ops
