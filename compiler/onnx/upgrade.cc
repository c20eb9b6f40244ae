#include "compiler/onnx/upgrade.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/onnx/function_body.h"

namespace octet::onnx {
namespace {

// Beyond it the model is refused later.
constexpr int kMaxRank = 64;

constexpr std::array<std::string_view, 11> kBroadcasting = {
    "Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor"};

bool broadcasts(const ::onnx::NodeProto& node) {
  return std::find(kBroadcasting.begin(), kBroadcasting.end(), node.op_type()) !=
         kBroadcasting.end();
}

std::optional<int64_t> integer(const ::onnx::NodeProto& node, std::string_view name) {
  for (const auto& attribute : node.attribute()) {
    if (attribute.name() == name) return attribute.i();
  }
  return std::nullopt;
}

void remove_attribute(::onnx::NodeProto& node, std::string_view name) {
  auto& list = *node.mutable_attribute();
  const auto kept = std::remove_if(list.begin(), list.end(),
                                   [&](const auto& attribute) { return attribute.name() == name; });
  list.DeleteSubrange(static_cast<int>(kept - list.begin()), static_cast<int>(list.end() - kept));
}

// Ranks that the main graph declares: inputs, initializers and typed values.
class Ranks {
 public:
  explicit Ranks(const ::onnx::GraphProto& graph) {
    for (const auto& tensor : graph.initializer()) ranks_[tensor.name()] = tensor.dims_size();
    for (const auto* list : {&graph.input(), &graph.value_info()}) {
      for (const auto& info : *list) {
        if (info.type().tensor_type().has_shape()) {
          ranks_[info.name()] = info.type().tensor_type().shape().dim_size();
        }
      }
    }
  }
  std::optional<int> of(const std::string& name) const {
    const auto at = ranks_.find(name);
    return at == ranks_.end() ? std::nullopt : std::optional(at->second);
  }

 private:
  std::map<std::string, int> ranks_;
};

// The axes that the second operand needs behind its own; nothing when that cannot be told.
std::optional<std::vector<int64_t>> missing_axes(const ::onnx::NodeProto& node,
                                                 const Ranks& ranks) {
  std::vector<int64_t> axes;
  const bool slopes = node.op_type() == "PRelu";  // one slope per channel, or one for all
  if (!slopes &&
      !(broadcasts(node) && integer(node, "broadcast").value_or(0) != 0 && integer(node, "axis"))) {
    return axes;
  }
  if (node.input_size() != 2) return std::nullopt;
  const auto a = ranks.of(node.input(0));
  const auto b = ranks.of(node.input(1));
  if (!a || !b || *a > kMaxRank) return std::nullopt;
  int64_t at = slopes ? 1 : *integer(node, "axis");
  if (slopes && *b != 1) return axes;
  if (at < 0) at += *a;
  if (at < 0 || at > *a) return std::nullopt;
  for (int64_t axis = at + *b; axis < *a; ++axis) {
    axes.push_back(axis - at);
  }
  return axes;
}

bool known(const ::onnx::NodeProto& node, const Ranks& ranks) {
  if (!canonical_domain(node.domain()).empty()) return true;
  const std::string& op = node.op_type();
  if (op == "Upsample") return false;
  if (op == "BatchNormalization" || op == "Dropout") {
    return integer(node, "is_test").value_or(0) != 0;
  }
  return missing_axes(node, ranks).has_value();
}

// The node in version 7, and an Unsqueeze in front where an operand needs one.
void upgrade_node(::onnx::NodeProto& node, const Ranks& ranks, NameSet& taken, NodeList& out) {
  if (canonical_domain(node.domain()).empty()) {
    const auto axes = missing_axes(node, ranks);
    if (axes && !axes->empty()) {
      ::onnx::NodeProto& unsqueeze = *out.Add();
      unsqueeze.set_op_type("Unsqueeze");
      unsqueeze.add_input(node.input(1));
      unsqueeze.add_output(taken.fresh(node.input(1) + "_aligned"));
      auto& attribute = *unsqueeze.add_attribute();
      attribute.set_name("axes");
      attribute.set_type(::onnx::AttributeProto::INTS);
      for (int64_t axis : *axes) attribute.add_ints(axis);
      node.set_input(1, unsqueeze.output(0));
    }
    if (broadcasts(node) || node.op_type() == "Gemm") {
      remove_attribute(node, "broadcast");
      if (node.op_type() != "Gemm") remove_attribute(node, "axis");
    }
    remove_attribute(node, "is_test");
    remove_attribute(node, "output_sequence");
  }
  *out.Add() = std::move(node);
}

}  // namespace

void upgrade_from_opset6(::onnx::ModelProto& model) {
  ::onnx::OperatorSetIdProto* version = nullptr;
  for (auto& import : *model.mutable_opset_import()) {
    if (canonical_domain(import.domain()).empty()) version = &import;
  }
  if (version == nullptr || version->version() != 6 || model.functions_size() > 0) return;
  ::onnx::GraphProto& graph = *model.mutable_graph();
  const Ranks ranks(graph);
  const std::vector<NodeList*> lists = node_lists(*graph.mutable_node());
  // Bodies have names of their own for values; their ranks are not collected.
  if (lists.size() != 1) return;
  for (const auto& node : graph.node()) {
    if (!known(node, ranks)) return;
  }
  NameSet taken;
  taken.add_all(graph.node());
  for (const auto& info : graph.input()) taken.add(info.name());
  for (const auto& tensor : graph.initializer()) taken.add(tensor.name());
  NodeList upgraded;
  for (auto& node : *graph.mutable_node()) upgrade_node(node, ranks, taken, upgraded);
  graph.mutable_node()->Swap(&upgraded);
  version->set_version(7);
}

}  // namespace octet::onnx
