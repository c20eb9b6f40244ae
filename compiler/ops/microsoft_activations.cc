// Gelu and its kin of com.microsoft, and FusedConv: a convolution with what follows it.
//
//   Gelu       x * (1 + erf(x / sqrt(2))) / 2
//   BiasGelu   Gelu(x + bias)
//   FastGelu   the approximation by tanh, of x + bias where there is one
//   QuickGelu  x * sigmoid(alpha * x)
//   FusedConv  activation(Conv(x, w, b) + z)
#include "compiler/base/names.h"
#include "compiler/ops/delegate.h"
#include "compiler/ops/scratch.h"

namespace octet::ops {
namespace {

constexpr std::string_view kMicrosoft = "com.microsoft";

ir::Node gelu_node(const ir::Node& node) {
  ir::Node out = as_operator(node, "Gelu");
  out.attributes.clear();
  if (node.op_type == "FastGelu") out.attributes["approximate"] = std::string("tanh");
  return out;
}

Result<Facts> infer_gelu(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, common_dtype_of_all(context));
  ir::Shape shape = context.shape(0);
  if (context.has_input(1)) {
    OCTET_ASSIGN(shape, broadcast_shapes(shape, context.shape(1)));
  }
  return one_fact(dtype, std::move(shape));
}

Result<Tensors> evaluate_gelu(const EvaluateContext& context) {
  const ir::Node gelu = gelu_node(context.node);
  if (!context.has_input(1)) return evaluate_as(context, gelu, context.inputs.first(1));
  OCTET_ASSIGN(const Tensors sum,
               evaluate_as(context, as_operator(context.node, "Add"), context.inputs.first(2)));
  ChargedBytes charged(context.budget);
  charged.adopt(sum[0]);
  const Tensor* const operand = &sum[0];
  return evaluate_as(context, gelu, {&operand, 1});
}

// Swish of ai.onnx, whose alpha is 1 where none is given.
ir::Node swish_node(const ir::Node& node) {
  ir::Node out = as_operator(node, "Swish");
  out.attributes["alpha"] = ir::float_attribute(node, "alpha", 1.702F);
  return out;
}

Result<Tensors> evaluate_quick_gelu(const EvaluateContext& context) {
  return evaluate_as(context, swish_node(context.node), context.inputs.first(1));
}

// FusedConv.

// The node that the activation is; nothing where there is none.
Result<std::optional<ir::Node>> activation_of(const ir::Node& node) {
  const std::string name = ir::string_attribute(node, "activation", "");
  if (name.empty()) return std::optional<ir::Node>();
  ir::Node out = as_operator(node, name);
  out.attributes.clear();
  const std::vector<float> given = ir::floats_attribute(node, "activation_params");
  std::vector<std::string> names;
  if (name == "LeakyRelu") names = {"alpha"};
  if (name == "HardSigmoid") names = {"alpha", "beta"};
  if (name == "Clip") names = {"min", "max"};
  const bool known = !names.empty() || name == "Relu" || name == "Tanh" || name == "Sigmoid" ||
                     name == "HardSwish";
  if (!known) return unsupported("activation ", quote_name(name), " cannot be executed");
  if (given.size() < names.size()) {
    return malformed("attribute activation_params: ", given.size(), " numbers, ", names.size(),
                     " expected");
  }
  for (size_t i = 0; i < names.size(); ++i) out.attributes[names[i]] = given[i];
  return std::optional(std::move(out));
}

Result<Facts> infer_fused_conv(const InferContext& context) {
  OCTET_TRY(common_dtype_of_all(context));
  ir::Node conv = as_operator(context.node, "Conv");
  conv.inputs.resize(std::min<size_t>(3, conv.inputs.size()));
  return infer_as(context, conv);
}

Result<Tensors> evaluate_fused_conv(const EvaluateContext& context) {
  OCTET_ASSIGN(const auto activation, activation_of(context.node));
  const ir::Node conv = as_operator(context.node, "Conv");
  const size_t own = std::min<size_t>(3, context.inputs.size());
  OCTET_ASSIGN(Tensors out, evaluate_as(context, conv, context.inputs.first(own)));
  const auto then = [&](const ir::Node& node, std::span<const Tensor* const> operands,
                        int64_t opset) -> Status {
    ChargedBytes charged(context.budget);
    charged.adopt(out[0]);
    OCTET_ASSIGN(Tensors next, evaluate_as(context, node, operands, opset));
    out = std::move(next);
    return {};
  };
  if (context.has_input(3)) {
    if (context.input(3).shape() != out[0].shape()) {
      return malformed("input 3: shape ", context.input(3).type().shape.to_string(),
                       " is added to one of shape ", out[0].type().shape.to_string());
    }
    const std::array<const Tensor*, 2> operands = {&out[0], &context.input(3)};
    OCTET_TRY(then(as_operator(context.node, "Add"), operands, kDelegateOpset));
  }
  if (activation) {
    constexpr int64_t kBoundsInAttributes = 10;  // Clip has them so up to there
    const Tensor* const operand = &out[0];
    const bool is_clip = activation->op_type == "Clip";
    OCTET_TRY(then(*activation, {&operand, 1}, is_clip ? kBoundsInAttributes : kDelegateOpset));
  }
  return out;
}

OpSchema activation(std::string_view name, size_t max_inputs, EvaluateFunction evaluate) {
  std::vector<Role> roles = {Role::kData};
  if (max_inputs > 1) roles.push_back(Role::kParameter);
  return {.name = name,
          .domain = kMicrosoft,
          .roles = std::move(roles),
          .max_inputs = max_inputs,
          .infer = infer_gelu,
          .evaluate = evaluate};
}

std::optional<int64_t> output_channels_first(const ir::Node&, size_t) { return 0; }

}  // namespace

OpSchema MicrosoftGelu_schema() { return activation("Gelu", 1, evaluate_gelu); }
OpSchema BiasGelu_schema() {
  OpSchema schema = activation("BiasGelu", 2, evaluate_gelu);
  schema.required = 2;
  return schema;
}
OpSchema FastGelu_schema() { return activation("FastGelu", 2, evaluate_gelu); }
OpSchema QuickGelu_schema() { return activation("QuickGelu", 1, evaluate_quick_gelu); }

OpSchema FusedConv_schema() {
  return {.name = "FusedConv",
          .domain = kMicrosoft,
          .roles = {Role::kData, Role::kWeight, Role::kBias, Role::kData},
          .required = 2,
          .max_inputs = 4,
          .weight_channel_axis = output_channels_first,
          .infer = infer_fused_conv,
          .evaluate = evaluate_fused_conv};
}

}  // namespace octet::ops
