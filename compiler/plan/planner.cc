#include "compiler/plan/planner.h"

#include <algorithm>
#include <map>
#include <optional>

#include "compiler/base/names.h"
#include "compiler/calibration/fingerprint.h"
#include "compiler/plan/parameters.h"
#include "compiler/plan/placement.h"
#include "compiler/plan/quantizer_sites.h"

namespace octet::plan {

using calibration::Range;
using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::QuantParams;
using ir::ValueId;

namespace {

// The output range of the operator that computes `value`, where that is known beforehand.
std::optional<ops::FixedRange> fixed_range(const Graph& graph, ValueId value) {
  const NodeId producer = graph.value(value).producer;
  if (!producer.valid()) return std::nullopt;
  const ops::OpSchema* schema = ops::find_schema(graph.node(producer));
  return schema == nullptr ? std::nullopt : schema->fixed_range;
}

Operand operand_of(const Graph& graph, const ir::Use& use) {
  return {graph.value(graph.node(use.node).output()).name, use.index};
}

// Whose overrides say how the range of a site is chosen: the readers'. Nobody reads an output of
// the model; whoever computes it speaks for it.
std::vector<NodeId> range_nodes(const Graph& graph, const ActivationSite& site) {
  std::vector<NodeId> out;
  for (const ir::Use& use : site.operands) out.push_back(use.node);
  const NodeId producer = graph.value(site.value).producer;
  if (graph.uses(site.value).empty() && producer.valid()) out.push_back(producer);
  return out;
}

class Planner {
 public:
  Planner(const Graph& graph, const calibration::Statistics& statistics, const BackendSpec& spec,
          const Recipe& recipe)
      : graph_(graph), statistics_(statistics), spec_(spec), recipe_(recipe) {}

  Result<QuantPlan> run() {
    plan_.fingerprint = statistics_.fingerprint;
    plan_.backend = spec_.name;
    plan_.data_free = statistics_.data_free;
    plan_.formats = to_string(recipe_.formats);
    placement_ = place(graph_, spec_, recipe_);
    OCTET_TRY(check_widths());
    sites_ = find_sites(graph_, spec_, placement_);
    OCTET_TRY(choose_activations());
    find_biases();
    OCTET_TRY(choose_constants());
    explain();
    return std::move(plan_);
  }

 private:
  // Whoever asks for 16 bits by name gets them or hears why not.
  Status check_widths() const {
    for (size_t i = 0; i < placement_.units.units.size(); ++i) {
      const Unit& unit = placement_.units.units[i];
      const Node& head = graph_.node(unit.head);
      if (!placement_.integer[i] || placement_.wide[i] || unit.rule->weight_space.empty() ||
          activations_for(recipe_, graph_, head) != ActivationWidth::kInt16 ||
          numerics::bit_width(spec_.find_space(unit.rule->data_space)->dtype) >= 16) {
        continue;
      }
      return usage_error(
          "the recipe asks for 16-bit activations of ", ir::describe(graph_, unit.head),
          unit.rule->wide_data_space.empty()
              ? cat(", which backend ", spec_.name, " does not have for single layers (wide_data)")
              : cat(", but what it reads has 8 bits behind the operator that computes it"),
          "; keep it in float (precision: FLOAT), or give --activations int16 for all");
    }
    return {};
  }

  Status choose_activations() {
    std::map<size_t, std::vector<const ActivationSite*>> groups;
    for (const ActivationSite& site : sites_.activations) groups[site.group].push_back(&site);
    std::map<size_t, QuantParams> params;
    for (const auto& [group, members] : groups) {
      OCTET_ASSIGN(QuantParams chosen, params_for_group(members));
      params.emplace(group, std::move(chosen));
    }
    for (const ActivationSite& site : sites_.activations) {
      ActivationQuantizer quantizer{
          graph_.value(site.value).name, params.at(site.group), site.readers, {}, ""};
      if (site.readers == Readers::kListed) {
        for (const ir::Use& use : site.operands) {
          quantizer.operands.push_back(operand_of(graph_, use));
          x_params_.insert_or_assign({use.node, use.index}, quantizer.params);
        }
      } else {
        for (const ir::Use& use : graph_.uses(site.value)) {
          x_params_.insert_or_assign({use.node, use.index}, quantizer.params);
        }
      }
      const ActivationSite& first = *groups.at(site.group).front();
      if (groups.at(site.group).size() > 1) {
        quantizer.shares_with = graph_.value(first.value).name;
      }
      plan_.activations.push_back(std::move(quantizer));
    }
    return {};
  }

  Result<QuantParams> params_for_group(const std::vector<const ActivationSite*>& members) {
    const Space& space = *spec_.find_space(members.front()->space);
    std::optional<Range> all;
    for (const ActivationSite* member : members) {
      OCTET_ASSIGN(const Range range, range_of(*member, space));
      all = all ? calibration::unite(*all, range) : range;
    }
    const bool unit = std::all_of(members.begin(), members.end(), [&](const auto* member) {
      const auto fixed = fixed_range(graph_, member->value);
      return fixed && fixed->min == 0.0F && fixed->max == 1.0F;
    });
    if (unit && spec_.unit_range_256 && space.symmetry == numerics::Symmetry::kAsymmetric) {
      // 1/256 and not 1/255: the runtimes' integer Softmax and Sigmoid multiply by 1/scale.
      QuantParams::Spec spec;
      spec.storage = space.dtype;
      spec.qmin = space.qmin;
      spec.qmax = space.qmax;
      spec.scales = {1.0F / static_cast<float>(int64_t{space.qmax} - space.qmin + 1)};
      spec.zero_points = {space.qmin};
      return QuantParams::make(std::move(spec));
    }
    return params_for_range(space_for(space, *all), *all);
  }

  // A symmetric range wastes what the narrower side does not use; up to an eighth of the steps (1
  // dB) is what doing without a zero point may cost.
  const Space& space_for(const Space& space, const Range& range) const {
    constexpr float kMostWaste = 1.125F;
    const float largest = std::max(-range.min, range.max);
    const bool near = 2.0F * largest <= kMostWaste * (range.max - range.min);
    return near && !space.nearly_symmetric.empty() ? *spec_.find_space(space.nearly_symmetric)
                                                   : space;
  }

  Result<Range> range_of(const ActivationSite& site, const Space& space) {
    if (const auto fixed = fixed_range(graph_, site.value)) return Range{fixed->min, fixed->max};
    const std::string& name = graph_.value(site.value).name;
    const auto found = recipe_.ranges.find(name);
    if (found != recipe_.ranges.end()) return found->second;
    const auto it = statistics_.tensors.find(name);
    if (it == statistics_.tensors.end()) {
      return bad_data(
          "the statistics hold nothing about the value ", quote_name(name),
          "; calibrate again with this version, with --backend where it is not built in");
    }
    const auto shape = space.symmetry == numerics::Symmetry::kSymmetric
                           ? calibration::RangeShape::kSymmetric
                           : calibration::RangeShape::kAnywhere;
    return calibration::choose_range(it->second, method_for(site), space.qmax - space.qmin + 1,
                                     shape)
        .in(cat("value ", quote_name(name)));
  }

  // That of the first node that overrides it.
  calibration::RangeMethod method_for(const ActivationSite& site) const {
    for (const NodeId id : range_nodes(graph_, site)) {
      const auto method = range_for(recipe_, graph_, graph_.node(id));
      if (method != recipe_.range) return method;
    }
    return recipe_.range;
  }

  // The constant operand that is added to a linear unit's accumulator.
  std::optional<ir::Use> bias_operand(const Unit& unit) const {
    const Node& head = graph_.node(unit.head);
    if (unit.bias_add.valid()) {
      const Node& add = graph_.node(unit.bias_add);
      const int32_t index = graph_.constant(add.input(0)) != nullptr ? 0 : 1;
      return ir::Use{unit.bias_add, index, false};
    }
    const ops::OpSchema* schema = ops::find_schema(head);
    for (size_t i = 0; i < head.inputs.size(); ++i) {
      const ir::Tensor* bias = graph_.constant(head.inputs[i]);
      if (schema->role(i) == ops::Role::kBias && bias != nullptr && bias->rank() == 1 &&
          bias->dtype() == ir::DType::kFloat32) {
        return ir::Use{unit.head, static_cast<int32_t>(i), false};
      }
    }
    return std::nullopt;
  }

  void find_biases() {
    if (spec_.bias != BiasForm::kInt32) return;
    for (size_t i = 0; i < placement_.units.units.size(); ++i) {
      const Unit& unit = placement_.units.units[i];
      if (!placement_.integer[i] || unit.rule->weight_space.empty()) continue;
      const auto operand = bias_operand(unit);
      const auto x = x_params_.find({unit.head, 0});
      if (!operand || x == x_params_.end()) continue;
      // Products of 16-bit data leave int32.
      if (numerics::bit_width(x->second.storage()) > 8) continue;
      const WeightSource weight = weight_source(graph_, graph_.node(unit.head).input(1));
      if (!weight.constant.valid()) continue;
      plan_.biases.push_back(
          {operand_of(graph_, *operand), graph_.value(graph_.node(unit.head).output()).name});
      raise_floor(
          weight,
          *graph_.constant(graph_.node(operand->node).input(static_cast<size_t>(operand->index))),
          x->second.scales().front());
    }
  }

  void raise_floor(const WeightSource& weight, const ir::Tensor& bias, float x_scale) {
    std::vector<float> floors = bias_scale_floor(bias, x_scale);
    if (weight.factor.valid()) {
      const std::vector<float> factors = graph_.constant(weight.factor)->to_floats();
      for (size_t c = 0; c < floors.size(); ++c) floors[c] /= factors[c % factors.size()];
    }
    std::vector<float>& known = floors_[weight.constant];
    known.resize(std::max(known.size(), floors.size()), 0.0F);
    for (size_t c = 0; c < floors.size(); ++c) known[c] = std::max(known[c], floors[c]);
  }

  Status choose_constants() {
    for (const ConstantSite& site : sites_.constants) {
      const ir::Tensor& tensor = *graph_.constant(site.constant);
      const Space& space = *spec_.find_space(site.space);
      int64_t axis = 0;
      const Node& reader = graph_.node(site.uses.front().operand.node);
      const ops::OpSchema& schema = *ops::find_schema(reader);
      if (schema.weight_channel_axis != nullptr) {
        axis = schema.weight_channel_axis(reader, tensor.rank()).value_or(0);
      }
      Space chosen = space;
      // A batched product has no single channel axis; a scalar has none at all.
      if (tensor.rank() < 2 && site.role != ops::Role::kWeight) {
        chosen.granularity = ir::Granularity::kPerTensor;
      }
      // A factor of a use stands per output channel, which blocks do not.
      const bool factored =
          std::any_of(site.uses.begin(), site.uses.end(),
                      [](const ConstantSite::Use& use) { return use.factor.valid(); });
      if (factored && chosen.granularity == ir::Granularity::kBlocked) {
        chosen.granularity = ir::Granularity::kPerAxis;
      }
      auto params = params_for_constant(chosen, tensor, axis, floors_[site.constant]);
      if (!params.ok()) {
        return params.error().in(cat("constant ", quote_name(graph_.value(site.constant).name)));
      }
      ConstantQuantizer quantizer{graph_.value(site.constant).name, *params, std::nullopt, {}};
      for (const auto& use : site.uses) {
        quantizer.uses.push_back({operand_of(graph_, use.operand),
                                  use.factor.valid() ? graph_.value(use.factor).name : ""});
      }
      plan_.constants.push_back(std::move(quantizer));
    }
    return {};
  }

  void explain() {
    for (NodeId id : graph_.order()) {
      const Node& node = graph_.node(id);
      const int32_t index = placement_.units.of_node[id.index()];
      const std::string name = ir::display_name(graph_, node);
      if (index >= 0) {
        const auto unit = static_cast<size_t>(index);
        const bool integer = placement_.integer[unit];
        const bool head = placement_.units.units[unit].head == id;
        std::string reason = placement_.reasons[unit];
        if (integer) reason = head ? why_wide(unit) : "fused behind the operator before it";
        plan_.remarks.push_back(
            {name, node.op_type, integer ? Decision::kInteger : Decision::kFloat, reason});
        continue;
      }
      plan_.remarks.push_back({name, node.op_type, Decision::kFloat, float_reason(node)});
    }
  }

  std::string why_wide(size_t unit) const {
    if (!placement_.wide[unit]) return "";
    const Node& head = graph_.node(placement_.units.units[unit].head);
    const auto raised = recipe_.widened.find(graph_.value(head.output()).name);
    return raised != recipe_.widened.end() ? raised->second
                                           : "16-bit activations: the recipe says so";
  }

  std::string float_reason(const Node& node) const {
    const ops::OpSchema* schema = ops::find_schema(node);
    if (schema == nullptr) return "Octet does not know this operator";
    const bool any_float = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      return id.valid() && graph_.value(id).type.storage == ir::DType::kFloat32;
    });
    for (const ValueId id : node.inputs) {
      const ir::DType type = id.valid() ? graph_.value(id).type.storage : ir::DType::kFloat32;
      if (!any_float && numerics::is_floating_point(type)) {
        return cat("computes in ", numerics::dtype_name(type),
                   "; convert the model to float32 first");
      }
    }
    if (!any_float) return "it does not work on float tensors";
    if (is_constant_like(graph_, node.output())) return "it is part of a weight";
    return cat("backend ", spec_.name, " has no integer form of it");
  }

  const Graph& graph_;
  const calibration::Statistics& statistics_;
  const BackendSpec& spec_;
  const Recipe& recipe_;
  Placement placement_;
  Sites sites_;
  QuantPlan plan_;
  std::map<std::pair<NodeId, int32_t>, QuantParams> x_params_;  // what each operand reads
  std::map<ValueId, std::vector<float>> floors_;                // of weight scales
};

}  // namespace

Result<QuantPlan> make_plan(const Graph& graph, const calibration::Statistics& statistics,
                            const BackendSpec& spec, const Recipe& recipe) {
  const std::string expected = calibration::fingerprint(graph);
  if (statistics.fingerprint != expected) {
    return usage_error("the statistics were gathered on another model (fingerprint ",
                       statistics.fingerprint, ", this model has ", expected,
                       "); calibrate this model");
  }
  OCTET_TRY(check_selectors(recipe, graph));
  return Planner(graph, statistics, spec, recipe).run();
}

NeededStatistics needed_statistics(const Graph& graph, const BackendSpec& spec,
                                   const Recipe& recipe) {
  NeededStatistics out;
  const Sites sites = find_sites(graph, spec, place(graph, spec, recipe));
  for (const ActivationSite& site : sites.activations) {
    if (fixed_range(graph, site.value)) continue;
    out.values.insert(site.value);
    bool histogram = recipe.range.needs_histogram();
    for (const NodeId id : range_nodes(graph, site)) {
      histogram = histogram || range_for(recipe, graph, graph.node(id)).needs_histogram();
    }
    if (histogram) out.histograms.insert(site.value);
  }
  return out;
}

}  // namespace octet::plan
