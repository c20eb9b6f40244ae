// CausalConvWithState (ai.onnx 27): a depthwise convolution that looks back only, and carries its
// last inputs. onnx/docs/Operators.md, CausalConvWithState.
#include <algorithm>
#include <cmath>

#include "compiler/ops/doubles.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

Result<bool> is_swish(const ir::Node& node) {
  const std::string text = ir::string_attribute(node, "activation", "none");
  if (text == "silu" || text == "swish") return true;
  if (text == "none") return false;
  return malformed("attribute activation: not one of none, silu, swish");
}

// y[t] = sum over i of w[i] * padded[t + i]; padded is the past (or zeros), then x.
Result<Tensors> evaluate_causal_conv(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_TRY(require_rank(context, 0, 3));
  OCTET_ASSIGN(const bool swish, is_swish(context.node));
  const int64_t batch = x.shape()[0];
  const int64_t channels = x.shape()[1];
  const int64_t length = x.shape()[2];
  OCTET_TRY(require_shape(context, 1, std::vector<int64_t>{channels, 1, -1}));
  const int64_t kernel = context.input(1).shape()[2];
  if (kernel < 1) return malformed("input 1: a kernel without elements");
  if (context.has_input(2)) OCTET_TRY(require_shape(context, 2, std::vector<int64_t>{channels}));
  const int64_t kept = kernel - 1;
  const std::vector<int64_t> state_shape = {batch, channels, kept};
  if (context.has_input(3)) OCTET_TRY(require_shape(context, 3, state_shape));
  OCTET_ASSIGN(auto from, doubles_of(context, 0));
  OCTET_ASSIGN(auto weight, doubles_of(context, 1));
  OCTET_ASSIGN(auto bias, optional_doubles_of(context, 2));
  OCTET_ASSIGN(auto past, optional_doubles_of(context, 3));
  OCTET_ASSIGN(const int64_t state_count, element_product(state_shape));
  OCTET_ASSIGN(auto state, Scratch<double>::make(context, state_count));
  OCTET_ASSIGN(auto y, Scratch<double>::make(context, x.element_count()));
  OCTET_ASSIGN(auto padded, Scratch<double>::make(context, length + kept));
  for (int64_t plane = 0; plane < batch * channels; ++plane) {
    const int64_t c = plane % channels;
    double* p = padded.span().data();
    if (context.has_input(3)) std::copy_n(past.span().data() + plane * kept, kept, p);
    std::copy_n(from.span().data() + plane * length, length, p + kept);
    for (int64_t t = 0; t < length; ++t) {
      double sum = bias.span().empty() ? 0 : bias[static_cast<size_t>(c)];
      for (int64_t i = 0; i < kernel; ++i) {
        sum += weight[static_cast<size_t>(c * kernel + i)] * p[t + i];
      }
      if (swish) sum = sum / (1 + std::exp(-sum));
      y[static_cast<size_t>(plane * length + t)] = sum;
    }
    std::copy_n(p + length, kept, state.span().data() + plane * kept);
  }
  Tensors outputs(2);
  OCTET_ASSIGN(outputs[0], tensor_of_doubles(context, x.dtype(), x.shape(), y.span()));
  OCTET_ASSIGN(outputs[1], tensor_of_doubles(context, x.dtype(), state_shape, state.span()));
  return outputs;
}

Result<Facts> infer_causal_conv(const InferContext& context) {
  OCTET_TRY(is_swish(context.node));
  OCTET_ASSIGN(const DType dtype, common_dtype(context, {0, 1, 2, 3}));
  for (size_t operand : {0, 1, 3}) OCTET_TRY(require_rank(context, operand, 3));
  OCTET_TRY(require_rank(context, 2, 1));
  Facts out = {fact(dtype, context.shape(0)), fact(dtype, unknown_shape(3))};
  const ir::Shape& x = context.shape(0);
  const ir::Shape& w = context.shape(1);
  if (!x.has_rank() || !w.has_rank()) return out;
  ir::Dim kept;
  if (w[2].is_static() && w[2].extent() > 0) kept = w[2].extent() - 1;
  out[1].type.shape = ir::Shape({x[0], x[1], kept});
  return out;
}

}  // namespace

OpSchema CausalConvWithState_schema() {
  return {.name = "CausalConvWithState",
          .since = 27,
          .roles = {Role::kData, Role::kParameter, Role::kParameter, Role::kData},
          .required = 2,
          .max_inputs = 4,
          .infer = infer_causal_conv,
          .evaluate = evaluate_causal_conv};
}

}  // namespace octet::ops
