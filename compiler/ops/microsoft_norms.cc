// Normalizations that ONNX Runtime's transformer optimizer writes: SkipLayerNormalization and
// SkipSimplifiedLayerNormalization of com.microsoft, and SimplifiedLayerNormalization, which has no
// domain of its own.
//
//   Simplified...  x / sqrt(mean of squares + epsilon) * scale over the last axes
//   Skip...        the normalization of input + skip + bias; that sum is output 3
#include <array>

#include "compiler/ops/delegate.h"
#include "compiler/ops/scratch.h"

namespace octet::ops {
namespace {

constexpr std::string_view kMicrosoft = "com.microsoft";
constexpr int64_t kRmsOpset = 23;

// Mean and inverse deviation are for training.
Status refuse_outputs(const ir::Node& node, size_t first, size_t last) {
  for (size_t i = first; i <= last; ++i) {
    if (node.output(i).valid()) {
      return unsupported("output ", i, " is not computed: it serves training; export without it");
    }
  }
  return {};
}

ir::Node norm_node(const ir::Node& node, std::string_view op_type, float epsilon) {
  ir::Node out = as_operator(node, op_type);
  out.attributes["epsilon"] = ir::float_attribute(node, "epsilon", epsilon);
  out.outputs.resize(1);
  return out;
}

Result<Facts> infer_simplified(const InferContext& context) {
  OCTET_ASSIGN(Facts facts,
               infer_as(context, norm_node(context.node, "RMSNormalization", 1e-5F), kRmsOpset));
  facts.resize(std::max<size_t>(1, context.node.outputs.size()));
  return facts;
}

Result<Tensors> evaluate_simplified(const EvaluateContext& context) {
  OCTET_TRY(refuse_outputs(context.node, 1, 1));
  OCTET_ASSIGN(Tensors out, evaluate_as(context, norm_node(context.node, "RMSNormalization", 1e-5F),
                                        context.inputs.first(2), kRmsOpset));
  out.resize(std::max<size_t>(1, context.node.outputs.size()));
  return out;
}

bool is_simplified(const ir::Node& node) {
  return node.op_type == "SkipSimplifiedLayerNormalization";
}
// Operand positions: input, skip, scale, then the shift (where there is one) and the bias.
constexpr size_t kScale = 2;
constexpr size_t kShift = 3;
size_t bias_operand(const ir::Node& node) { return is_simplified(node) ? 3 : 4; }

Result<Facts> infer_skip(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, common_dtype_of_all(context));
  Facts out(std::max<size_t>(1, context.node.outputs.size()));
  out[0] = fact(dtype, context.shape(0));
  if (out.size() > 3) out[3] = fact(dtype, context.shape(0));
  return out;
}

Result<Tensor> add(const EvaluateContext& context, const Tensor& a, const Tensor& b) {
  const std::array<const Tensor*, 2> operands = {&a, &b};
  OCTET_ASSIGN(Tensors sum, evaluate_as(context, as_operator(context.node, "Add"), operands));
  return std::move(sum[0]);
}

Result<Tensors> evaluate_skip(const EvaluateContext& context) {
  OCTET_TRY(refuse_outputs(context.node, 1, 2));
  OCTET_ASSIGN(Tensor sum, add(context, context.input(0), context.input(1)));
  const size_t bias = bias_operand(context.node);
  if (context.has_input(bias)) {
    ChargedBytes charged(context.budget);
    charged.adopt(sum);
    OCTET_ASSIGN(sum, add(context, sum, context.input(bias)));
  }
  if (sum.shape() != context.input(0).shape()) {
    return malformed("input 1: does not broadcast to input 0");
  }
  const bool simplified = is_simplified(context.node);
  const bool shifted = !simplified && context.has_input(kShift);
  const std::array<const Tensor*, 3> operands = {&sum, &context.input(kScale),
                                                 shifted ? &context.input(kShift) : nullptr};
  const ir::Node norm =
      norm_node(context.node, simplified ? "RMSNormalization" : "LayerNormalization", 1e-12F);
  OCTET_ASSIGN(Tensors out, evaluate_as(context, norm,
                                        std::span(operands).first(simplified ? 2 : 3), kRmsOpset));
  out.resize(std::max<size_t>(1, context.node.outputs.size()));
  if (context.node.output(3).valid()) {
    out[3] = std::move(sum);
  } else if (context.budget != nullptr) {
    context.budget->release(static_cast<int64_t>(sum.bytes().size()));
  }
  return out;
}

OpSchema skip_norm(std::string_view name, size_t max_inputs) {
  return {.name = name,
          .domain = kMicrosoft,
          .roles = {Role::kData, Role::kData, Role::kParameter},
          .required = 3,
          .max_inputs = max_inputs,
          .infer = infer_skip,
          .evaluate = evaluate_skip};
}

}  // namespace

OpSchema SimplifiedLayerNormalization_schema() {
  return {.name = "SimplifiedLayerNormalization",
          .roles = {Role::kData, Role::kParameter},
          .required = 2,
          .max_inputs = 2,
          .infer = infer_simplified,
          .evaluate = evaluate_simplified};
}
OpSchema SkipLayerNormalization_schema() { return skip_norm("SkipLayerNormalization", 5); }
OpSchema SkipSimplifiedLayerNormalization_schema() {
  return skip_norm("SkipSimplifiedLayerNormalization", 4);
}

}  // namespace octet::ops
