#include "passes/fold_batch_norm.h"

#include <array>
#include <cmath>
#include <optional>

#include "passes/linear.h"

namespace octet::passes {
namespace {

using ir::Graph;
using ir::Node;

enum Operand : size_t { kInput, kScale, kShift, kMean, kVariance, kOperands };

// kUnsupported says why it stays.
Status check_form(const Graph& graph, const Node& node) {
  if (ir::int_attribute(node, "training_mode", 0) != 0)
    return unsupported("it is in training mode");
  for (size_t i = 1; i < node.outputs.size(); ++i) {
    const ir::ValueId id = node.outputs[i];
    if (id.valid() && (!graph.uses(id).empty() || graph.is_output(id))) {
      return unsupported("its statistics are read");
    }
  }
  return {};
}

Result<ChannelAffine> as_affine(const Graph& graph, const Node& node, int64_t channels) {
  std::array<const ir::Tensor*, kOperands> tensors = {};
  for (size_t i = kScale; i < kOperands; ++i) {
    tensors[i] = fixed_constant(graph, node.input(i));
    if (tensors[i] == nullptr) return unsupported("input ", i, " is not constant");
    if (tensors[i]->element_count() != channels) {
      return unsupported("input ", i, " has ", tensors[i]->element_count(), " elements for ",
                         channels, " channels");
    }
  }
  const double epsilon = ir::float_attribute(node, "epsilon", 1e-5F);
  ChannelAffine out;
  for (int64_t c = 0; c < channels; ++c) {
    const double variance = tensors[kVariance]->at_as_double(c);
    if (!(variance >= 0.0)) return unsupported("channel ", c, " has a variance of ", variance);
    const double scale = tensors[kScale]->at_as_double(c) / std::sqrt(variance + epsilon);
    const double shift = tensors[kShift]->at_as_double(c) - tensors[kMean]->at_as_double(c) * scale;
    if (!std::isfinite(scale) || !std::isfinite(shift)) {
      return unsupported("the parameters of channel ", c, " are not finite");
    }
    out.scale.push_back(scale);
    out.shift.push_back(shift);
  }
  return out;
}

// BatchNormalization's channels are axis 1.
bool channels_meet(const Graph& graph, const Linear& linear, const Node& node) {
  if (linear.kind != LinearKind::kMatMul) return true;
  const ir::Shape& shape = graph.value(node.input(kInput)).type.shape;
  return shape.has_rank() && shape.rank() == 2;
}

Result<std::optional<AffineNode>> find_batch_norm(const Graph& graph, const Node& node) {
  if (!node.is("BatchNormalization") || !node.output().valid()) return std::optional<AffineNode>();
  const auto linear = linear_behind(graph, node.input(kInput));
  if (!linear || !channels_meet(graph, *linear, node)) {
    return unsupported("no linear operator with a constant weight stands before it alone");
  }
  OCTET_TRY(check_form(graph, node));
  OCTET_ASSIGN(ChannelAffine affine, as_affine(graph, node, linear->channels));
  return std::optional(AffineNode{*linear, std::move(affine)});
}

}  // namespace

Result<PassReport> fold_batch_norm(ir::Graph& graph, const FoldBatchNormConfig& /*config*/,
                                   PassContext& context) {
  return fold_affine_nodes(graph, find_batch_norm, context);
}

}  // namespace octet::passes
