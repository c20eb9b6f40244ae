// QuantizeLinear and DequantizeLinear, versions 10 to 23:
//   y = saturate(round_half_even(x / scale) + zero_point)        x = (y - zero_point) * scale
// to and from integers of 2 to 32 bits, and float8 and float4 (no zero point there).
#include <algorithm>
#include <limits>

#include "compiler/numerics/dtype.h"
#include "compiler/numerics/quantize.h"
#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/quant_layout.h"

namespace octet::ops {
namespace {

using numerics::Overflow;

Result<DType> dtype_attribute(const ir::Node& node, std::string_view name) {
  const int64_t value = ir::int_attribute(node, name, 0);
  if (value == 0) return DType::kUndefined;
  if (value < 0 || value > std::numeric_limits<int32_t>::max() ||
      !numerics::is_known_dtype(static_cast<int32_t>(value))) {
    return malformed(name, " = ", value, " is no element type");
  }
  return static_cast<DType>(value);
}

// The type to quantize to: that of the zero point, else output_dtype (since 21), else uint8.
Result<DType> quantized_dtype(const ir::Node& node, int64_t opset,
                              std::optional<DType> zero_point) {
  OCTET_ASSIGN(const DType wanted,
               opset >= 21 ? dtype_attribute(node, "output_dtype") : DType::kUndefined);
  if (!zero_point) return wanted == DType::kUndefined ? DType::kUint8 : wanted;
  if (*zero_point == DType::kUndefined) return wanted;
  if (wanted != DType::kUndefined && wanted != *zero_point) {
    return malformed("output_dtype is ", numerics::dtype_name(wanted), " and input 2 is ",
                     numerics::dtype_name(*zero_point));
  }
  return *zero_point;
}

Status check_zero_points(const ir::Shape& scale, const ir::Shape& zero_point) {
  const auto scales = scale.element_count();
  const auto zero_points = zero_point.element_count();
  if (scales && zero_points && *scales != *zero_points) {
    return malformed("input 2: ", *zero_points, " zero points for ", *scales, " scales [Q3]");
  }
  return {};
}

// What both operators check of their operands.
Result<std::optional<QuantLayout>> checked_layout(const InferContext& context) {
  if (context.has_input(2)) OCTET_TRY(check_zero_points(context.shape(1), context.shape(2)));
  return quant_layout(context.node, context.opset(), context.shape(0), context.shape(1));
}

Result<Facts> infer_quantize(const InferContext& context) {
  OCTET_ASSIGN(const std::optional<QuantLayout> layout, checked_layout(context));
  std::optional<DType> zero_point;
  if (context.has_input(2)) zero_point = context.type(2).storage;
  OCTET_ASSIGN(const DType dtype, quantized_dtype(context.node, context.opset(), zero_point));
  Facts facts = one_fact(dtype, context.shape(0));
  if (layout) {
    OCTET_ASSIGN(facts[0].type.quant,
                 constant_quant_params(context, 1, 2, dtype, *layout, context.shape(0)));
  }
  return facts;
}

Result<Facts> infer_dequantize(const InferContext& context) {
  OCTET_TRY(checked_layout(context));
  OCTET_TRY(common_dtype(context, {0, 2}));
  OCTET_ASSIGN(DType dtype, context.opset() >= 23 ? dtype_attribute(context.node, "output_dtype")
                                                  : DType::kUndefined);
  if (dtype == DType::kUndefined) dtype = context.type(1).storage;
  return one_fact(dtype, context.shape(0));
}

// Scales and zero points of an evaluation.
struct Parameters {
  QuantLayout layout;
  std::vector<float> scales;
  std::vector<int32_t> zero_points;  // as many
};

Result<Parameters> read_parameters(const EvaluateContext& context) {
  const Tensor& scale = context.input(1);
  if (!numerics::is_floating_point(scale.dtype())) return unsupported_dtype(context, scale.dtype());
  const ir::Shape scale_shape = ir::Shape::of(scale.shape());
  OCTET_ASSIGN(const std::optional<QuantLayout> layout,
               quant_layout(context.node, context.opset, ir::Shape::of(context.input(0).shape()),
                            scale_shape));
  if (!layout) return internal_error("granularity of known shapes is not known");
  Parameters out{*layout, scale.to_floats(), {}};
  out.zero_points.assign(out.scales.size(), 0);
  if (!context.has_input(2)) return out;
  const Tensor& zero_point = context.input(2);
  OCTET_TRY(check_zero_points(scale_shape, ir::Shape::of(zero_point.shape())));
  for (size_t i = 0; i < out.zero_points.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    if (numerics::is_integer(zero_point.dtype())) {
      out.zero_points[i] = static_cast<int32_t>(zero_point.at_as_int64(at));
    } else if (zero_point.at_as_double(at) != 0.0) {
      return unsupported("input 2: a zero point other than 0 of type ",
                         numerics::dtype_name(zero_point.dtype()));
    }
  }
  return out;
}

// Quantizes `count` numbers with scales s[i * step] and zero points z[i * step].
template <typename Q>
void quantize_run(const float* x, const float* s, const int32_t* z, int64_t step, int64_t count,
                  numerics::IntegerRange range, Q* q) {
  const auto n = static_cast<size_t>(count);
  if constexpr (sizeof(Q) == 1) {
    if (step == 0 && range.min == std::numeric_limits<Q>::min() &&
        range.max == std::numeric_limits<Q>::max()) {
      numerics::quantize(std::span<const float>(x, n), *s, *z, std::span<Q>(q, n));
      return;
    }
  }
  for (int64_t i = 0; i < count; ++i) {
    q[i] = static_cast<Q>(numerics::quantize(x[i], s[i * step], z[i * step],
                                             static_cast<int32_t>(range.min),
                                             static_cast<int32_t>(range.max)));
  }
}

template <typename Q>
Result<Tensor> quantize_to(const EvaluateContext& context, const Tensor& x, const Parameters& p,
                           DType storage, numerics::IntegerRange range) {
  OCTET_ASSIGN(Tensor out, context.allocate(storage, x.shape()));
  const float* from = x.data<float>().data();
  Q* to = out.mutable_data<Q>().data();
  for_each_scale_run(p.layout, x.shape(), [&](int64_t at, int64_t count, int64_t s, int64_t step) {
    quantize_run<Q>(from + at, &p.scales[static_cast<size_t>(s)],
                    &p.zero_points[static_cast<size_t>(s)], step, count, range, to + at);
  });
  return out;
}

Result<Tensor> quantize_integers(const EvaluateContext& context, const Tensor& x,
                                 const Parameters& p, DType dtype) {
  const numerics::IntegerRange range = numerics::integer_range(dtype);
  switch (dtype) {
    case DType::kInt8:
      return quantize_to<int8_t>(context, x, p, dtype, range);
    case DType::kUint8:
      return quantize_to<uint8_t>(context, x, p, dtype, range);
    case DType::kInt16:
      return quantize_to<int16_t>(context, x, p, dtype, range);
    case DType::kUint16:
      return quantize_to<uint16_t>(context, x, p, dtype, range);
    default:
      break;
  }
  if (!is_packed_integer(dtype)) return unsupported_dtype(context, dtype);
  OCTET_ASSIGN(const Tensor bytes, numerics::is_signed_integer(dtype)
                                       ? quantize_to<int8_t>(context, x, p, DType::kInt8, range)
                                       : quantize_to<uint8_t>(context, x, p, DType::kUint8, range));
  return pack_integers(context, bytes, dtype);
}

Result<Tensor> quantize_tiny_floats(const EvaluateContext& context, const Tensor& x,
                                    const Parameters& p, DType dtype) {
  const bool saturate = ir::int_attribute(context.node, "saturate", 1) != 0;
  const Overflow overflow = saturate ? Overflow::kSaturate : Overflow::kNonFinite;
  OCTET_ASSIGN(Tensor out, context.allocate(dtype, x.shape()));
  const float* from = x.data<float>().data();
  uint8_t* to = out.mutable_data<uint8_t>().data();
  for_each_scale_run(p.layout, x.shape(), [&](int64_t at, int64_t count, int64_t s, int64_t step) {
    for (int64_t i = 0; i < count; ++i) {
      const float ratio = from[at + i] / p.scales[static_cast<size_t>(s + i * step)];
      set_tiny_float(to, at + i, ratio, dtype, overflow);
    }
  });
  return out;
}

float round_to(float x, DType dtype) {
  return dtype == DType::kFloat16 ? numerics::half_to_float(numerics::float_to_half(x))
                                  : numerics::bfloat16_to_float(numerics::float_to_bfloat16(x));
}

// The quotients x / scale in a 16-bit float type, with scales of 1 left to divide by.
Status divide_in_half(Tensor& x, Parameters& p, DType precision) {
  float* values = x.mutable_data<float>().data();
  for_each_scale_run(p.layout, x.shape(), [&](int64_t at, int64_t count, int64_t s, int64_t step) {
    for (int64_t i = 0; i < count; ++i) {
      const float scale = round_to(p.scales[static_cast<size_t>(s + i * step)], precision);
      values[at + i] = round_to(round_to(values[at + i], precision) / scale, precision);
    }
  });
  std::fill(p.scales.begin(), p.scales.end(), 1.0F);
  return {};
}

// The data as float32, in memory of its own when `own`.
enum class Copy { kMayShare, kOwn };
Result<Tensor> float_data(const EvaluateContext& context, Copy copy) {
  const Tensor& x = context.input(0);
  if (x.dtype() != DType::kInt32 && x.dtype() != DType::kFloat32) return to_float32(context, x);
  if (x.dtype() == DType::kFloat32 && copy == Copy::kMayShare) return x;
  OCTET_ASSIGN(Tensor out, context.allocate(DType::kFloat32, x.shape()));
  float* to = out.mutable_data<float>().data();
  if (x.dtype() == DType::kInt32) {
    map_elements(x.data<int32_t>().data(), to, x.element_count(),
                 [](int32_t v) { return static_cast<float>(v); });
  } else {
    std::copy(x.data<float>().begin(), x.data<float>().end(), to);
  }
  return out;
}

// The type in which x is divided by the scale: `precision` (since 23), else the scale's.
Result<DType> division_dtype(const EvaluateContext& context) {
  OCTET_ASSIGN(const DType precision, context.opset >= 23
                                          ? dtype_attribute(context.node, "precision")
                                          : DType::kUndefined);
  return precision == DType::kUndefined ? context.input(1).dtype() : precision;
}

Result<Tensors> evaluate_quantize(const EvaluateContext& context) {
  std::optional<DType> zero_point;
  if (context.has_input(2)) zero_point = context.input(2).dtype();
  OCTET_ASSIGN(const DType dtype, quantized_dtype(context.node, context.opset, zero_point));
  OCTET_ASSIGN(Parameters parameters, read_parameters(context));
  OCTET_ASSIGN(const DType division, division_dtype(context));
  const bool in_half = is_half(division);
  OCTET_ASSIGN(Tensor x, float_data(context, in_half ? Copy::kOwn : Copy::kMayShare));
  if (in_half) OCTET_TRY(divide_in_half(x, parameters, division));
  OCTET_ASSIGN(Tensor out, is_tiny_float(dtype)
                               ? quantize_tiny_floats(context, x, parameters, dtype)
                               : quantize_integers(context, x, parameters, dtype));
  if (context.budget != nullptr && x.bytes().data() != context.input(0).bytes().data()) {
    context.budget->release(static_cast<int64_t>(x.bytes().size()));
  }
  return one_tensor(std::move(out));
}

template <typename Q>
void dequantize_run(const Q* q, const float* s, const int32_t* z, int64_t step, int64_t count,
                    float* x) {
  const auto n = static_cast<size_t>(count);
  if constexpr (sizeof(Q) == 1) {
    if (step == 0) {
      numerics::dequantize(std::span<const Q>(q, n), *s, *z, std::span<float>(x, n));
      return;
    }
  }
  for (int64_t i = 0; i < count; ++i) {  // the difference of 32-bit numbers may need 33 bits
    x[i] = static_cast<float>(static_cast<int64_t>(q[i]) - z[i * step]) * s[i * step];
  }
}

template <typename Q>
Result<Tensor> dequantize_from(const EvaluateContext& context, const Tensor& q,
                               const Parameters& p) {
  OCTET_ASSIGN(Tensor out, context.allocate(DType::kFloat32, q.shape()));
  const Q* from = q.data<Q>().data();
  float* to = out.mutable_data<float>().data();
  for_each_scale_run(p.layout, q.shape(), [&](int64_t at, int64_t count, int64_t s, int64_t step) {
    dequantize_run<Q>(from + at, &p.scales[static_cast<size_t>(s)],
                      &p.zero_points[static_cast<size_t>(s)], step, count, to + at);
  });
  return out;
}

Result<Tensor> dequantize_tiny_floats(const EvaluateContext& context, const Tensor& q,
                                      const Parameters& p) {
  OCTET_ASSIGN(Tensor out, widen_tiny_floats(context, q));
  float* to = out.mutable_data<float>().data();
  for_each_scale_run(p.layout, q.shape(), [&](int64_t at, int64_t count, int64_t s, int64_t step) {
    for (int64_t i = 0; i < count; ++i) to[at + i] *= p.scales[static_cast<size_t>(s + i * step)];
  });
  return out;
}

Result<Tensor> dequantize(const EvaluateContext& context, const Tensor& q, const Parameters& p) {
  switch (q.dtype()) {
    case DType::kInt8:
      return dequantize_from<int8_t>(context, q, p);
    case DType::kUint8:
      return dequantize_from<uint8_t>(context, q, p);
    case DType::kInt16:
      return dequantize_from<int16_t>(context, q, p);
    case DType::kUint16:
      return dequantize_from<uint16_t>(context, q, p);
    case DType::kInt32:
      return dequantize_from<int32_t>(context, q, p);
    default:
      break;
  }
  if (is_tiny_float(q.dtype())) return dequantize_tiny_floats(context, q, p);
  if (!is_packed_integer(q.dtype())) return unsupported_dtype(context, q.dtype());
  OCTET_ASSIGN(const Tensor bytes, unpack_integers(context, q));
  return bytes.dtype() == DType::kInt8 ? dequantize_from<int8_t>(context, bytes, p)
                                       : dequantize_from<uint8_t>(context, bytes, p);
}

Result<Tensors> evaluate_dequantize(const EvaluateContext& context) {
  if (context.has_input(2)) OCTET_TRY(require_dtype(context, 2, context.input(0).dtype()));
  OCTET_ASSIGN(const Parameters parameters, read_parameters(context));
  OCTET_ASSIGN(DType dtype, context.opset >= 23 ? dtype_attribute(context.node, "output_dtype")
                                                : DType::kUndefined);
  if (dtype == DType::kUndefined) dtype = context.input(1).dtype();
  OCTET_ASSIGN(Tensor out, dequantize(context, context.input(0), parameters));
  if (dtype == DType::kFloat32) return one_tensor(std::move(out));
  if (!is_half(dtype)) return unsupported_dtype(context, dtype);
  OCTET_ASSIGN(Tensor narrow, to_half(context, out, dtype));
  if (context.budget != nullptr) {
    context.budget->release(static_cast<int64_t>(out.bytes().size()));
  }
  return one_tensor(std::move(narrow));
}

OpSchema quantizer(std::string_view name, InferFunction infer, EvaluateFunction evaluate) {
  OpSchema schema;
  schema.name = name;
  schema.since = 10;
  schema.roles = {Role::kData, Role::kParameter, Role::kParameter};
  schema.required = 2;
  schema.max_inputs = 3;
  schema.infer = infer;
  schema.evaluate = evaluate;
  return schema;
}

}  // namespace

OpSchema QuantizeLinear_schema() {
  return quantizer("QuantizeLinear", infer_quantize, evaluate_quantize);
}
OpSchema DequantizeLinear_schema() {
  return quantizer("DequantizeLinear", infer_dequantize, evaluate_dequantize);
}

}  // namespace octet::ops
