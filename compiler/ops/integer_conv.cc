// ConvInteger and QLinearConv (version 10). Padding stands for the zero point of x, that is for a
// real 0. Sums wrap around at 32 bits.
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
  std::vector<float> multipliers;  // one, or one per output channel
  std::vector<int32_t> bias;       // none, or one per output channel
  int32_t zero_point = 0;
  numerics::IntegerRange range;

  int32_t operator()(int64_t channel, int32_t sum) const {
    const auto c = static_cast<size_t>(channel);
    if (!bias.empty()) sum = wrapping_add(sum, bias[c]);
    return numerics::requantize(sum, multipliers[multipliers.size() == 1 ? 0 : c], zero_point,
                                static_cast<int32_t>(range.min), static_cast<int32_t>(range.max));
  }
};

Result<Requantization> read_requantization(const EvaluateContext& context, int64_t channels) {
  Requantization out;
  OCTET_ASSIGN(const float x_scale, scalar_scale(context, kXScale));
  OCTET_ASSIGN(const float y_scale, scalar_scale(context, kYScale));
  OCTET_ASSIGN(out.multipliers, vector_scale(context, kWScale, channels));
  for (float& m : out.multipliers) m = output_multiplier(x_scale, m, y_scale);
  const DType dtype = context.input(kYZero).dtype();
  if (dtype != DType::kInt8 && dtype != DType::kUint8) return unsupported_dtype(context, dtype);
  out.range = numerics::integer_range(dtype);
  OCTET_ASSIGN(out.zero_point, scalar_zero_point(context, kYZero, dtype));
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
