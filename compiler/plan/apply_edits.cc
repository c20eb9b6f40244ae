#include <algorithm>
#include <cmath>
#include <map>

#include "compiler/base/names.h"
#include "compiler/ir/patch.h"
#include "compiler/ops/schema.h"
#include "compiler/plan/apply.h"

namespace octet::plan {

using ir::Graph;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

namespace {

bool all_finite(const Tensor& tensor) {
  const auto values = tensor.data<float>();
  return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}

Status replace_constant(Graph& graph, const ReplacedConstant& replaced) {
  const ValueId id = graph.find_value(replaced.value);
  const Tensor* old = graph.constant(id);
  if (old == nullptr) return usage_error("it is not a constant of the model");
  if (old->dtype() != ir::DType::kFloat32) return usage_error("it is not float32");
  if (old->element_count() != replaced.tensor.element_count()) {
    return usage_error(replaced.tensor.element_count(), " numbers for ", old->element_count());
  }
  if (!all_finite(replaced.tensor)) return usage_error("it gets a number that is not finite");
  graph.set_constant(id, std::make_shared<const Tensor>(replaced.tensor.reshaped(old->shape())));
  return {};
}

Status add_scaling(Graph& graph, const std::map<std::string, NodeId>& nodes,
                   const Scaling& scaling) {
  const ValueId from = graph.find_value(scaling.value);
  if (!from.valid()) return usage_error("the model does not have it");
  const ir::TensorType type = graph.value(from).type;
  const ir::Shape& shape = type.shape;
  const int64_t count = scaling.factors.element_count();
  if (type.storage != ir::DType::kFloat32 || !shape.has_rank() || shape.rank() == 0 ||
      (shape[shape.rank() - 1].is_static() && shape[shape.rank() - 1].extent() != count) ||
      !all_finite(scaling.factors)) {
    return usage_error("it takes finite factors, one per channel of a float32 value's last axis; ",
                       count, " are given");
  }
  if (scaling.operands.empty()) return usage_error("nobody is to read the product");
  std::vector<std::pair<NodeId, size_t>> readers;
  for (const Operand& operand : scaling.operands) {
    const auto it = nodes.find(operand.node_output);
    const auto index = static_cast<size_t>(operand.input);
    if (it == nodes.end() || operand.input < 0 || graph.node(it->second).input(index) != from) {
      return usage_error("input ", operand.input, " of the node of ",
                         quote_name(operand.node_output), " does not read it");
    }
    readers.emplace_back(it->second, index);
  }
  const auto& order = graph.order();
  const NodeId first = *std::find_if(order.begin(), order.end(), [&](NodeId id) {
    return std::any_of(readers.begin(), readers.end(),
                       [&](const auto& reader) { return reader.first == id; });
  });
  OCTET_ASSIGN(const ValueId factors,
               graph.add_constant(graph.unique_value_name(scaling.result + "_factors"),
                                  std::make_shared<const Tensor>(scaling.factors)));
  ir::Node mul;
  mul.op_type = "Mul";
  mul.name = scaling.result;
  mul.inputs = {from, factors};
  mul.outputs = {ValueId()};
  mul.origins = graph.node(first).origins;
  const auto lookup = [&](ValueId id) -> const ir::Value& { return graph.value(id); };
  OCTET_ASSIGN(const std::vector<ir::ValueFacts> facts, ops::infer_node(mul, lookup, graph.model));
  OCTET_ASSIGN(const ValueId result, graph.add_value(scaling.result, facts.front().type));
  mul.outputs = {result};
  graph.add_node(std::move(mul), first);
  for (const auto& [node, input] : readers) graph.set_input(node, input, result);
  return {};
}

// Shaped to broadcast along axis 1 of a value of this rank.
Tensor along_channels(const Tensor& bounds, size_t rank) {
  std::vector<int64_t> shape(rank - 1, 1);
  shape.front() = bounds.element_count();
  return bounds.reshaped(shape);
}

Status bound_channels(Graph& graph, const ChannelBound& bound) {
  const ValueId old = graph.find_value(bound.value);
  const NodeId producer = old.valid() ? graph.value(old).producer : NodeId();
  if (!producer.valid() || !graph.node(producer).is("Clip")) {
    return usage_error("no Clip of the model computes it");
  }
  const ir::Node& clip = graph.node(producer);
  const Tensor* low = graph.constant(clip.input(1));
  if (low == nullptr || low->element_count() != 1 || low->at_as_double(0) != 0.0) {
    return usage_error("its Clip does not cut off at 0");
  }
  const ir::TensorType type = graph.value(old).type;
  const int64_t count = bound.bounds.element_count();
  if (type.storage != ir::DType::kFloat32 || !type.shape.has_rank() || type.shape.rank() < 2 ||
      (count > 0 && type.shape[1].is_static() && type.shape[1].extent() != count) ||
      !all_finite(bound.bounds)) {
    return usage_error("it takes finite bounds, one per channel of axis 1; ", count, " are given");
  }
  ir::Patch patch(graph, ops::infer_node);
  ir::NodeSpec relu;
  relu.op_type = "Relu";
  relu.inputs = {clip.input(0)};
  relu.name = ir::display_name(graph, clip);
  relu.origins = clip.origins;
  OCTET_ASSIGN(ValueId result, patch.node(std::move(relu)));
  if (count > 0) {
    ir::NodeSpec min;
    min.op_type = "Min";
    min.inputs = {result, patch.constant(along_channels(bound.bounds, type.shape.rank()),
                                         bound.value + "_bounds")};
    min.name = ir::display_name(graph, clip) + "_bound";
    min.origins = clip.origins;
    OCTET_ASSIGN(result, patch.node(std::move(min)));
  }
  OCTET_TRY(patch.replace(old, result));
  return std::move(patch).apply(graph);
}

}  // namespace

Status apply_edits(Graph& graph, const QuantPlan& plan) {
  for (const ReplacedConstant& replaced : plan.replaced) {
    OCTET_TRY(replace_constant(graph, replaced).in(cat("replaced ", quote_name(replaced.value))));
  }
  for (const ChannelBound& bound : plan.bounds) {
    OCTET_TRY(bound_channels(graph, bound).in(cat("bound ", quote_name(bound.value))));
  }
  if (plan.scalings.empty()) return {};
  std::map<std::string, NodeId> nodes;  // by first output
  for (NodeId id : graph.order()) {
    const ValueId output = graph.node(id).output();
    if (output.valid()) nodes.emplace(graph.value(output).name, id);
  }
  for (const Scaling& scaling : plan.scalings) {
    OCTET_TRY(add_scaling(graph, nodes, scaling).in(cat("scaling ", quote_name(scaling.value))));
  }
  return {};
}

}  // namespace octet::plan
