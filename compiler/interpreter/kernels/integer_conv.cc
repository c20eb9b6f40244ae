// QLinearConv on oneDNN's int8 convolutions, channels last.
#include <algorithm>

#include "compiler/interpreter/kernels/conv_shapes.h"
#include "compiler/interpreter/kernels/integer_linear.h"
#include "compiler/ops/broadcast.h"
#include "compiler/ops/integer_operands.h"

namespace octet::interpreter {
namespace {

using ops::ConvAttributes;
using Type = dnnl::memory::data_type;

enum : size_t { kX = 0, kXScale, kXZero, kWeight, kWScale, kWZero, kYScale, kYZero, kBias };

bool fits(const KernelRequest& request) {
  const size_t rank = request.input(kX).shape.size();
  return rank >= 3 && rank <= 5 && is_byte(request.input(kX).dtype) &&
         request.input(kWeight).dtype == ir::DType::kInt8 &&
         request.input(kWeight).constant != nullptr && is_zero(request, kWZero);
}

// oneDNN 2.6 gives wrong sums for some pointwise convolutions in groups of few output channels (8
// in, 1 or 2 out per group, 8 in all).
bool is_miscomputed(const std::vector<int64_t>& weight, int64_t group) {
  const bool pointwise =
      std::all_of(weight.begin() + 2, weight.end(), [](int64_t extent) { return extent == 1; });
  return group > 1 && pointwise && weight[1] > 1 && weight[0] / group < 4;
}

bool is_padded(const ConvAttributes& conv) {
  return std::any_of(conv.axes.begin(), conv.axes.end(), [](const ops::WindowAxis& axis) {
    const int64_t reach = (axis.output - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
    return axis.pad_begin > 0 || reach - axis.pad_begin > axis.input;
  });
}

std::optional<IntegerLinearOutput> linear_output(const KernelRequest& request, float x_scale,
                                                 int64_t channels) {
  const auto y = output_range(request, kYScale, kYZero);
  auto multipliers = scales_of(request, kWScale, channels);
  auto bias = integer_bias(request, kBias, channels);
  if (!y || !multipliers || !bias) return std::nullopt;
  IntegerLinearOutput out{{}, std::move(*bias), y->range};
  for (float& m : *multipliers) {
    if (request.device.is_fixed_point()) {
      out.fixed.emplace_back(ops::fixed_point_factor(x_scale, m, y->scale));
    }
    m = ops::output_multiplier(x_scale, m, y->scale);
  }
  out.multipliers = std::move(*multipliers);
  return out;
}

}  // namespace

Result<KernelPtr> make_integer_conv(const KernelRequest& request) {
  if (!fits(request)) return KernelPtr();
  const Operand& x = request.input(kX);
  const Operand& y = request.outputs[0];
  OCTET_ASSIGN(const ConvAttributes conv,
               ConvAttributes::from(request.node, x.shape, request.input(kWeight).shape));
  const int64_t group = ir::int_attribute(request.node, "group", 1);
  if (is_miscomputed(request.input(kWeight).shape, group)) return KernelPtr();
  auto given = scale_and_zero(request, kXScale, kXZero);
  if (!given) return KernelPtr();
  auto output = linear_output(request, given->scale, conv.out_channels);
  if (!output) return KernelPtr();
  const ir::Tensor& weight = *request.input(kWeight).constant;
  if (request.device.saturates_pairs() && x.dtype == ir::DType::kUint8) {
    output->pair_errors =
        PairErrors::of_conv(weight, conv, static_cast<uint8_t>(given->zero_point));
  }
  const auto products = is_padded(conv)
                            ? exact_products(weight, 0, x.dtype, given->zero_point, *output)
                            : fold_zero_point(weight, 0, x.dtype, given->zero_point, *output);
  if (!products) return KernelPtr();
  const ProductTypes types = product_types(*products, x.dtype, y.dtype);
  IntegerLinearParts parts;
  parts.products = *products;
  parts.source_zero_point = given->zero_point;
  parts.threads = request.threads;
  parts.src_layout = integer_layout(x.shape);
  parts.dst_layout = integer_layout(y.shape);
  const onednn::Dims dims = conv_weight_dims(conv);
  parts.weights_as_stored = onednn::Desc(dims, Type::s8, ops::row_major_strides(dims));
  onednn::LinearDescs descs;
  descs.src = channel_blocked_desc(x.shape, x.shape[1], types.src);
  descs.weights = onednn::Desc(dims, types.weights, dnnl::memory::format_tag::any);
  descs.bias = parts.bias = product_bias(*products, *output, 1);
  descs.dst = channel_blocked_desc(y.shape, y.shape[1], types.dst);
  const ThreadCount count(request.threads);  // exact sums are the same for any number
  OCTET_ASSIGN(const auto desc, onednn::described([&] {
                 return onednn::make_convolution(
                     request.engine, descs, conv_window_spec(conv),
                     integer_attributes(*products, given->zero_point, *output));
               }));
  if (!desc || is_slow(*desc)) return KernelPtr();
  OCTET_ASSIGN(parts.primitive, onednn::guarded([&]() -> dnnl::primitive {
                 return dnnl::convolution_forward(*desc);
               }));
  parts.src = desc->src_desc();
  parts.weights = desc->weights_desc();
  parts.dst = desc->dst_desc();
  parts.scratch = desc->scratchpad_desc();
  return make_integer_linear(request, {kX, kWeight, kBias}, std::move(parts), std::move(*output));
}

}  // namespace octet::interpreter
