// QLinearSigmoid and QLinearLeakyRelu of com.microsoft: functions of one quantized number.
#include <cmath>

#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/qlinear_table.h"

namespace octet::ops {
namespace {

enum Operand : size_t { kX = 0, kXScale, kXZero, kYScale, kYZero };

Result<Facts> infer(const InferContext& context) {
  OCTET_ASSIGN(ir::ValueFacts out,
               quantized_output(context, context.shape(kX), kYScale, kYZero, kX));
  return Facts{std::move(out)};
}

Result<Tensors> evaluate(const EvaluateContext& context) {
  OCTET_ASSIGN(const QuantizedOperand x, quantized_operand(context, kX, kXScale, kXZero));
  OCTET_ASSIGN(const OutputQuantization y, output_quantization(context, kYScale, kYZero, x.dtype));
  const ByteTable table = unary_table(context.node, x, y);
  OCTET_ASSIGN(Tensor out, context.allocate(y.dtype, context.input(kX).shape()));
  uint8_t* to = out.mutable_data<uint8_t>().data();
  for (size_t i = 0; i < x.bytes.size(); ++i) to[i] = table[x.bytes[i]];
  return one_tensor(std::move(out));
}

OpSchema schema_of(std::string_view name) {
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

ByteTable unary_table(const ir::Node& node, const QuantizedOperand& x,
                      const OutputQuantization& y) {
  if (node.op_type == "QLinearSigmoid") {
    // In float64: ONNX Runtime's float32 approximation differs by less than a rounding can tell.
    return byte_table(x, y, [](float value) {
      return static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(value))));
    });
  }
  const float alpha = ir::float_attribute(node, "alpha", 0.01F);
  return byte_table(x, y, [alpha](float value) { return value >= 0.0F ? value : value * alpha; });
}

OpSchema QLinearLeakyRelu_schema() { return schema_of("QLinearLeakyRelu"); }
OpSchema QLinearSigmoid_schema() { return schema_of("QLinearSigmoid"); }

}  // namespace octet::ops
