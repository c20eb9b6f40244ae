// The check of a finished graph against the description of its target. The rules:
//   [A1] every quantize and dequantize node has a constant scale and zero point of one shape, the
//        zero point of the storage type; per-tensor ones are 0-d; per-axis nodes name their axis
//   [A2] scales are finite, normal and above zero
//   [A3] activations use a space of the description: its type, its zero point where symmetric
//   [A4] integer weights are symmetric, within the space's range, per the channel axis of their
//   reader [A5] an int32 bias has the scale x_scale * w_scale in float32; none where the bias is
//   float [A6] an integer product that requires a quantizer behind it has exactly that one reader
//   [A7] an operator that moves has equal parameters on both sides
//   [A8] every dequantize node has exactly one reader; bodies and outputs of the graph together
//        count as one
//   [A9] the operators are those of the imported operator set
#include <algorithm>
#include <cmath>
#include <optional>

#include "backends/backends.h"
#include "compiler/ops/schema.h"

namespace octet::backends {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;
using plan::BackendSpec;
using plan::OpRule;
using plan::Space;

namespace {

bool is_quantize(const Node& node) {
  return node.is("QuantizeLinear") || node.is("DequantizeLinear");
}

class Acceptance {
 public:
  Acceptance(const Graph& graph, const BackendSpec& spec) : graph_(graph), spec_(spec) {}

  Status run() const {
    if (graph_.model.opset() < spec_.opset) {
      return internal_error("opset ", graph_.model.opset(), " is below ", spec_.opset, " [A9]");
    }
    for (NodeId id : graph_.order()) {
      OCTET_TRY(check_node(id).in(ir::describe(graph_, id)));
    }
    return {};
  }

 private:
  Status check_node(NodeId id) const {
    const Node& node = graph_.node(id);
    if (is_quantize(node)) {
      OCTET_TRY(check_parameters(node));
      OCTET_TRY(check_readers(node));
      return check_space(node);
    }
    const OpRule* rule = spec_.find_op(node);
    if (rule == nullptr || !runs_in_integers(node)) return {};
    OCTET_TRY(check_weight(node, *rule));
    OCTET_TRY(check_bias(node));
    OCTET_TRY(check_output(node, *rule));
    return check_moves(node, *rule);
  }

  // The quantize or dequantize node that makes `value`, or null.
  const Node* producer(ValueId value, std::string_view type) const {
    if (!value.valid()) return nullptr;
    const NodeId id = graph_.value(value).producer;
    return id.valid() && graph_.node(id).is(type) ? &graph_.node(id) : nullptr;
  }

  // A node that reads dequantized data may still be a float one between integers: what tells is the
  // weight of a linear operator.
  bool runs_in_integers(const Node& node) const {
    const ops::OpSchema& schema = *ops::find_schema(node);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (schema.role(i) == ops::Role::kWeight &&
          producer(node.inputs[i], "DequantizeLinear") == nullptr) {
        return false;
      }
    }
    return producer(node.input(0), "DequantizeLinear") != nullptr;
  }

  Status check_parameters(const Node& node) const {
    const Tensor* scale = graph_.constant(node.input(1));
    const Tensor* zero_point = graph_.constant(node.input(2));
    if (scale == nullptr || zero_point == nullptr) {
      return internal_error("scale or zero point is missing or not constant [A1]");
    }
    if (scale->shape() != zero_point->shape()) {
      return internal_error("scale ", ir::Shape::of(scale->shape()).to_string(), " and zero point ",
                            ir::Shape::of(zero_point->shape()).to_string(),
                            " differ in shape [A1]");
    }
    if (scale->rank() > 0 && !ir::has_attribute(node, "axis")) {
      return internal_error("per-axis without an axis [A1]");
    }
    const ValueId integers = node.is("QuantizeLinear") ? node.output() : node.input(0);
    if (graph_.value(integers).type.storage != zero_point->dtype()) {
      return internal_error("zero point is ", numerics::dtype_name(zero_point->dtype()),
                            ", the integers are ",
                            numerics::dtype_name(graph_.value(integers).type.storage), " [A1]");
    }
    for (float value : scale->to_floats()) {
      if (!std::isnormal(value) || value < 0.0F) return internal_error("scale ", value, " [A2]");
    }
    return {};
  }

  Status check_readers(const Node& node) const {
    if (!node.is("DequantizeLinear")) return {};
    // Bodies and outputs of the graph take the value by its name: one reader, however many.
    bool by_name = graph_.is_output(node.output());
    size_t readers = 0;
    for (const ir::Use& use : graph_.uses(node.output())) {
      by_name = by_name || use.implicit;
      readers += use.implicit ? 0 : 1;
    }
    readers += by_name ? 1 : 0;
    if (readers != 1) return internal_error(readers, " readers instead of one [A8]");
    return {};
  }

  Status check_space(const Node& node) const {
    const Tensor& zero_point = *graph_.constant(node.input(2));
    const bool constant = node.is("DequantizeLinear") && graph_.constant(node.input(0)) != nullptr;
    if (constant) return {};
    for (const auto& [name, space] : spec_.spaces) {
      if (space.dtype != zero_point.dtype() || space.granularity != ir::Granularity::kPerTensor) {
        continue;
      }
      if (space.symmetry == numerics::Symmetry::kAsymmetric || zero_point.at_as_int64(0) == 0 ||
          !numerics::is_signed_integer(space.dtype)) {
        return {};
      }
    }
    return internal_error("no space of backend ", spec_.name, " takes ",
                          numerics::dtype_name(zero_point.dtype()), " with zero point ",
                          zero_point.at_as_int64(0), " [A3]");
  }

  // Of the two that a weight may have, the one of its type.
  const Space& space_of(const Tensor& weight, const OpRule& rule) const {
    const Space* wide = spec_.find_space(rule.wide_weight_space);
    return wide != nullptr && wide->dtype == weight.dtype() ? *wide
                                                            : *spec_.find_space(rule.weight_space);
  }

  Status check_weight(const Node& node, const OpRule& rule) const {
    const ops::OpSchema& schema = *ops::find_schema(node);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (schema.role(i) != ops::Role::kWeight) continue;
      const Node* dequantize = producer(node.inputs[i], "DequantizeLinear");
      const Tensor* weight = graph_.constant(dequantize->input(0));
      if (weight == nullptr) continue;
      const Space& space = space_of(*weight, rule);
      const auto axis = schema.weight_channel_axis(node, weight->rank());
      const bool blocked = ir::int_attribute(*dequantize, "block_size", 0) > 0;
      if (blocked && space.granularity != ir::Granularity::kBlocked) {
        return internal_error("weight scales in blocks [A4]");
      }
      if (!blocked && graph_.constant(dequantize->input(1))->rank() > 0 && axis &&
          ir::int_attribute(*dequantize, "axis", 1) != *axis) {
        return internal_error("weight scales along axis ",
                              ir::int_attribute(*dequantize, "axis", 1), " instead of ", *axis,
                              " [A4]");
      }
      if (weight->dtype() != space.dtype) {
        return internal_error("weight is ", numerics::dtype_name(weight->dtype()), " [A4]");
      }
      for (int64_t k = 0; k < weight->element_count(); ++k) {
        const int64_t q = weight->at_as_int64(k);
        if (q < space.qmin || q > space.qmax) {
          return internal_error("weight element ", q, " outside ", space.qmin, "..", space.qmax,
                                " [A4]");
        }
      }
      for (int64_t zero : graph_.constant(dequantize->input(2))->to_int64s()) {
        if (space.symmetry == numerics::Symmetry::kSymmetric && zero != 0) {
          return internal_error("weight zero point ", zero, " [A4]");
        }
      }
    }
    return {};
  }

  Status check_bias(const Node& node) const {
    const ops::OpSchema& schema = *ops::find_schema(node);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (schema.role(i) != ops::Role::kBias) continue;
      const Node* bias = producer(node.inputs[i], "DequantizeLinear");
      if (bias == nullptr) continue;
      if (spec_.bias != plan::BiasForm::kInt32) return internal_error("bias is int32 [A5]");
      const Node& x = *producer(node.input(0), "DequantizeLinear");
      const Node* w = producer(node.input(1), "DequantizeLinear");
      const float x_scale = graph_.constant(x.input(1))->to_floats().front();
      const std::vector<float> w_scales = graph_.constant(w->input(1))->to_floats();
      const std::vector<float> scales = graph_.constant(bias->input(1))->to_floats();
      const bool equal =
          std::equal(scales.begin(), scales.end(), w_scales.begin(), w_scales.end(),
                     [&](float scale, float w_scale) { return scale == x_scale * w_scale; });
      if (!equal) return internal_error("bias scale is not x_scale * w_scale [A5]");
    }
    return {};
  }

  bool fuses(const Node& node) const {
    const auto& list = spec_.fused_activations;
    return node.domain.empty() && std::find(list.begin(), list.end(), node.op_type) != list.end();
  }

  Status check_output(const Node& node, const OpRule& rule) const {
    if (rule.output != plan::OutputQuantizer::kRequired ||
        rule.participation != plan::Participation::kAlways) {
      return {};
    }
    for (ValueId output : node.outputs) {
      ValueId value = output;
      if (!value.valid()) continue;
      while (graph_.has_single_use(value) && fuses(graph_.node(graph_.uses(value).front().node))) {
        value = graph_.node(graph_.uses(value).front().node).output();
      }
      if (!graph_.has_single_use(value) ||
          !graph_.node(graph_.uses(value).front().node).is("QuantizeLinear")) {
        return internal_error("its result is not read by one quantizer alone [A6]");
      }
    }
    return {};
  }

  // Scale and zero point as seen by the operand or result of an operator that moves.
  std::optional<std::pair<float, int64_t>> parameters(const Node* node) const {
    if (node == nullptr) return std::nullopt;
    return std::pair{graph_.constant(node->input(1))->to_floats().front(),
                     graph_.constant(node->input(2))->at_as_int64(0)};
  }

  Status check_moves(const Node& node, const OpRule& rule) const {
    const bool joins = node.is("Concat") && spec_.join_scales == plan::JoinScales::kOneScale;
    if (rule.participation != plan::Participation::kMoves && !joins) return {};
    const auto expected = parameters(producer(node.input(0), "DequantizeLinear"));
    const ops::OpSchema& schema = *ops::find_schema(node);
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      if (schema.role(i) != ops::Role::kData) continue;
      const auto found = parameters(producer(node.inputs[i], "DequantizeLinear"));
      if (found && found != expected) {
        return internal_error("inputs with different parameters [A7]");
      }
    }
    for (ValueId output : node.outputs) {
      if (!output.valid() || !graph_.has_single_use(output)) continue;
      const Node& reader = graph_.node(graph_.uses(output).front().node);
      if (reader.is("QuantizeLinear") && parameters(&reader) != expected) {
        return internal_error("input and output with different parameters [A7]");
      }
    }
    return {};
  }

  const Graph& graph_;
  const BackendSpec& spec_;
};

}  // namespace

Status check_acceptance(const Graph& graph, const BackendSpec& spec) {
  return Acceptance(graph, spec).run();
}

}  // namespace octet::backends
