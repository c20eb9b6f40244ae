// Operators that are others under another name, or a few others in a row.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {

// The version of ai.onnx that operators of other domains are written in.
inline constexpr int64_t kDelegateOpset = 21;

// The node as an operator of ai.onnx, attributes as they are.
inline ir::Node as_operator(const ir::Node& node, std::string_view op_type) {
  ir::Node out = node;
  out.domain.clear();
  out.op_type = op_type;
  return out;
}

// The schema's operator on these operands, in the context's budget and with its device.
inline Result<Tensors> evaluate_as(const EvaluateContext& context, const ir::Node& node,
                                   std::span<const Tensor* const> operands,
                                   int64_t opset = kDelegateOpset) {
  return find_schema(node)->evaluate(
      {node, opset, operands, context.budget, {}, nullptr, nullptr, context.device});
}

// What inference says of the operator at that version.
inline Result<Facts> infer_as(const InferContext& context, const ir::Node& node,
                              int64_t opset = kDelegateOpset) {
  ir::ModelInfo model;
  model.opset_imports = {{"", opset}};
  return find_schema(node)->infer({node, context.value, model});
}

}  // namespace octet::ops
