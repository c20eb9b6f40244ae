#include "compiler/interpreter/gelu_pieces.h"

#include <algorithm>
#include <cmath>

namespace octet::interpreter {
namespace {

using ir::Node;
using ir::NodeId;
using ir::ValueId;

class Matcher {
 public:
  explicit Matcher(const Readers& readers) : r_(readers) {}

  std::vector<NodeId> match(ValueId x) const {
    const std::vector<NodeId> readers = readers_of(x, 2);
    for (size_t i = 0; i < readers.size(); ++i) {
      const NodeId divide = readers[i];
      if (!scales(divide, x, kRootHalf)) continue;
      auto found = behind(x, divide, readers[1 - i]);
      if (!found.empty() && same_shape(x, output(found.back()))) return found;
    }
    return {};
  }

 private:
  static constexpr float kRootHalf = 0.70710678F;

  // `other` is the second reader of x.
  std::vector<NodeId> behind(ValueId x, NodeId divide, NodeId other) const {
    const NodeId erf = only_reader(output(divide));
    if (!erf.valid() || !node(erf).is("Erf")) return {};
    const NodeId add = only_reader(output(erf));
    if (!add.valid() || !node(add).is("Add") || !has_constant(add, output(erf), 1.0F)) return {};
    const NodeId next = only_reader(output(add));
    if (!next.valid()) return {};
    if (next == other) {  // x * (1 + erf), halved
      const NodeId half = only_reader(output(other));
      if (multiplies(other, x, output(add)) && half.valid() && scales(half, output(other), 0.5F)) {
        return {divide, erf, add, other, half};
      }
    } else if (scales(other, x, 0.5F)) {  // x halved, * (1 + erf)
      if (only_reader(output(other)) == next && multiplies(next, output(other), output(add))) {
        return {divide, erf, add, other, next};
      }
    } else if (scales(next, output(add), 0.5F)) {  // x * (1 + erf halved)
      if (only_reader(output(next)) == other && multiplies(other, x, output(next))) {
        return {divide, erf, add, next, other};
      }
    }
    return {};
  }

  const Node& node(NodeId id) const { return r_.graph.node(id); }
  ValueId output(NodeId id) const { return node(id).output(); }

  // The nodes that read a value, when it has `count` operands that read it and is float32.
  std::vector<NodeId> readers_of(ValueId id, int count) const {
    std::vector<NodeId> out;
    if (!id.valid() || r_.counts[id.index()] != count || !r_.specialized.is_static(id) ||
        r_.specialized.value(id).type.storage != ir::DType::kFloat32) {
      return out;
    }
    for (const ir::Use& use : r_.graph.uses(id)) {
      if (!r_.runs[use.node.index()]) continue;
      if (use.implicit || !node(use.node).domain.empty()) return {};
      out.push_back(use.node);
    }
    if (static_cast<int>(out.size()) != count) out.clear();
    return out;
  }

  NodeId only_reader(ValueId id) const {
    const std::vector<NodeId> readers = readers_of(id, 1);
    return readers.empty() ? NodeId() : readers.front();
  }

  bool is_number(ValueId id, float number) const {
    if (!id.valid()) return false;
    const ir::TensorPtr& constant = r_.specialized.value(id).constant;
    return constant != nullptr && constant->dtype() == ir::DType::kFloat32 &&
           constant->element_count() == 1 &&
           std::abs(constant->data<float>()[0] - number) <= 1e-6F * number;
  }

  bool has_constant(NodeId id, ValueId beside, float number) const {
    const Node& n = node(id);
    return (n.inputs[0] == beside && is_number(n.inputs[1], number)) ||
           (n.inputs[1] == beside && is_number(n.inputs[0], number));
  }

  // True for x * factor, and for x divided by its inverse.
  bool scales(NodeId id, ValueId x, float factor) const {
    const Node& n = node(id);
    if (n.is("Mul")) return has_constant(id, x, factor);
    return n.is("Div") && n.inputs[0] == x && is_number(n.inputs[1], 1.0F / factor);
  }

  bool multiplies(NodeId id, ValueId a, ValueId b) const {
    const Node& n = node(id);
    return n.is("Mul") &&
           ((n.inputs[0] == a && n.inputs[1] == b) || (n.inputs[0] == b && n.inputs[1] == a));
  }

  bool same_shape(ValueId a, ValueId b) const {
    return r_.specialized.is_static(b) &&
           r_.specialized.value(a).type.shape == r_.specialized.value(b).type.shape;
  }

  const Readers& r_;
};

}  // namespace

std::vector<NodeId> gelu_pieces(const Readers& readers, ValueId x) {
  return Matcher(readers).match(x);
}

}  // namespace octet::interpreter
