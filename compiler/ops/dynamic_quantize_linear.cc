// DynamicQuantizeLinear (version 11): uint8 over the range of the tensor at hand, widened to hold
// 0.
#include <algorithm>
#include <cmath>

#include "compiler/numerics/quantize.h"
#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

Result<Facts> infer_dynamic_quantize(const InferContext& context) {
  const ir::Shape scalar{std::vector<ir::Dim>()};
  return Facts{fact(DType::kUint8, context.shape(0)), fact(DType::kFloat32, scalar),
               fact(DType::kUint8, scalar)};
}

// scale = (hi - lo) / 255, zero point = round_half_even(clip(0 - lo / scale, 0, 255)). The standard
// divides by zero when all numbers are 0; the scale is 1 then, as in ONNX Runtime.
Result<Tensors> evaluate_dynamic_quantize(const EvaluateContext& context) {
  OCTET_TRY(require_dtype(context, 0, DType::kFloat32));
  const Tensor& x = context.input(0);
  float lo = 0.0F;
  float hi = 0.0F;
  for (float v : x.data<float>()) {  // comparisons pass over what is not a number
    if (v < lo) lo = v;
    if (v > hi) hi = v;
  }
  const float scale = hi == lo ? 1.0F : (hi - lo) / 255.0F;
  const float exact = std::clamp(0.0F - lo / scale, 0.0F, 255.0F);
  const int32_t zero_point = numerics::quantize(exact, 1.0F, 0, 0, 255);
  OCTET_ASSIGN(Tensor y, context.allocate(DType::kUint8, x.shape()));
  OCTET_ASSIGN(Tensor y_scale, context.allocate(DType::kFloat32, {}));
  OCTET_ASSIGN(Tensor y_zero_point, context.allocate(DType::kUint8, {}));
  numerics::quantize(x.data<float>(), scale, zero_point, y.mutable_data<uint8_t>());
  y_scale.mutable_data<float>()[0] = scale;
  y_zero_point.mutable_data<uint8_t>()[0] = static_cast<uint8_t>(zero_point);
  Tensors out;
  out.push_back(std::move(y));
  out.push_back(std::move(y_scale));
  out.push_back(std::move(y_zero_point));
  return out;
}

}  // namespace

OpSchema DynamicQuantizeLinear_schema() {
  OpSchema schema;
  schema.name = "DynamicQuantizeLinear";
  schema.since = 11;
  schema.infer = infer_dynamic_quantize;
  schema.evaluate = evaluate_dynamic_quantize;
  return schema;
}

}  // namespace octet::ops
