#include "compiler/plan/quantizer_sites.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

namespace octet::plan {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::ValueId;

namespace {

// Groups by union-find; the root is always the smallest member.
class Groups {
 public:
  size_t add() {
    parent_.push_back(parent_.size());
    return parent_.size() - 1;
  }
  size_t find(size_t member) {
    while (parent_[member] != member) {
      parent_[member] = parent_[parent_[member]];
      member = parent_[member];
    }
    return member;
  }
  void unite(size_t a, size_t b) {
    a = find(a);
    b = find(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<size_t> parent_;
};

class SiteFinder {
 public:
  SiteFinder(const Graph& graph, const BackendSpec& spec, const Placement& placement)
      : graph_(graph), spec_(spec), placement_(placement) {}

  Sites run() {
    for (const Demand& demand : placement_.demands) {
      if (is_constant_like(graph_, demand.value)) {
        add_constant(demand);
      } else if (satisfied_above(demand.value) == ValueId()) {
        add_reader(demand);
      }
    }
    for (size_t i = 0; i < placement_.units.units.size(); ++i) {
      if (placement_.integer[i]) add_output(placement_.units.units[i]);
    }
    for (size_t i = 0; i < placement_.units.units.size(); ++i) {
      if (placement_.integer[i]) tie_scales(placement_.units.units[i]);
    }
    Sites out;
    for (auto& [key, index] : site_of_) {
      sites_[index].group = groups_.find(index);
      out.activations.push_back(sites_[index]);
    }
    for (auto& [key, site] : constants_) out.constants.push_back(std::move(site));
    return out;
  }

 private:
  using Key = std::pair<ValueId, std::string>;

  size_t site(ValueId value, const std::string& space) {
    const auto [it, is_new] = site_of_.emplace(Key{value, space}, sites_.size());
    if (is_new) {
      sites_.push_back({value, space, Readers::kListed, {}, groups_.add()});
    }
    return it->second;
  }

  const Unit* integer_producer(ValueId value) const {
    const NodeId producer = graph_.value(value).producer;
    if (!producer.valid()) return nullptr;
    const int32_t index = placement_.units.of_node[producer.index()];
    if (index < 0 || !placement_.integer[static_cast<size_t>(index)]) return nullptr;
    const Unit& unit = placement_.units.units[static_cast<size_t>(index)];
    return unit.hands_on(value) ? &unit : nullptr;
  }

  static bool moves(const Unit& unit) { return unit.rule->participation == Participation::kMoves; }

  // Where quantizers stand above moves only: the moved value whose quantizer further up already
  // makes `value` integer; invalid when there is none.
  ValueId satisfied_above(ValueId value) const {
    if (spec_.move_placement != MovePlacement::kAbove) return {};
    const Unit* producer = integer_producer(value);
    if (producer == nullptr || !moves(*producer)) return {};
    return graph_.node(producer->head).input(0);
  }

  void add_reader(const Demand& demand) {
    ActivationSite& at = sites_[site(demand.value, demand.space)];
    at.operands.push_back({demand.node, static_cast<int32_t>(demand.input), false});
  }

  void add_constant(const Demand& demand) {
    const WeightSource source = weight_source(graph_, demand.value);
    ConstantSite& at = constants_[{source.constant, demand.space}];
    at.constant = source.constant;
    at.space = demand.space;
    at.role = demand.role;
    at.uses.push_back({{demand.node, static_cast<int32_t>(demand.input), false}, source.factor});
  }

  static const std::string& output_space(const OpRule& rule) {
    return rule.output_space.empty() ? rule.data_space : rule.output_space;
  }

  void add_output(const Unit& unit) {
    const bool pair_behind = unit.rule->output == OutputQuantizer::kRequired ||
                             (moves(unit) && spec_.move_placement == MovePlacement::kBothSides);
    if (!pair_behind) return;
    for (ValueId value : unit.outputs) {
      sites_[site(value, output_space(*unit.rule))].readers = Readers::kAll;
    }
  }

  void tie_scales(const Unit& unit) {
    const Node& head = graph_.node(unit.head);
    const bool joins =
        moves(unit) || (head.is("Concat") && spec_.join_scales == JoinScales::kOneScale);
    if (!joins) return;
    std::vector<size_t> members;
    const auto note = [&](ValueId value) {
      // A chain of moves shares the quantizer at its top.
      for (ValueId above = satisfied_above(value); above.valid(); above = satisfied_above(value)) {
        value = above;
      }
      const auto it = site_of_.find({value, unit.rule->data_space});
      if (it != site_of_.end()) members.push_back(it->second);
    };
    for (const Demand& demand : placement_.demands) {
      if (demand.node == unit.head) note(demand.value);
    }
    for (ValueId value : unit.outputs) note(value);
    for (size_t member : members) groups_.unite(members.front(), member);
  }

  const Graph& graph_;
  const BackendSpec& spec_;
  const Placement& placement_;
  std::map<Key, size_t> site_of_;
  std::vector<ActivationSite> sites_;
  std::map<Key, ConstantSite> constants_;
  Groups groups_;
};

}  // namespace

Sites find_sites(const Graph& graph, const BackendSpec& spec, const Placement& placement) {
  return SiteFinder(graph, spec, placement).run();
}

}  // namespace octet::plan
