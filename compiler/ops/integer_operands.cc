#include "compiler/ops/integer_operands.h"

#include "compiler/numerics/dtype.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/quant_layout.h"

namespace octet::ops {
namespace {

template <typename T>
void subtract(const Tensor& x, const Tensor& zero_point, const std::vector<int64_t>& zero_shape,
              uint32_t* out) {
  const auto plan = make_broadcast_plan<2>(x.shape(), {x.shape(), zero_shape});
  const T* from = x.data<T>().data();
  const T* zeros = zero_point.data<T>().data();
  for_each_run(plan, [&](int64_t to, const std::array<int64_t, 2>& at) {
    for (int64_t i = 0; i < plan.run; ++i) {
      const int32_t zero = zeros[at[1] + i * plan.run_stride[1]];
      out[to + i] = static_cast<uint32_t>(from[at[0] + i * plan.run_stride[0]] - zero);
    }
  });
}

}  // namespace

Result<Scratch<uint32_t>> less_zero_point(const EvaluateContext& context, size_t operand,
                                          const Tensor* zero_point,
                                          std::vector<int64_t> zero_shape) {
  const Tensor& x = context.input(operand);
  const DType dtype = x.dtype();
  if (dtype != DType::kInt8 && dtype != DType::kUint8) return unsupported_dtype(context, dtype);
  Tensor zero;
  if (zero_point == nullptr) {
    OCTET_ASSIGN(zero, Tensor::zeros(dtype, {}));
    zero_point = &zero;
    zero_shape = {};
  }
  if (zero_point->dtype() != dtype) {
    return malformed("input ", operand, " is ", numerics::dtype_name(dtype), " and its zero point ",
                     numerics::dtype_name(zero_point->dtype()));
  }
  auto joined = broadcast_extents(x.shape(), zero_shape);
  if (!joined.ok() || *joined != x.shape()) {
    return malformed("input ", operand, ": zero points of shape ",
                     ir::Shape::of(zero_point->shape()).to_string(), " for data of shape ",
                     ir::Shape::of(x.shape()).to_string());
  }
  OCTET_ASSIGN(auto out, Scratch<uint32_t>::make(context, x.element_count()));
  if (dtype == DType::kInt8) {
    subtract<int8_t>(x, *zero_point, zero_shape, out.span().data());
  } else {
    subtract<uint8_t>(x, *zero_point, zero_shape, out.span().data());
  }
  return out;
}

Result<std::vector<float>> vector_scale(const EvaluateContext& context, size_t operand,
                                        int64_t count) {
  const Tensor& scale = context.input(operand);
  if (!numerics::is_floating_point(scale.dtype())) {
    return malformed("input ", operand, ": ", numerics::dtype_name(scale.dtype()), " scales");
  }
  if (scale.element_count() != 1 && scale.element_count() != count) {
    return malformed("input ", operand, ": ", scale.element_count(), " scales, must be ",
                     count == 1 ? "" : "1 or ", count);
  }
  return scale.to_floats();
}

Result<float> scalar_scale(const EvaluateContext& context, size_t operand) {
  OCTET_ASSIGN(const std::vector<float> scales, vector_scale(context, operand, 1));
  return scales.front();
}

Result<int32_t> scalar_zero_point(const EvaluateContext& context, size_t operand, DType dtype) {
  OCTET_TRY(require_dtype(context, operand, dtype));
  const Tensor& zero_point = context.input(operand);
  if (zero_point.element_count() != 1) {
    return malformed("input ", operand, ": ", zero_point.element_count(),
                     " zero points, must be 1");
  }
  return static_cast<int32_t>(zero_point.at_as_int64(0));
}

Result<ir::ValueFacts> quantized_output(const InferContext& context, ir::Shape shape, size_t scale,
                                        size_t zero_point) {
  ir::ValueFacts out = fact(context.type(zero_point).storage, std::move(shape));
  if (!context.has_input(scale)) return out;
  if (context.shape(scale).element_count() != 1) return out;
  OCTET_ASSIGN(out.type.quant, constant_quant_params(context, scale, zero_point, out.type.storage,
                                                     QuantLayout(), out.type.shape));
  return out;
}

Result<ir::ValueFacts> quantized_output(const InferContext& context, ir::Shape shape, size_t scale,
                                        size_t zero_point, size_t data) {
  if (context.has_input(zero_point)) {
    return quantized_output(context, std::move(shape), scale, zero_point);
  }
  return fact(context.type(data).storage, std::move(shape));
}

Result<QuantizedOperand> quantized_operand(const EvaluateContext& context, size_t tensor,
                                           size_t scale, size_t zero_point) {
  for (const size_t i : {tensor, scale}) {
    if (!context.has_input(i)) return malformed("input ", i, " is missing");
  }
  const Tensor& x = context.input(tensor);
  QuantizedOperand out;
  out.dtype = x.dtype();
  if (out.dtype == DType::kInt8) {
    const auto bytes = x.data<int8_t>();
    out.bytes = {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
  } else if (out.dtype == DType::kUint8) {
    out.bytes = x.data<uint8_t>();
  } else {
    return unsupported_dtype(context, out.dtype);
  }
  OCTET_ASSIGN(out.scale, scalar_scale(context, scale));
  if (context.has_input(zero_point)) {
    OCTET_ASSIGN(out.zero_point, scalar_zero_point(context, zero_point, out.dtype));
  }
  return out;
}

Result<OutputQuantization> output_quantization(const EvaluateContext& context, size_t scale,
                                               size_t zero_point, DType dtype) {
  if (!context.has_input(scale)) return malformed("input ", scale, " is missing");
  OutputQuantization out;
  out.dtype = context.has_input(zero_point) ? context.input(zero_point).dtype() : dtype;
  if (out.dtype != DType::kInt8 && out.dtype != DType::kUint8) {
    return unsupported_dtype(context, out.dtype);
  }
  OCTET_ASSIGN(out.scale, scalar_scale(context, scale));
  if (context.has_input(zero_point)) {
    OCTET_ASSIGN(out.range.zero_point, scalar_zero_point(context, zero_point, out.dtype));
  }
  const numerics::IntegerRange range = numerics::integer_range(out.dtype);
  out.range.qmin = static_cast<int32_t>(range.min);
  out.range.qmax = static_cast<int32_t>(range.max);
  return out;
}

}  // namespace octet::ops
