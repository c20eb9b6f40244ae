// QLinearConcat of com.microsoft: quantized operands, each brought to the output's scale, joined
// along an axis. Operands are scale and zero point of the output, then three per part.
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/qlinear_table.h"

namespace octet::ops {
namespace {

enum Operand : size_t { kYScale = 0, kYZero, kFirstPart };
constexpr size_t kOperandsPerPart = 3;

// The Concat of the parts.
Result<ir::Node> concat_of_parts(const ir::Node& node) {
  if (node.inputs.size() < kFirstPart + kOperandsPerPart ||
      (node.inputs.size() - kFirstPart) % kOperandsPerPart != 0) {
    return malformed(node.inputs.size(), " inputs; 2 and then 3 per part expected");
  }
  ir::Node out = node;
  out.domain.clear();
  out.op_type = "Concat";
  out.inputs.clear();
  for (size_t i = kFirstPart; i < node.inputs.size(); i += kOperandsPerPart) {
    if (!node.inputs[i].valid()) return malformed("input ", i, " is missing");
    out.inputs.push_back(node.inputs[i]);
  }
  return out;
}

Result<Facts> infer(const InferContext& context) {
  OCTET_ASSIGN(const ir::Node concat, concat_of_parts(context.node));
  OCTET_ASSIGN(Facts joined, find_schema(concat)->infer({concat, context.value, context.model}));
  OCTET_ASSIGN(ir::ValueFacts out,
               quantized_output(context, joined[0].type.shape, kYScale, kYZero));
  return Facts{std::move(out)};
}

Result<Tensors> evaluate(const EvaluateContext& context) {
  OCTET_ASSIGN(const ir::Node concat, concat_of_parts(context.node));
  OCTET_ASSIGN(const OutputQuantization y,
               output_quantization(context, kYScale, kYZero, DType::kUndefined));
  Tensors parts;
  ChargedBytes charged(context.budget);
  for (size_t i = kFirstPart; i < context.inputs.size(); i += kOperandsPerPart) {
    OCTET_ASSIGN(const QuantizedOperand x, quantized_operand(context, i, i + 1, i + 2));
    const ByteTable table = byte_table(x, y, [](float value) { return value; });
    OCTET_ASSIGN(Tensor part, context.allocate(y.dtype, context.input(i).shape()));
    charged.adopt(part);
    uint8_t* to = part.mutable_data<uint8_t>().data();
    for (size_t k = 0; k < x.bytes.size(); ++k) to[k] = table[x.bytes[k]];
    parts.push_back(std::move(part));
  }
  std::vector<const Tensor*> operands;
  for (const Tensor& part : parts) operands.push_back(&part);
  return find_schema(concat)->evaluate({concat, context.opset, operands, context.budget});
}

}  // namespace

OpSchema QLinearConcat_schema() {
  OpSchema schema;
  schema.name = "QLinearConcat";
  schema.domain = "com.microsoft";
  schema.roles = {Role::kParameter, Role::kParameter, Role::kData};
  schema.required = 5;
  schema.max_inputs = SIZE_MAX;
  schema.infer = infer;
  schema.evaluate = evaluate;
  return schema;
}

}  // namespace octet::ops
