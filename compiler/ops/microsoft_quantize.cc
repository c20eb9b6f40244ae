// QuantizeLinear and DequantizeLinear of com.microsoft, which are those of ai.onnx 21, and
// DynamicQuantizeMatMul: MatMulIntegerToFloat of a factor that DynamicQuantizeLinear makes.
#include <array>

#include "compiler/ops/delegate.h"
#include "compiler/ops/matmul.h"
#include "compiler/ops/scratch.h"

namespace octet::ops {
namespace {

constexpr std::string_view kMicrosoft = "com.microsoft";

Result<Facts> infer_quantizer(const InferContext& context) {
  return infer_as(context, as_operator(context.node, context.node.op_type));
}

Result<Tensors> evaluate_quantizer(const EvaluateContext& context) {
  return evaluate_as(context, as_operator(context.node, context.node.op_type), context.inputs);
}

OpSchema quantizer(std::string_view name) {
  return {.name = name,
          .domain = kMicrosoft,
          .roles = {Role::kData, Role::kParameter, Role::kParameter},
          .required = 2,
          .max_inputs = 3,
          .infer = infer_quantizer,
          .evaluate = evaluate_quantizer};
}

enum Operand : size_t { kA = 0, kB, kBScale, kBZero, kBias };

Result<Facts> infer_dynamic(const InferContext& context) {
  OCTET_ASSIGN(ir::Shape shape, infer_matmul_shape(context, kA, kB));
  return one_fact(DType::kFloat32, std::move(shape));
}

Result<Tensors> evaluate_dynamic(const EvaluateContext& context) {
  ir::Node node = as_operator(context.node, "DynamicQuantizeLinear");
  OCTET_ASSIGN(const Tensors a, evaluate_as(context, node, context.inputs.first(1)));
  ChargedBytes charged(context.budget);
  for (const Tensor& tensor : a) charged.adopt(tensor);
  const auto given = [&](size_t i) { return context.has_input(i) ? &context.input(i) : nullptr; };
  const std::array<const Tensor*, 7> operands = {&a[0], given(kB),     &a[1],       given(kBScale),
                                                 &a[2], given(kBZero), given(kBias)};
  node.domain = kMicrosoft;
  node.op_type = "MatMulIntegerToFloat";
  return evaluate_as(context, node, operands);
}

std::optional<int64_t> columns_last(const ir::Node&, size_t rank) {
  if (rank < 2) return std::nullopt;
  return static_cast<int64_t>(rank) - 1;
}

}  // namespace

OpSchema MicrosoftQuantizeLinear_schema() { return quantizer("QuantizeLinear"); }
OpSchema MicrosoftDequantizeLinear_schema() { return quantizer("DequantizeLinear"); }

OpSchema DynamicQuantizeMatMul_schema() {
  return {.name = "DynamicQuantizeMatMul",
          .domain = kMicrosoft,
          .roles = {Role::kData, Role::kWeight, Role::kParameter, Role::kParameter, Role::kBias},
          .required = 3,
          .max_inputs = 5,
          .weight_channel_axis = columns_last,
          .infer = infer_dynamic,
          .evaluate = evaluate_dynamic};
}

}  // namespace octet::ops
