#include "compiler/calibration/derived.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace octet::calibration {
namespace {

using ir::Graph;
using ir::Node;
using ir::ValueId;

bool moves_every_element(const Node& node) {
  constexpr std::array<std::string_view, 8> kMoves = {"DepthToSpace", "Flatten",  "Identity",
                                                      "Reshape",      "Squeeze",  "SpaceToDepth",
                                                      "Transpose",    "Unsqueeze"};
  return std::find(kMoves.begin(), kMoves.end(), node.op_type) != kMoves.end();
}

// The operands whose elements make up the only output of a node, if that is what it does.
std::optional<std::vector<ValueId>> parts_of(const Node& node) {
  if (!node.domain.empty() || node.outputs.size() != 1 || node.inputs.empty()) return std::nullopt;
  if (node.is("Concat")) return node.inputs;
  const bool one = node.is("Relu") || moves_every_element(node);
  return one ? std::optional(std::vector<ValueId>{node.inputs[0]}) : std::nullopt;
}

}  // namespace

bool is_observable(const Graph& graph, ValueId id) {
  if (!id.valid()) return false;
  const ir::Value& value = graph.value(id);
  return value.alive && !value.is_constant() && value.type.storage == ir::DType::kFloat32 &&
         (value.producer.valid() || value.is_input);
}

void add_parts(const Graph& graph, std::set<ValueId>& values, std::set<ValueId>& histograms) {
  const std::vector<ir::NodeId> order = graph.order();
  for (auto id = order.rbegin(); id != order.rend(); ++id) {
    const Node& node = graph.node(*id);
    const auto parts = parts_of(node);
    if (!parts || node.is("Relu") || !histograms.contains(node.output())) continue;
    const bool known = std::all_of(parts->begin(), parts->end(),
                                   [&](ValueId part) { return is_observable(graph, part); });
    if (!known) continue;
    values.insert(parts->begin(), parts->end());
    histograms.insert(parts->begin(), parts->end());
  }
}

std::vector<Derivation> derivations(const Graph& graph, const std::set<ValueId>& values,
                                    const std::set<ValueId>& histograms) {
  std::vector<Derivation> out;
  std::set<ValueId> derived;
  for (const ir::NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    auto parts = parts_of(node);
    if (!parts || !values.contains(node.output())) continue;
    const bool with_histogram = histograms.contains(node.output());
    const bool known = std::all_of(parts->begin(), parts->end(), [&](ValueId part) {
      return is_observable(graph, part) && values.contains(part) &&
             (!with_histogram || histograms.contains(part));
    });
    const bool rectified = node.is("Relu");
    if (!known || (rectified && derived.contains(parts->front()))) continue;
    derived.insert(node.output());
    using Kind = Derivation::Kind;
    out.push_back({rectified ? Kind::kRectified : Kind::kJoined, node.output(), std::move(*parts)});
  }
  return out;
}

}  // namespace octet::calibration
