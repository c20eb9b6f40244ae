// ConvInteger and QLinearConv (version 10). Padding stands for the zero point of x, that is for a
// real 0. Sums wrap around at 32 bits.
#include "compiler/numerics/fixed_point.h"
#include "compiler/numerics/quantize.h"
#include "compiler/ops/conv.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/integer_operands.h"

namespace octet::ops {
namespace {

// Zero points of a weight: one, or one per output channel (axis 0).
std::vector<int64_t> weight_zero_shape(const Tensor& weight, const Tensor* zero_point) {
  if (zero_point == nullptr || zero_point->element_count() == 1) return {};
  std::vector<int64_t> shape(weight.rank(), 1);
  if (!shape.empty()) shape[0] = zero_point->element_count();
  return shape;
}

// What saturating pairs change in the sums of a convolution, element by element: the order of a sum
// is that of device_arithmetic.h.
class ConvPairErrors {
 public:
  ConvPairErrors(const ConvAttributes& conv, const Tensor& x, int32_t x_zero, const Tensor& w)
      : conv_(conv),
        x_(x.data<uint8_t>().data()),
        w_(w.data<int8_t>().data()),
        x_zero_(x_zero),
        out_extents_(internal::spatial(conv, &WindowAxis::output)),
        kernel_extents_(internal::spatial(conv, &WindowAxis::kernel)),
        in_plane_(internal::product(internal::spatial(conv, &WindowAxis::input))),
        out_plane_(internal::product(out_extents_)),
        taps_(internal::product(kernel_extents_)),
        in_per_group_(conv.in_channels / conv.group),
        out_per_group_(conv.out_channels / conv.group) {}

  static bool is_depthwise(const ConvAttributes& conv) {
    return conv.group > 1 && conv.group == conv.in_channels && conv.group == conv.out_channels;
  }

  uint32_t at(int64_t index) const {
    const int64_t m = index / out_plane_ % conv_.out_channels;
    const int64_t n = index / out_plane_ / conv_.out_channels;
    const int64_t channel = n * conv_.in_channels + m / out_per_group_ * in_per_group_;
    const int64_t position = index % out_plane_;
    return pair_errors(
        taps_ * in_per_group_,
        [&](int64_t k) {
          const int64_t offset = input_offset(position, k / in_per_group_);
          if (offset < 0) return x_zero_;
          return int32_t{x_[(channel + k % in_per_group_) * in_plane_ + offset]};
        },
        [&](int64_t k) {
          return int32_t{w_[(m * in_per_group_ + k % in_per_group_) * taps_ + k / in_per_group_]};
        });
  }

 private:
  // Of the element under a tap, within its plane; -1 in the padding.
  int64_t input_offset(int64_t position, int64_t tap) const {
    int64_t offset = 0;
    int64_t stride = 1;
    for (size_t a = conv_.axes.size(); a-- > 0;) {
      const WindowAxis& axis = conv_.axes[a];
      const int64_t at = position % out_extents_[a] * axis.stride - axis.pad_begin +
                         tap % kernel_extents_[a] * axis.dilation;
      if (at < 0 || at >= axis.input) return -1;
      offset += at * stride;
      stride *= axis.input;
      position /= out_extents_[a];
      tap /= kernel_extents_[a];
    }
    return offset;
  }

  const ConvAttributes& conv_;
  const uint8_t* x_;
  const int8_t* w_;
  int32_t x_zero_;
  std::vector<int64_t> out_extents_;
  std::vector<int64_t> kernel_extents_;
  int64_t in_plane_;
  int64_t out_plane_;
  int64_t taps_;
  int64_t in_per_group_;
  int64_t out_per_group_;
};

// Sums of products; store(index, output channel, sum).
template <typename Store>
Status convolve(const EvaluateContext& context, const ConvAttributes& conv, size_t weight,
                const Tensor* x_zero, const Tensor* w_zero, Store&& store) {
  if (x_zero != nullptr && x_zero->element_count() != 1) {
    return malformed(x_zero->element_count(), " zero points of input 0, must be 1");
  }
  OCTET_ASSIGN(auto x, less_zero_point(context, 0, x_zero, {}));
  OCTET_ASSIGN(auto w, less_zero_point(context, weight, w_zero,
                                       weight_zero_shape(context.input(weight), w_zero)));
  const uint32_t* px = x.span().data();
  const uint32_t* pw = w.span().data();
  if (saturates_pairs(context, context.input(0), context.input(weight)) &&
      internal::has_products(conv) && !ConvPairErrors::is_depthwise(conv)) {
    const auto zero = static_cast<int32_t>(x_zero == nullptr ? 0 : x_zero->at_as_int64(0));
    const ConvPairErrors errors(conv, context.input(0), zero, context.input(weight));
    return reference_conv<uint32_t>(
        context, conv, [px](int64_t i) { return px[i]; },
        [pw](int64_t i, int64_t) { return pw[i]; },
        [&](int64_t i, int64_t channel, uint32_t sum) {
          store(i, channel, static_cast<int32_t>(sum + errors.at(i)));
        });
  }
  return reference_conv<uint32_t>(
      context, conv, [px](int64_t i) { return px[i]; }, [pw](int64_t i, int64_t) { return pw[i]; },
      [&store](int64_t i, int64_t channel, uint32_t sum) {
        store(i, channel, static_cast<int32_t>(sum));
      });
}

const Tensor* optional_input(const EvaluateContext& context, size_t i) {
  return context.has_input(i) ? &context.input(i) : nullptr;
}

Result<Tensors> evaluate_conv_integer(const EvaluateContext& context) {
  OCTET_ASSIGN(
      const ConvAttributes conv,
      ConvAttributes::from(context.node, context.input(0).shape(), context.input(1).shape()));
  OCTET_ASSIGN(Tensor out, context.allocate(DType::kInt32, conv.output_shape()));
  int32_t* to = out.mutable_data<int32_t>().data();
  OCTET_TRY(convolve(context, conv, 1, optional_input(context, 2), optional_input(context, 3),
                     [to](int64_t i, int64_t, int32_t sum) { to[i] = sum; }));
  return one_tensor(std::move(out));
}

Result<Facts> infer_conv_integer(const InferContext& context) {
  OCTET_ASSIGN(ir::Shape shape, infer_conv_shape(context, 1));
  return one_fact(DType::kInt32, std::move(shape));
}

// Operand positions of QLinearConv.
enum Operand : size_t { kXScale = 1, kXZero, kWeight, kWScale, kWZero, kYScale, kYZero, kBias };

Result<Facts> infer_qlinear_conv(const InferContext& context) {
  OCTET_ASSIGN(ir::Shape shape, infer_conv_shape(context, kWeight));
  const ir::Shape& w = context.shape(kWeight);
  const ir::Shape& scale = context.shape(kWScale);
  const auto scales = scale.element_count();
  if (scales && *scales != 1 && w.has_rank() && w.rank() > 0 && w[0].is_static() &&
      w[0].extent() != *scales) {
    return malformed("input 4: ", *scales, " scales for an axis of extent ", w[0].extent(),
                     " [Q4]");
  }
  OCTET_ASSIGN(ir::ValueFacts out, quantized_output(context, std::move(shape), kYScale, kYZero));
  return Facts{std::move(out)};
}

// How accumulators become outputs.
struct Requantization {
  std::vector<float> multipliers;                     // one, or one per output channel
  std::vector<numerics::FixedPointMultiplier> fixed;  // in their place on devices that have these
  std::vector<int32_t> bias;                          // none, or one per output channel
  numerics::QuantizedRange range;

  int32_t operator()(int64_t channel, int32_t sum) const {
    const auto c = static_cast<size_t>(channel);
    if (!bias.empty()) sum = wrapping_add(sum, bias[c]);
    if (!fixed.empty()) {
      return numerics::requantize(sum, fixed[fixed.size() == 1 ? 0 : c], range);
    }
    return numerics::requantize(sum, multipliers[multipliers.size() == 1 ? 0 : c], range.zero_point,
                                range.qmin, range.qmax);
  }
};

Result<Requantization> read_requantization(const EvaluateContext& context, int64_t channels) {
  Requantization out;
  OCTET_ASSIGN(const float x_scale, scalar_scale(context, kXScale));
  OCTET_ASSIGN(const float y_scale, scalar_scale(context, kYScale));
  OCTET_ASSIGN(out.multipliers, vector_scale(context, kWScale, channels));
  for (float& m : out.multipliers) {
    if (context.device.is_fixed_point()) {
      out.fixed.emplace_back(fixed_point_factor(x_scale, m, y_scale));
    }
    m = output_multiplier(x_scale, m, y_scale);
  }
  const DType dtype = context.input(kYZero).dtype();
  if (dtype != DType::kInt8 && dtype != DType::kUint8) return unsupported_dtype(context, dtype);
  const numerics::IntegerRange range = numerics::integer_range(dtype);
  OCTET_ASSIGN(out.range.zero_point, scalar_zero_point(context, kYZero, dtype));
  out.range.qmin = static_cast<int32_t>(range.min);
  out.range.qmax = static_cast<int32_t>(range.max);
  if (context.has_input(kBias)) {
    OCTET_TRY(require_dtype(context, kBias, DType::kInt32));
    const auto bias = context.input(kBias).data<int32_t>();
    if (static_cast<int64_t>(bias.size()) != channels) {
      return malformed("input 8: ", bias.size(), " numbers for ", channels, " output channels");
    }
    out.bias.assign(bias.begin(), bias.end());
  }
  return out;
}

Result<Tensors> evaluate_qlinear_conv(const EvaluateContext& context) {
  OCTET_ASSIGN(
      const ConvAttributes conv,
      ConvAttributes::from(context.node, context.input(0).shape(), context.input(kWeight).shape()));
  OCTET_ASSIGN(const Requantization requantization,
               read_requantization(context, conv.out_channels));
  OCTET_ASSIGN(Tensor out, context.allocate(context.input(kYZero).dtype(), conv.output_shape()));
  uint8_t* to = out.mutable_data<uint8_t>().data();  // int8 by its bits
  OCTET_TRY(convolve(context, conv, kWeight, &context.input(kXZero), &context.input(kWZero),
                     [&](int64_t i, int64_t channel, int32_t sum) {
                       to[i] = static_cast<uint8_t>(requantization(channel, sum));
                     }));
  return one_tensor(std::move(out));
}

std::optional<int64_t> output_channels_first(const ir::Node&, size_t) { return 0; }

}  // namespace

OpSchema ConvInteger_schema() {
  OpSchema schema;
  schema.name = "ConvInteger";
  schema.since = 10;
  schema.roles = {Role::kData, Role::kWeight, Role::kParameter, Role::kParameter};
  schema.required = 2;
  schema.max_inputs = 4;
  schema.weight_channel_axis = output_channels_first;
  schema.infer = infer_conv_integer;
  schema.evaluate = evaluate_conv_integer;
  return schema;
}

OpSchema QLinearConv_schema() {
  OpSchema schema;
  schema.name = "QLinearConv";
  schema.since = 10;
  schema.roles = {Role::kData,      Role::kParameter, Role::kParameter,
                  Role::kWeight,    Role::kParameter, Role::kParameter,
                  Role::kParameter, Role::kParameter, Role::kBias};
  schema.required = 8;
  schema.max_inputs = 9;
  schema.weight_channel_axis = output_channels_first;
  schema.infer = infer_qlinear_conv;
  schema.evaluate = evaluate_qlinear_conv;
  return schema;
}

}  // namespace octet::ops
