#include "passes/fold_scale_and_bias.h"

#include <cmath>
#include <optional>

#include "passes/linear.h"

namespace octet::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::Tensor;

enum class Kind { kMul, kDiv, kAdd, kSub };

std::optional<Kind> arithmetic(const Node& node) {
  if (node.is("Mul")) return Kind::kMul;
  if (node.is("Div")) return Kind::kDiv;
  if (node.is("Add")) return Kind::kAdd;
  if (node.is("Sub")) return Kind::kSub;
  return std::nullopt;
}

// Nothing when the constant is neither one number nor one per channel of a value whose channel axis
// is the `from_end`-th from its end, or when it makes that value's rank grow.
std::optional<std::vector<double>> per_channel(const Tensor& constant, int64_t channels,
                                               size_t from_end, const ir::Shape& shape) {
  const size_t rank = constant.rank();
  const bool rank_stays = rank <= 1 || (shape.has_rank() && rank <= shape.rank());
  if (!rank_stays) return std::nullopt;
  int64_t count = 1;
  for (size_t i = 0; i < rank; ++i) {
    const int64_t extent = constant.shape()[i];
    if (extent == 1) continue;
    if (rank - i != from_end || extent != channels) return std::nullopt;
    count = extent;
  }
  std::vector<double> out;
  for (int64_t c = 0; c < channels; ++c) out.push_back(constant.at_as_double(count == 1 ? 0 : c));
  return out;
}

// What the node does to `y`, its operand `position`.
std::optional<ChannelAffine> as_affine(Kind kind, size_t position,
                                       const std::vector<double>& constant) {
  ChannelAffine out;
  for (double c : constant) {
    double scale = 1.0;
    double shift = 0.0;
    switch (kind) {
      case Kind::kMul:
        scale = c;
        break;
      case Kind::kDiv:
        if (position != 0) return std::nullopt;
        scale = 1.0 / c;
        break;
      case Kind::kAdd:
        shift = c;
        break;
      case Kind::kSub:
        scale = position == 0 ? 1.0 : -1.0;
        shift = position == 0 ? -c : c;
        break;
    }
    if (!std::isfinite(scale) || !std::isfinite(shift)) return std::nullopt;
    out.scale.push_back(scale);
    out.shift.push_back(shift);
  }
  return out;
}

Result<std::optional<AffineNode>> find_arithmetic(const Graph& graph, const Node& node) {
  const std::optional<AffineNode> nothing;
  const auto kind = arithmetic(node);
  if (!kind || node.inputs.size() != 2 || !node.output().valid()) return nothing;
  for (size_t position = 0; position < 2; ++position) {
    const Tensor* constant = fixed_constant(graph, node.input(1 - position));
    const auto linear = linear_behind(graph, node.input(position));
    if (constant == nullptr || !linear) continue;
    const bool shifts = *kind == Kind::kAdd || *kind == Kind::kSub;
    if (shifts && linear->kind == LinearKind::kMatMul) continue;
    const auto numbers =
        per_channel(*constant, linear->channels, channel_axis_from_end(graph, *linear),
                    graph.value(node.input(position)).type.shape);
    if (!numbers) continue;
    auto affine = as_affine(*kind, position, *numbers);
    if (affine) return std::optional(AffineNode{*linear, std::move(*affine)});
  }
  return nothing;
}

}  // namespace

Result<PassReport> fold_scale_and_bias(ir::Graph& graph, const FoldScaleAndBiasConfig& /*config*/,
                                       PassContext& context) {
  return fold_affine_nodes(graph, find_arithmetic, context);
}

}  // namespace octet::passes
