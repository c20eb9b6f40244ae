#include "compiler/interpreter/fusion.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "compiler/interpreter/gelu_pieces.h"
#include "compiler/interpreter/kernel_registry.h"

namespace octet::interpreter {
namespace {

using ir::Node;
using ir::NodeId;
using ir::ValueId;

// A joined node: what it does, and the value it adds (kSum).
struct Joined {
  PostOp op;
  ValueId addend = {};
};

class UnitMaker {
 public:
  UnitMaker(const ir::Graph& graph, const Specialized& specialized,
            const std::vector<ValueId>& observed)
      : graph_(graph),
        specialized_(specialized),
        readers_(graph.value_count(), 0),
        runs_(graph.node_count(), false),
        joined_(graph.node_count(), false) {
    for (NodeId id : specialized.nodes) {
      runs_[id.index()] = true;
      for (ValueId input : graph.node(id).inputs) {
        if (input.valid()) ++readers_[input.index()];
      }
      for (ValueId input : graph.node(id).implicit_inputs) ++readers_[input.index()];
    }
    for (ValueId id : graph.outputs()) readers_[id.index()] += 2;
    for (ValueId id : observed) readers_[id.index()] += 2;
  }

  std::vector<Unit> units(Fusion fusion) {
    const std::vector<NodeId>& nodes = specialized_.nodes;
    std::vector<size_t> position(graph_.node_count(), 0);
    for (size_t i = 0; i < nodes.size(); ++i) position[nodes[i].index()] = i;
    std::vector<std::optional<Unit>> at(nodes.size());
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (joined_[nodes[i].index()]) continue;
      Unit unit{{nodes[i]}, {}, {}};
      if (fusion == Fusion::kAll && begins_gelu(nodes[i])) {
        unit = gelu_unit(nodes[i]);
      } else if (fusion == Fusion::kAll) {
        if (takes_post_ops(graph_.node(nodes[i]))) extend(unit);
        if (graph_.node(nodes[i]).is("QuantizeLinear")) extend_to_dequantize(unit);
        if (graph_.node(nodes[i]).is("Reshape")) extend_to_shuffle(unit);
      }
      at[position[unit.nodes.back().index()]] = std::move(unit);
    }
    std::vector<Unit> out;
    for (auto& unit : at) {
      if (unit) out.push_back(std::move(*unit));
    }
    return out;
  }

 private:
  void extend(Unit& unit) {
    for (;;) {
      const ValueId value = graph_.node(unit.nodes.back()).output();
      if (!value.valid() || readers_[value.index()] != 1 || !is_float(value)) return;
      const NodeId next = reader_of(value);
      if (!next.valid() || joined_[next.index()]) return;
      const auto joined = join(graph_.node(next), value, unit);
      if (!joined || clashes(unit, joined->op)) return;
      unit.nodes.push_back(next);
      unit.post_ops.push_back(joined->op);
      if (joined->addend.valid()) {
        unit.post_ops.back().operand =
            graph_.node(unit.nodes[0]).inputs.size() + unit.operands.size();
        unit.operands.push_back(joined->addend);
      }
      joined_[next.index()] = true;
    }
  }

  // oneDNN 2 takes the parameters of the first of several post-ops with the same algorithm for all.
  static bool clashes(const Unit& unit, const PostOp& op) {
    using Kind = PostOp::Kind;
    if (op.kind == Kind::kBias || op.kind == Kind::kSum) return false;
    const auto algorithm = [](Kind kind) { return kind == Kind::kLeakyRelu ? Kind::kRelu : kind; };
    return std::any_of(unit.post_ops.begin(), unit.post_ops.end(), [&](const PostOp& other) {
      return algorithm(other.kind) == algorithm(op.kind) &&
             (other.alpha != op.alpha || other.beta != op.beta);
    });
  }

  // The value that a product with a constant is of.
  ValueId scaled_value(NodeId id) const {
    const Node& node = graph_.node(id);
    if (!node.is("Mul") && !node.is("Div")) return {};
    const bool second = node.is("Mul") && specialized_.value(node.inputs[0]).constant != nullptr;
    return node.inputs[second ? 1 : 0];
  }

  bool begins_gelu(NodeId id) const {
    const ValueId x = scaled_value(id);
    return x.valid() && !free_gelu_pieces(x).empty();
  }

  Unit gelu_unit(NodeId id) {
    Unit unit{free_gelu_pieces(scaled_value(id)), {{PostOp::Kind::kGelu}}, {}};
    for (const NodeId piece : unit.nodes) joined_[piece.index()] = true;
    return unit;
  }

  // None when one of them is in a unit.
  std::vector<NodeId> free_gelu_pieces(ValueId x) const {
    std::vector<NodeId> pieces = gelu_pieces({graph_, specialized_, readers_, runs_}, x);
    const bool taken =
        std::any_of(pieces.begin(), pieces.end(), [&](NodeId id) { return joined_[id.index()]; });
    if (taken) pieces.clear();
    return pieces;
  }

  void extend_to_dequantize(Unit& unit) {
    const Node& quantize = graph_.node(unit.nodes[0]);
    const ValueId value = quantize.output();
    if (!value.valid() || readers_[value.index()] != 1 || !specialized_.is_static(value)) return;
    const NodeId next = reader_of(value);
    if (!next.valid() || joined_[next.index()]) return;
    const Node& dequantize = graph_.node(next);
    const auto same = [&](const char* attribute, int64_t fallback) {
      return ir::int_attribute(quantize, attribute, fallback) ==
             ir::int_attribute(dequantize, attribute, fallback);
    };
    if (!dequantize.is("DequantizeLinear") || dequantize.inputs.size() != 3 ||
        quantize.inputs.size() != 3 || dequantize.inputs[0] != value || !same("axis", 1) ||
        !same("block_size", 0) || !same_constant(quantize.inputs[1], dequantize.inputs[1]) ||
        !same_constant(quantize.inputs[2], dequantize.inputs[2])) {
      return;
    }
    unit.nodes.push_back(next);
    unit.post_ops.push_back({PostOp::Kind::kDequantize});
    joined_[next.index()] = true;
  }

  // [n, groups * c, ...] -> [n, groups, c, ...] -> [n, c, groups, ...] -> [n, c * groups, ...].
  void extend_to_shuffle(Unit& unit) {
    const Node& cut = graph_.node(unit.nodes[0]);
    const NodeId turn = only_reader(cut.output());
    if (!turn.valid() || !graph_.node(turn).is("Transpose")) return;
    const NodeId join = only_reader(graph_.node(turn).output());
    if (!join.valid() || !graph_.node(join).is("Reshape")) return;
    const auto from = extents(cut.inputs[0]);
    const auto between = extents(cut.output());
    if (!from || !between || extents(graph_.node(join).output()) != from || from->size() < 3 ||
        from->size() > 5 || graph_.node(join).inputs[0] != graph_.node(turn).output()) {
      return;
    }
    std::vector<int64_t> grouped = *from;
    const int64_t groups = between->size() > 1 ? (*between)[1] : 0;
    if (groups < 2 || grouped[1] % groups != 0) return;
    grouped[1] /= groups;
    grouped.insert(grouped.begin() + 1, groups);
    std::vector<int64_t> order(grouped.size());
    std::iota(order.begin(), order.end(), 0);
    std::swap(order[1], order[2]);
    if (*between != grouped || ir::ints_attribute(graph_.node(turn), "perm", {}) != order) return;
    for (const NodeId id : {turn, join}) {
      unit.nodes.push_back(id);
      unit.post_ops.push_back({PostOp::Kind::kShuffle, static_cast<float>(groups)});
      joined_[id.index()] = true;
    }
  }

  // The node that alone reads a value that nobody else looks at, unless it is in a unit already.
  NodeId only_reader(ValueId value) const {
    if (!value.valid() || readers_[value.index()] != 1) return {};
    const NodeId reader = reader_of(value);
    return reader.valid() && !joined_[reader.index()] ? reader : NodeId();
  }

  // Of a value of known shape.
  std::optional<std::vector<int64_t>> extents(ValueId id) const {
    if (!id.valid() || !specialized_.is_static(id)) return std::nullopt;
    return specialized_.value(id).type.shape.extents();
  }

  bool same_constant(ValueId a, ValueId b) const {
    if (!a.valid() || !b.valid()) return false;
    const ir::TensorPtr& x = specialized_.value(a).constant;
    const ir::TensorPtr& y = specialized_.value(b).constant;
    return x != nullptr && y != nullptr && (x == y || *x == *y);
  }

  // The only reader of a value, whose uses may also be by nodes that do not run.
  NodeId reader_of(ValueId value) const {
    for (const ir::Use& use : graph_.uses(value)) {
      if (runs_[use.node.index()]) return use.implicit ? NodeId() : use.node;
    }
    return {};
  }

  bool is_float(ValueId id) const {
    return specialized_.is_static(id) && specialized_.value(id).type.storage == ir::DType::kFloat32;
  }

  bool same_shape(ValueId a, ValueId b) const {
    return specialized_.is_static(a) && specialized_.is_static(b) &&
           specialized_.value(a).type.shape == specialized_.value(b).type.shape;
  }

  // A bound of Clip; nothing when the run decides it.
  std::optional<float> bound(const Node& node, size_t operand, const char* attribute,
                             float fallback) const {
    if (graph_.model.opset() < 11) return ir::float_attribute(node, attribute, fallback);
    const ValueId id = node.input(operand);
    if (!id.valid()) return fallback;
    const ir::TensorPtr& constant = specialized_.value(id).constant;
    if (constant == nullptr || constant->dtype() != ir::DType::kFloat32 ||
        constant->element_count() != 1) {
      return std::nullopt;
    }
    return constant->data<float>()[0];
  }

  std::optional<Joined> join(const Node& node, ValueId from, const Unit& unit) const {
    using Kind = PostOp::Kind;
    if (!node.domain.empty() || node.outputs.size() != 1 || !same_shape(from, node.output())) {
      return std::nullopt;
    }
    if (node.is("Relu")) return Joined{{Kind::kRelu}};
    if (node.is("Sigmoid")) return Joined{{Kind::kSigmoid}};
    if (node.is("HardSwish")) return Joined{{Kind::kHardSwish}};
    if (node.is("LeakyRelu")) {
      return Joined{{Kind::kLeakyRelu, ir::float_attribute(node, "alpha", 0.01F)}};
    }
    if (node.is("Clip") && node.inputs[0] == from) {
      const auto lower = bound(node, 1, "min", std::numeric_limits<float>::lowest());
      const auto upper = bound(node, 2, "max", std::numeric_limits<float>::max());
      if (!lower || !upper || *upper < *lower) return std::nullopt;
      return Joined{{Kind::kClip, *lower, *upper}};
    }
    if (node.is("Add")) return join_add(node, from, unit);
    return std::nullopt;
  }

  std::optional<Joined> join_add(const Node& node, ValueId from, const Unit& unit) const {
    const ValueId other = node.inputs[0] == from ? node.inputs[1] : node.inputs[0];
    if (other == from || !is_float(other)) return std::nullopt;
    if (unit.post_ops.empty() && is_bias(graph_.node(unit.nodes[0]), from, other)) {
      return Joined{{PostOp::Kind::kBias}, other};
    }
    const bool has_sum = std::any_of(unit.post_ops.begin(), unit.post_ops.end(),
                                     [](PostOp op) { return op.kind == PostOp::Kind::kSum; });
    if (has_sum || !same_shape(from, other)) return std::nullopt;
    return Joined{{PostOp::Kind::kSum}, other};
  }

  // True for a constant of one number per channel, added to a linear node without bias.
  bool is_bias(const Node& linear, ValueId from, ValueId addend) const {
    const bool matmul = linear.is("MatMul");
    if (linear.is("Gemm") || (!matmul && linear.input(2).valid()) ||
        specialized_.value(addend).constant == nullptr) {
      return false;
    }
    // A product with a vector has no axis of channels.
    if (matmul) {
      const ir::Shape& weight = specialized_.value(linear.inputs[1]).type.shape;
      if (!weight.has_rank() || weight.rank() < 2) return false;
    }
    const std::vector<int64_t> to = specialized_.value(from).type.shape.extents();
    const std::vector<int64_t> shape = specialized_.value(addend).type.shape.extents();
    if (to.size() < 2 || shape.size() > to.size()) return false;
    const size_t channels = matmul ? to.size() - 1 : 1;
    for (size_t i = 0; i < shape.size(); ++i) {
      const size_t axis = to.size() - shape.size() + i;
      if (shape[i] != (axis == channels ? to[axis] : 1)) return false;
    }
    return shape.size() >= to.size() - channels;
  }

  const ir::Graph& graph_;
  const Specialized& specialized_;
  std::vector<int> readers_;  // operands of nodes to run; outputs and observed values count twice
  std::vector<bool> runs_;
  std::vector<bool> joined_;
};

}  // namespace

std::vector<Unit> make_units(const ir::Graph& graph, const Specialized& specialized,
                             const std::vector<ValueId>& observed, Fusion fusion) {
  return UnitMaker(graph, specialized, observed).units(fusion);
}

}  // namespace octet::interpreter
