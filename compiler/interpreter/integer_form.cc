#include "compiler/interpreter/integer_form.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "compiler/interpreter/quantized_operands.h"
#include "compiler/numerics/quantize.h"

namespace octet::interpreter {
namespace {

using ir::DType;
using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

constexpr std::string_view kMicrosoft = "com.microsoft";

class Lowering {
 public:
  explicit Lowering(Graph graph) : graph_(std::move(graph)), operands_(graph_) {}

  Status run() {
    const std::vector<NodeId> order = graph_.order();
    lowered_.assign(graph_.node_count(), false);
    for (const NodeId id : order) {
      if (graph_.node(id).is("QuantizeLinear")) OCTET_TRY(lower_quantized(id));
      if (graph_.node(id).is("Split")) OCTET_TRY(lower_split(id));
    }
    for (const NodeId id : order) {
      const bool product = graph_.node(id).is("MatMul") || graph_.node(id).is("Gemm");
      if (product && !lowered_[id.index()]) OCTET_TRY(lower_to_float(id));
    }
    return {};
  }

  Graph graph() && { return std::move(graph_); }

 private:
  bool read_once(ValueId id) const { return graph_.has_single_use(id); }

  // The node whose output reaches the quantizer `y`, through a Relu or Clip that [I3] allows.
  NodeId behind_activation(ValueId id, const Quantized& y) const {
    if (!read_once(id)) return {};
    const NodeId producer = graph_.value(id).producer;
    if (!producer.valid()) return {};
    const Node& node = graph_.node(producer);
    const bool redundant = (node.is("Relu") && cuts_nothing(0.0F, kInfinity, y)) ||
                           (node.is("Clip") && clip_cuts_nothing(node, y));
    if (!redundant) return producer;
    const ValueId inner = node.inputs[0];
    return read_once(inner) ? graph_.value(inner).producer : NodeId();
  }

  static constexpr float kInfinity = std::numeric_limits<float>::infinity();

  // True when the bounds lie at or beyond the ends of what `y` can hold.
  static bool cuts_nothing(float low, float high, const Quantized& y) {
    const numerics::IntegerRange range = numerics::integer_range(y.dtype);
    const auto qmin = static_cast<int32_t>(range.min);
    const auto qmax = static_cast<int32_t>(range.max);
    const auto zero = static_cast<int32_t>(y.zero_points.front());
    return numerics::quantize(low, y.scales.front(), zero, qmin, qmax) == qmin &&
           numerics::quantize(high, y.scales.front(), zero, qmin, qmax) == qmax;
  }

  bool clip_cuts_nothing(const Node& node, const Quantized& y) const {
    float low = ir::float_attribute(node, "min", -kInfinity);
    float high = ir::float_attribute(node, "max", kInfinity);
    for (const size_t i : {size_t{1}, size_t{2}}) {
      if (!node.input(i).valid()) continue;
      const Tensor* bound = graph_.constant(node.inputs[i]);
      if (bound == nullptr || bound->element_count() != 1) return false;
      (i == 1 ? low : high) = bound->to_floats().front();
    }
    return low <= high && cuts_nothing(low, high, y);
  }

  // Writing.

  // `node` with other operands and another operator, its output replacing `replaced`.
  Status replace(ValueId replaced, NodeId before, Node node, std::string_view domain,
                 std::string_view op_type, std::vector<ValueId> inputs) {
    const ir::Value& old = graph_.value(replaced);
    OCTET_ASSIGN(const ValueId output,
                 graph_.add_value(graph_.unique_value_name(old.name), old.type));
    node.domain = domain;
    node.op_type = op_type;
    node.inputs = std::move(inputs);
    node.outputs = {output};
    graph_.add_node(std::move(node), before);
    graph_.replace_uses(replaced, output);
    ++replacements_;
    return {};
  }

  // Groups that end in a QuantizeLinear.

  Status lower_quantized(NodeId id) {
    const Node quantize = graph_.node(id);
    const ValueId result = quantize.output();
    const DType dtype = graph_.value(result).type.storage;
    if (!is_byte(dtype)) return {};
    OCTET_ASSIGN(const auto y, operands_.parameters(quantize, dtype));
    if (!y || !y->per_tensor()) return {};
    const NodeId producer = behind_activation(quantize.inputs[0], *y);
    if (!producer.valid()) return {};
    const Node node = graph_.node(producer);
    if (!node.domain.empty() || node.outputs.size() != 1) return {};
    const size_t before = replacements_;
    OCTET_TRY(lower_group(node, id, *y));
    lowered_[producer.index()] = replacements_ != before;
    return {};
  }

  Status lower_group(const Node& node, NodeId id, const Quantized& y) {
    if (node.is("Conv")) return lower_conv(node, id, y);
    if (node.is("MatMul")) return lower_matmul(node, id, y);
    if (node.is("Gemm")) return lower_gemm(node, id, &y);
    if (node.is("Add")) return lower_binary(node, id, y, "QLinearAdd");
    if (node.is("Mul")) return lower_binary(node, id, y, "QLinearMul");
    if (node.is("Concat")) return lower_concat(node, id, y);
    if (node.is("Sigmoid")) return lower_unary(node, id, y, "QLinearSigmoid");
    if (node.is("Softmax")) return lower_unary(node, id, y, "QLinearSoftmax");
    if (node.is("LeakyRelu")) return lower_unary(node, id, y, "QLinearLeakyRelu");
    if (node.is("AveragePool")) return lower_unary(node, id, y, "QLinearAveragePool");
    if (node.is("GlobalAveragePool")) return lower_unary(node, id, y, "QLinearGlobalAveragePool");
    if (moves_elements(node)) return lower_move(node, id, y);
    return {};
  }

  ValueId result_of(NodeId id) const { return graph_.node(id).output(); }

  Status lower_conv(const Node& node, NodeId id, const Quantized& y) {
    OCTET_ASSIGN(const auto x, operands_.activation(node.inputs[0]));
    OCTET_ASSIGN(const auto w, operands_.weight(node.inputs[1], 0));
    if (!x || !w || !fits(*x, *w, y)) return {};
    std::vector<ValueId> inputs = {x->integers, x->scale,      x->zero_point, w->integers,
                                   w->scale,    w->zero_point, y.scale,       y.zero_point};
    if (node.input(2).valid()) {
      OCTET_ASSIGN(const auto bias, operands_.integer_bias(node.inputs[2], *x, *w));
      if (!bias) return {};
      inputs.push_back(*bias);
    }
    return replace(result_of(id), id, node, "", "QLinearConv", std::move(inputs));
  }

  static bool fits(const Quantized& x, const Quantized& w, const Quantized& y) {
    return x.dtype == y.dtype && (x.dtype == DType::kUint8 || w.dtype == DType::kInt8);
  }

  Status lower_matmul(const Node& node, NodeId id, const Quantized& y) {
    OCTET_ASSIGN(const auto x, operands_.activation(node.inputs[0]));
    OCTET_ASSIGN(const auto w, operands_.matmul_factor(node.inputs[1]));
    if (!x || !w || !fits(*x, *w, y)) return {};
    return replace(result_of(id), id, node, "", "QLinearMatMul",
                   {x->integers, x->scale, x->zero_point, w->integers, w->scale, w->zero_point,
                    y.scale, y.zero_point});
  }

  // `y` is null for a float result.
  Status lower_gemm(const Node& node, NodeId id, const Quantized* y) {
    if (ir::float_attribute(node, "alpha", 1.0F) != 1.0F ||
        ir::float_attribute(node, "beta", 1.0F) != 1.0F) {
      return {};
    }
    OCTET_ASSIGN(const auto x, operands_.activation(node.inputs[0]));
    OCTET_ASSIGN(const auto w, operands_.weight(node.inputs[1],
                                                ir::int_attribute(node, "transB", 0) != 0 ? 0 : 1));
    if (!x || !w || !fits(*x, *w, y != nullptr ? *y : *x)) return {};
    std::vector<ValueId> inputs = {x->integers, x->scale, x->zero_point,
                                   w->integers, w->scale, w->zero_point};
    if (node.input(2).valid()) {
      OCTET_ASSIGN(const auto given, operands_.dequantized(node.inputs[2]));
      if (y == nullptr && !given) return {};  // a float result with a float bias stays float
      OCTET_ASSIGN(const auto bias, operands_.integer_bias(node.inputs[2], *x, *w));
      if (!bias) return {};
      inputs.push_back(*bias);
    }
    if (y != nullptr) {
      inputs.resize(7);
      inputs.push_back(y->scale);
      inputs.push_back(y->zero_point);
    }
    Node gemm = node;
    gemm.attributes.erase("beta");
    return replace(result_of(id), id, std::move(gemm), kMicrosoft, "QGemm", std::move(inputs));
  }

  Status lower_binary(const Node& node, NodeId id, const Quantized& y, std::string_view op_type) {
    OCTET_ASSIGN(const auto a, operands_.activation(node.inputs[0]));
    OCTET_ASSIGN(const auto b, operands_.activation(node.inputs[1]));
    if (!a || !b || a->dtype != y.dtype || b->dtype != y.dtype) return {};
    return replace(result_of(id), id, node, kMicrosoft, op_type,
                   {a->integers, a->scale, a->zero_point, b->integers, b->scale, b->zero_point,
                    y.scale, y.zero_point});
  }

  Status lower_concat(const Node& node, NodeId id, const Quantized& y) {
    std::vector<ValueId> inputs = {y.scale, y.zero_point};
    for (const ValueId input : node.inputs) {
      OCTET_ASSIGN(const auto x, operands_.activation(input));
      if (!x || x->dtype != y.dtype) return {};
      inputs.insert(inputs.end(), {x->integers, x->scale, x->zero_point});
    }
    return replace(result_of(id), id, node, kMicrosoft, "QLinearConcat", std::move(inputs));
  }

  Status lower_unary(Node node, NodeId id, const Quantized& y, std::string_view op_type) {
    OCTET_ASSIGN(const auto x, operands_.activation(node.inputs[0]));
    if (!x || x->dtype != y.dtype) return {};
    if (node.is("Softmax")) node.attributes["opset"] = graph_.model.opset();  // which axes
    return replace(result_of(id), id, node, kMicrosoft, op_type,
                   {x->integers, x->scale, x->zero_point, y.scale, y.zero_point});
  }

  // Operators that ONNX Runtime runs on the integers themselves. Those that fill in zeros (Pad,
  // Trilu) would fill in another number than the zero point.
  static bool moves_elements(const Node& node) {
    constexpr std::array<std::string_view, 14> kMoves = {
        "DepthToSpace", "Expand",  "Flatten", "Gather",  "GatherElements", "MaxPool",   "ReduceMax",
        "ReduceMin",    "Reshape", "Slice",   "Squeeze", "Tile",           "Transpose", "Unsqueeze",
    };
    return std::find(kMoves.begin(), kMoves.end(), node.op_type) != kMoves.end();
  }

  // [I5]
  Status lower_move(const Node& node, NodeId id, const Quantized& y) {
    if (node.inputs.empty()) return {};
    OCTET_ASSIGN(const auto x, operands_.activation(node.inputs[0]));
    if (!x || !x->same_as(y)) return {};
    std::vector<ValueId> inputs = node.inputs;
    inputs[0] = x->integers;
    return replace(result_of(id), id, node, node.domain, node.op_type, std::move(inputs));
  }

  // The result of the QuantizeLinear that alone reads `id`, where its parameters are those of `x`.
  Result<ValueId> quantized_alike(ValueId id, const Quantized& x) {
    const std::span<const ir::Use> uses = graph_.uses(id);
    if (!read_once(id) || uses.front().implicit) return ValueId();
    const Node& quantize = graph_.node(uses.front().node);
    if (!quantize.is("QuantizeLinear") || quantize.inputs[0] != id) return ValueId();
    const ValueId result = quantize.output();
    OCTET_ASSIGN(const auto y, operands_.parameters(quantize, graph_.value(result).type.storage));
    return y && x.same_as(*y) ? result : ValueId();
  }

  // [I5] for all outputs.
  Status lower_split(NodeId id) {
    const Node node = graph_.node(id);
    OCTET_ASSIGN(const auto x, operands_.activation(node.inputs[0]));
    if (!x) return {};
    std::vector<ValueId> results;
    for (const ValueId output : node.outputs) {
      ValueId result;
      if (output.valid()) {
        OCTET_ASSIGN(result, quantized_alike(output, *x));
        if (!result.valid()) return {};
      }
      results.push_back(result);
    }
    Node split = node;
    split.inputs[0] = x->integers;
    for (size_t i = 0; i < results.size(); ++i) {
      if (!results[i].valid()) continue;
      const ir::Value& old = graph_.value(results[i]);
      OCTET_ASSIGN(split.outputs[i],
                   graph_.add_value(graph_.unique_value_name(old.name), old.type));
    }
    const std::vector<ValueId> outputs = split.outputs;
    graph_.add_node(std::move(split), id);
    for (size_t i = 0; i < results.size(); ++i) {
      if (results[i].valid()) graph_.replace_uses(results[i], outputs[i]);
    }
    return {};
  }

  // Products whose result stays float.

  Status lower_to_float(NodeId id) {
    const Node node = graph_.node(id);
    if (node.is("Gemm")) return lower_gemm(node, id, nullptr);
    OCTET_ASSIGN(const auto x, operands_.activation(node.inputs[0]));
    OCTET_ASSIGN(const auto w, operands_.matmul_factor(node.inputs[1]));
    if (!x || !w || !fits(*x, *w, *x)) return {};
    return replace(node.output(), id, node, kMicrosoft, "MatMulIntegerToFloat",
                   {x->integers, w->integers, x->scale, w->scale, x->zero_point, w->zero_point});
  }

  Graph graph_;
  QuantizedOperands operands_;  // of graph_
  std::vector<bool> lowered_;   // by NodeId of the given graph
  size_t replacements_ = 0;
};

}  // namespace

Result<std::shared_ptr<const Graph>> integer_form(std::shared_ptr<const Graph> graph) {
  const bool quantized = std::any_of(graph->order().begin(), graph->order().end(), [&](NodeId id) {
    return graph->node(id).is("DequantizeLinear");
  });
  if (!quantized) return graph;
  Lowering lowering(*graph);
  OCTET_TRY(lowering.run());
  return std::shared_ptr<const Graph>(std::make_shared<const Graph>(std::move(lowering).graph()));
}

}  // namespace octet::interpreter
