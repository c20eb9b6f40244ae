#include "compiler/plan/placement.h"

#include <algorithm>
#include <optional>

#include "compiler/base/names.h"

namespace octet::plan {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::ValueId;
using ops::Role;

namespace {

bool is_linear(const Node& node) {
  const ops::OpSchema* schema = ops::find_schema(node);
  return schema != nullptr && schema->weight_channel_axis != nullptr;
}

// Indices of the operands that carry numbers to be quantized.
std::vector<size_t> quantized_operands(const Node& node) {
  std::vector<size_t> out;
  const ops::OpSchema* schema = ops::find_schema(node);
  for (size_t i = 0; schema != nullptr && i < node.inputs.size(); ++i) {
    const Role role = schema->role(i);
    if (node.inputs[i].valid() && (role == Role::kData || role == Role::kWeight)) out.push_back(i);
  }
  return out;
}

std::optional<std::string> check_weight(const Graph& graph, const BackendSpec& spec,
                                        const Node& node, const OpRule& rule, size_t input) {
  const WeightSource source = weight_source(graph, node.inputs[input]);
  if (!source.constant.valid()) {
    if (!rule.dynamic_weight_space.empty()) return std::nullopt;
    return cat("input ", input, " is not constant and this backend keeps such products in float");
  }
  const ir::Tensor& weight = *graph.constant(source.constant);
  if (weight.dtype() != ir::DType::kFloat32) {
    return cat("its weight is ", numerics::dtype_name(weight.dtype()), ", not float32");
  }
  if (weight.element_count() == 0) return "its weight is empty";
  const Space* space = spec.find_space(rule.weight_space);
  if (source.factor.valid() && space != nullptr &&
      space->granularity == ir::Granularity::kPerTensor &&
      graph.constant(source.factor)->element_count() > 1) {
    return "branches share its weight with a factor per channel, which one scale cannot hold";
  }
  if (rule.min_channels > 0 && weight.rank() >= 2 &&
      std::min(weight.shape()[0], weight.shape()[1]) < rule.min_channels) {
    return cat("fewer than ", rule.min_channels, " channels per group");
  }
  return std::nullopt;
}

// Why the unit cannot run in integers by itself; nothing when it can.
std::optional<std::string> reason_for_float(const Graph& graph, const BackendSpec& spec,
                                            const Unit& unit, const Recipe& recipe) {
  const Node& node = graph.node(unit.head);
  if (precision_for(recipe, graph, node) == Precision::kFloat) return "the recipe says so";
  const auto raised = node.output().valid() ? recipe.raised.find(graph.value(node.output()).name)
                                            : recipe.raised.end();
  if (raised != recipe.raised.end()) return raised->second;
  const std::vector<size_t> operands = quantized_operands(node);
  if (operands.empty()) return "it has no operand to quantize";
  const ops::OpSchema& schema = *ops::find_schema(node);
  for (size_t input : operands) {
    const ir::TensorType& type = graph.value(node.inputs[input]).type;
    if (type.storage != ir::DType::kFloat32) {
      return cat(
          "input ", input, " is ", numerics::dtype_name(type.storage), ", not float32",
          numerics::is_floating_point(type.storage) ? "; convert the model to float32 first" : "");
    }
    if (schema.role(input) == Role::kWeight) {
      if (auto reason = check_weight(graph, spec, node, *unit.rule, input)) return reason;
    }
  }
  const ir::Shape& shape = graph.value(node.inputs[operands.front()]).type.shape;
  if (shape.has_rank()) {
    const auto rank = static_cast<int64_t>(shape.rank());
    if (rank < unit.rule->min_rank || rank > unit.rule->max_rank) {
      return cat("the backend runs it in integers for ranks ", unit.rule->min_rank, " to ",
                 unit.rule->max_rank, ", this one has ", rank);
    }
  }
  if (is_linear(node) && is_constant_like(graph, node.inputs[operands.front()])) {
    return "its first operand is constant";
  }
  return std::nullopt;
}

class Placer {
 public:
  Placer(const Graph& graph, const BackendSpec& spec, const Recipe& recipe)
      : graph_(graph), spec_(spec), recipe_(recipe) {}

  Placement run() {
    out_.units = find_units(graph_, spec_);
    const auto& units = out_.units.units;
    out_.integer.assign(units.size(), true);
    out_.reasons.assign(units.size(), "");
    for (size_t i = 0; i < units.size(); ++i) {
      if (auto reason = reason_for_float(graph_, spec_, units[i], recipe_)) make_float(i, *reason);
    }
    shrink_followers();
    find_ends();
    find_wide();
    collect_demands();
    return std::move(out_);
  }

 private:
  void make_float(size_t unit, std::string reason) {
    out_.integer[unit] = false;
    out_.reasons[unit] = std::move(reason);
  }

  bool is_integer(NodeId id) const {
    const int32_t unit = out_.units.of_node[id.index()];
    return unit >= 0 && out_.integer[static_cast<size_t>(unit)];
  }

  // The integer unit that hands the value on; a value inside a unit has none.
  bool comes_from_integers(ValueId value) const {
    const NodeId producer = graph_.value(value).producer;
    return producer.valid() && is_integer(producer) &&
           out_.units.unit_of(producer)->hands_on(value) &&
           out_.units.unit_of(producer)->rule->output != OutputQuantizer::kFloat;
  }

  bool read_by_integers(ValueId value) const {
    const auto uses = graph_.uses(value);
    return std::any_of(uses.begin(), uses.end(), [&](const ir::Use& use) {
      if (use.implicit || !is_integer(use.node)) return false;
      if (out_.units.unit_of(use.node)->head != use.node) return false;
      const std::vector<size_t> operands = quantized_operands(graph_.node(use.node));
      return std::find(operands.begin(), operands.end(), static_cast<size_t>(use.index)) !=
             operands.end();
    });
  }

  std::optional<std::string> reason_to_leave(const Unit& unit) const {
    const Node& node = graph_.node(unit.head);
    bool any_activation = false;
    bool any_integer = false;
    for (size_t input : quantized_operands(node)) {
      const ValueId value = node.inputs[input];
      if (is_constant_like(graph_, value)) continue;
      any_activation = true;
      any_integer = any_integer || comes_from_integers(value);
    }
    if (!any_activation) return "all its operands are constant";
    if (!any_integer) {
      return "what it reads comes from float, and integers would not pay for it alone";
    }
    if (std::none_of(unit.outputs.begin(), unit.outputs.end(),
                     [this](ValueId value) { return read_by_integers(value); })) {
      return "no integer operator reads its result";
    }
    return std::nullopt;
  }

  void shrink_followers() {
    const auto& units = out_.units.units;
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = 0; i < units.size(); ++i) {
        if (!out_.integer[i] || units[i].rule->participation == Participation::kAlways) continue;
        if (auto reason = reason_to_leave(units[i])) {
          make_float(i, *reason);
          changed = true;
        }
      }
    }
  }

  // The units with a weight that have none above them, or none below, on some way.
  void find_ends() {
    ends_.assign(out_.units.units.size(), false);
    const auto unit_with_weight = [&](NodeId id) -> std::optional<size_t> {
      const int32_t index = out_.units.of_node[id.index()];
      if (index < 0) return std::nullopt;
      const Unit& unit = out_.units.units[static_cast<size_t>(index)];
      const Node& node = graph_.node(id);
      const bool weighs = unit.head == id && !unit.rule->weight_space.empty() && is_linear(node) &&
                          is_constant_like(graph_, node.input(1));
      return weighs ? std::optional(static_cast<size_t>(index)) : std::nullopt;
    };
    std::vector<bool> above(graph_.value_count(), false);
    std::vector<bool> below(graph_.value_count(), false);
    const auto any = [](const std::vector<bool>& marks, const std::vector<ValueId>& values) {
      return std::any_of(values.begin(), values.end(),
                         [&](ValueId id) { return id.valid() && marks[id.index()]; });
    };
    const auto mark = [](std::vector<bool>& marks, const std::vector<ValueId>& values) {
      for (ValueId id : values) {
        if (id.valid()) marks[id.index()] = true;
      }
    };
    const auto& order = graph_.order();
    for (NodeId id : order) {
      const Node& node = graph_.node(id);
      const auto unit = unit_with_weight(id);
      const bool has = any(above, node.inputs) || any(above, node.implicit_inputs);
      if (unit && !has) ends_[*unit] = true;
      if (unit || has) mark(above, node.outputs);
    }
    for (size_t i = order.size(); i-- > 0;) {
      const Node& node = graph_.node(order[i]);
      const auto unit = unit_with_weight(order[i]);
      const bool has = any(below, node.outputs);
      if (unit && !has) ends_[*unit] = true;
      if (!unit && !has) continue;
      mark(below, node.inputs);
      mark(below, node.implicit_inputs);
    }
  }

  void find_wide() {
    const auto& units = out_.units.units;
    out_.wide.assign(units.size(), false);
    for (size_t i = 0; i < units.size(); ++i) {
      const Node& head = graph_.node(units[i].head);
      if (!out_.integer[i] || !head.output().valid()) continue;
      const bool asked = recipe_.widened.contains(graph_.value(head.output()).name) ||
                         activations_for(recipe_, graph_, head) == ActivationWidth::kInt16;
      out_.wide[i] = asked && can_widen(graph_, spec_, out_, i);
    }
  }

  const std::string& weight_space(size_t index) const {
    const Unit& unit = out_.units.units[index];
    const OpRule& rule = *unit.rule;
    if (rule.wide_weight_space.empty()) return rule.weight_space;
    const auto wanted = weights_for(recipe_, graph_, graph_.node(unit.head));
    const NarrowLayers narrow = recipe_.formats.narrow_layers;
    const bool spared =
        narrow == NarrowLayers::kNamed || (narrow == NarrowLayers::kInner && ends_[index]);
    const bool wide = wanted ? *wanted == WeightWidth::kInt8 : spared;
    return wide ? rule.wide_weight_space : rule.weight_space;
  }

  void collect_demands() {
    for (size_t i = 0; i < out_.units.units.size(); ++i) {
      const Unit& unit = out_.units.units[i];
      if (!out_.integer[i] || unit.rule->participation == Participation::kTransparent) continue;
      const Node& node = graph_.node(unit.head);
      int64_t bare = -1;
      if (spec_.residual_add == ResidualAdd::kSkipOperands && node.is("Add")) {
        bare = bare_operand(graph_, out_.units, out_.integer, unit.head);
      }
      for (size_t input : quantized_operands(node)) {
        if (static_cast<int64_t>(input) == bare) continue;
        out_.demands.push_back(demand(i, input));
      }
    }
  }

  Demand demand(size_t index, size_t input) const {
    const Unit& unit = out_.units.units[index];
    const Node& node = graph_.node(unit.head);
    const Role role = ops::find_schema(node)->role(input);
    const OpRule& rule = *unit.rule;
    Demand out{unit.head, static_cast<int64_t>(input), node.inputs[input],
               out_.wide[index] ? rule.wide_data_space : rule.data_space, role};
    if (role == Role::kWeight) {
      const bool constant = is_constant_like(graph_, node.inputs[input]);
      out.space = constant ? weight_space(index) : rule.dynamic_weight_space;
      if (!constant) out.role = Role::kData;
    }
    return out;
  }

  const Graph& graph_;
  const BackendSpec& spec_;
  const Recipe& recipe_;
  std::vector<bool> ends_;  // by unit
  Placement out_;
};

}  // namespace

Placement place(const Graph& graph, const BackendSpec& spec, const Recipe& recipe) {
  return Placer(graph, spec, recipe).run();
}

bool can_widen(const Graph& graph, const BackendSpec& spec, const Placement& placement,
               size_t unit) {
  const Units& units = placement.units;
  const OpRule& rule = *units.units[unit].rule;
  const Node& head = graph.node(units.units[unit].head);
  if (!placement.integer[unit] || rule.wide_data_space.empty() || !is_linear(head)) return false;
  if (!is_constant_like(graph, head.input(1))) return false;
  const Space* narrow = spec.find_space(rule.data_space);
  const Space* wide = spec.find_space(rule.wide_data_space);
  if (narrow == nullptr || wide == nullptr ||
      numerics::bit_width(wide->dtype) <= numerics::bit_width(narrow->dtype)) {
    return false;
  }
  const NodeId producer = graph.value(head.input(0)).producer;
  const int32_t index = producer.valid() ? units.of_node[producer.index()] : -1;
  if (index < 0 || !placement.integer[static_cast<size_t>(index)]) return true;
  const OpRule& above = *units.units[static_cast<size_t>(index)].rule;
  return above.output != OutputQuantizer::kRequired && above.participation != Participation::kMoves;
}

int64_t bare_operand(const Graph& graph, const Units& units, const std::vector<bool>& integer,
                     NodeId add) {
  // Linear operators on the longest way from the inputs to each value.
  std::vector<int64_t> depth(graph.value_count(), 0);
  for (NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    int64_t deepest = 0;
    for (ValueId input : node.inputs) {
      if (input.valid()) deepest = std::max(deepest, depth[input.index()]);
    }
    for (ValueId output : node.outputs) {
      if (output.valid()) depth[output.index()] = deepest + (is_linear(node) ? 1 : 0);
    }
    if (id == add) break;
  }
  int64_t best = -1;
  int64_t best_depth = -1;
  const Node& node = graph.node(add);
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId value = node.inputs[i];
    const NodeId producer = graph.value(value).producer;
    if (!producer.valid() || !graph.has_single_use(value)) continue;
    const int32_t index = units.of_node[producer.index()];
    if (index < 0 || !integer[static_cast<size_t>(index)]) continue;
    const Unit& unit = units.units[static_cast<size_t>(index)];
    const std::string& type = graph.node(unit.head).op_type;
    if (!unit.hands_on(value) || (type != "Conv" && type != "ConvTranspose")) continue;
    if (depth[value.index()] >= best_depth) {
      best = static_cast<int64_t>(i);
      best_depth = depth[value.index()];
    }
  }
  return best;
}

}  // namespace octet::plan
