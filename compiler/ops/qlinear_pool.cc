// QLinearAveragePool and QLinearGlobalAveragePool of com.microsoft. Channels come second;
// channels_last is refused.
#include "compiler/numerics/fixed_point.h"
#include "compiler/numerics/quantize.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/integer_operands.h"
#include "compiler/ops/pool_windows.h"

namespace octet::ops {
namespace {

enum Operand : size_t { kX = 0, kXScale, kXZero, kYScale, kYZero };

// The pool of real numbers that this one stands for.
ir::Node float_node(const ir::Node& node, std::string_view op_type) {
  ir::Node out = node;
  out.domain.clear();
  out.op_type = op_type;
  out.inputs.resize(1);
  return out;
}

Status require_channels_second(const ir::Node& node) {
  if (ir::int_attribute(node, "channels_last", 0) == 0) return {};
  return unsupported("channels_last is 1: export the model with channels second");
}

Result<Facts> infer_as(const InferContext& context, std::string_view op_type) {
  if (ir::int_attribute(context.node, "channels_last", 0) != 0) return unknown_facts(context);
  const ir::Node node = float_node(context.node, op_type);
  OCTET_ASSIGN(Facts pooled, find_schema(node)->infer({node, context.value, context.model}));
  OCTET_ASSIGN(ir::ValueFacts out,
               quantized_output(context, pooled[0].type.shape, kYScale, kYZero, kX));
  return Facts{std::move(out)};
}

Result<Facts> infer_average(const InferContext& context) {
  return infer_as(context, "AveragePool");
}
Result<Facts> infer_global(const InferContext& context) {
  return infer_as(context, "GlobalAveragePool");
}

// For the sum of `count` elements, on devices with fixed-point multipliers.
numerics::FixedPointMultiplier mean_multiplier(const QuantizedOperand& x,
                                               const OutputQuantization& y, int64_t count) {
  return numerics::FixedPointMultiplier(
      static_cast<double>(x.scale) / (static_cast<double>(y.scale) * static_cast<double>(count)));
}

// Windows of integers less the zero point, each requantized by what it counts.
class FixedPointMeans {
 public:
  FixedPointMeans(const QuantizedOperand& x, const OutputQuantization& y, bool count_padding,
                  uint8_t* to)
      : x_(x), y_(y), count_padding_(count_padding), to_(to) {}

  void begin() { sum_ = count_ = 0; }
  void add(int32_t value, int64_t) {
    sum_ += static_cast<uint32_t>(value - x_.zero_point);
    ++count_;
  }
  void end(int64_t offset, int64_t counted) {
    const int64_t divisor = std::max<int64_t>(1, count_padding_ ? counted : count_);
    to_[offset] = static_cast<uint8_t>(numerics::requantize(
        static_cast<int32_t>(sum_), mean_multiplier(x_, y_, divisor), y_.range));
  }
  void next_plane(int64_t elements) { to_ += elements; }

 private:
  const QuantizedOperand& x_;
  const OutputQuantization& y_;
  bool count_padding_;
  uint8_t* to_;
  uint32_t sum_ = 0;
  int64_t count_ = 0;
};

template <typename T>
void average_windows(const PoolAttributes& pool, const Tensor& x, int64_t out_plane,
                     FixedPointMeans& means) {
  const Windows windows(pool);
  const T* plane = x.data<T>().data();
  const int64_t planes = x.shape()[0] * x.shape()[1];
  const int64_t in_plane = planes == 0 ? 0 : x.element_count() / planes;
  for (int64_t p = 0; p < planes; ++p) {
    windows.visit(plane + p * in_plane, means);
    means.next_plane(out_plane);
  }
}

Result<Tensors> average_fixed_point(const EvaluateContext& context, const QuantizedOperand& x,
                                    const OutputQuantization& y) {
  const Tensor& tensor = context.input(kX);
  const ir::Node node = float_node(context.node, "AveragePool");
  OCTET_ASSIGN(const PoolAttributes pool, PoolAttributes::from(node, tensor.shape()));
  OCTET_ASSIGN(Tensor out, context.allocate(y.dtype, pool.output_shape()));
  if (out.element_count() == 0) return one_tensor(std::move(out));
  FixedPointMeans means(x, y, pool.padding == PoolAttributes::Padding::kCounted,
                        out.mutable_data<uint8_t>().data());
  const int64_t out_plane = plane_size(pool, &WindowAxis::output);
  if (x.dtype == DType::kInt8) {
    average_windows<int8_t>(pool, tensor, out_plane, means);
  } else {
    average_windows<uint8_t>(pool, tensor, out_plane, means);
  }
  return one_tensor(std::move(out));
}

// mean(x) / y_scale + y_zero, the zero point inside the rounding.
Result<Tensors> evaluate_average(const EvaluateContext& context) {
  OCTET_TRY(require_channels_second(context.node));
  OCTET_ASSIGN(const QuantizedOperand x, quantized_operand(context, kX, kXScale, kXZero));
  OCTET_ASSIGN(const OutputQuantization y, output_quantization(context, kYScale, kYZero, x.dtype));
  if (context.device.is_fixed_point()) return average_fixed_point(context, x, y);
  OCTET_ASSIGN(Tensor real, context.allocate(DType::kFloat32, context.input(kX).shape()));
  ChargedBytes charged(context.budget);
  charged.adopt(real);
  float* values = real.mutable_data<float>().data();
  for (int64_t i = 0; i < real.element_count(); ++i) {
    values[i] = numerics::dequantize(x[i], x.scale, x.zero_point);
  }
  const ir::Node node = float_node(context.node, "AveragePool");
  const std::array<const Tensor*, 1> operands = {&real};
  OCTET_ASSIGN(const Tensors means,
               find_schema(node)->evaluate({node, context.opset, operands, context.budget}));
  charged.adopt(means[0]);
  OCTET_ASSIGN(Tensor out, context.allocate(y.dtype, means[0].shape()));
  const auto zero = static_cast<float>(y.range.zero_point);
  const auto from = means[0].data<float>();
  uint8_t* to = out.mutable_data<uint8_t>().data();
  for (size_t i = 0; i < from.size(); ++i) {
    to[i] = static_cast<uint8_t>(numerics::round_saturated(from[i] / y.scale + zero, y.range));
  }
  return one_tensor(std::move(out));
}

// (sum - x_zero * size) times x_scale / (y_scale * size), requantized.
Result<Tensors> evaluate_global(const EvaluateContext& context) {
  OCTET_TRY(require_channels_second(context.node));
  OCTET_ASSIGN(const QuantizedOperand x, quantized_operand(context, kX, kXScale, kXZero));
  OCTET_ASSIGN(const OutputQuantization y, output_quantization(context, kYScale, kYZero, x.dtype));
  std::vector<int64_t> shape = context.input(kX).shape();
  if (shape.size() < 2) return malformed("input 0: rank ", shape.size(), "; at least 2 is needed");
  std::fill(shape.begin() + 2, shape.end(), 1);
  OCTET_ASSIGN(Tensor out, context.allocate(y.dtype, shape));
  if (out.element_count() == 0) return one_tensor(std::move(out));
  const int64_t size = context.input(kX).element_count() / out.element_count();
  if (size == 0) return malformed("input 0: no elements to average");
  const float multiplier = x.scale / (y.scale * static_cast<float>(size));
  const numerics::FixedPointMultiplier fixed = mean_multiplier(x, y, size);
  uint8_t* to = out.mutable_data<uint8_t>().data();
  for (int64_t plane = 0; plane < out.element_count(); ++plane) {
    uint32_t sum = 0;
    for (int64_t i = 0; i < size; ++i) {
      sum += static_cast<uint32_t>(x[plane * size + i] - x.zero_point);
    }
    const auto total = static_cast<int32_t>(sum);
    to[plane] =
        static_cast<uint8_t>(context.device.is_fixed_point()
                                 ? numerics::requantize(total, fixed, y.range)
                                 : numerics::requantize(total, multiplier, y.range.zero_point,
                                                        y.range.qmin, y.range.qmax));
  }
  return one_tensor(std::move(out));
}

OpSchema schema_of(std::string_view name, InferFunction infer, EvaluateFunction evaluate) {
  OpSchema schema;
  schema.name = name;
  schema.domain = "com.microsoft";
  schema.roles = {Role::kData, Role::kParameter};
  schema.required = 2;
  schema.max_inputs = 5;
  schema.infer = infer;
  schema.evaluate = evaluate;
  return schema;
}

}  // namespace

OpSchema QLinearAveragePool_schema() {
  return schema_of("QLinearAveragePool", infer_average, evaluate_average);
}
OpSchema QLinearGlobalAveragePool_schema() {
  return schema_of("QLinearGlobalAveragePool", infer_global, evaluate_global);
}

}  // namespace octet::ops
