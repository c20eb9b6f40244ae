#include "patterns/symbolic.h"

#include <algorithm>

#include "patterns/matcher.h"

namespace octet::patterns {
namespace {

using ir::ValueId;

// An attribute with a value that no pattern asks for.
ir::Attribute unknown_attribute() { return ir::OpaqueAttribute{-1, "unknown"}; }

// One spelling of a pattern: which alternative each line takes, and whether each thing that may be
// absent is there. Enumerated like the digits of a number.
class Spelling {
 public:
  // A digit in [0, base).
  size_t pick(size_t base) {
    if (base < 2) return 0;
    if (at_ == digits_.size()) {
      digits_.push_back(0);
      bases_.push_back(base);
    }
    return digits_[at_++];
  }

  // Moves on to the next spelling; false after the last one.
  bool advance() {
    at_ = 0;
    while (!digits_.empty()) {
      if (++digits_.back() < bases_.back()) return true;
      digits_.pop_back();
      bases_.pop_back();
    }
    return false;
  }

 private:
  std::vector<size_t> digits_;
  std::vector<size_t> bases_;
  size_t at_ = 0;
};

class SymbolicGraph {
 public:
  explicit SymbolicGraph(const Rule& rule) : rule_(rule), values_(rule.value_names.size()) {
    graph_.model.opset_imports[""] = std::max<int64_t>(rule.min_opset, 7);
  }

  // The graph of the match lines; an invalid id when a line has no definite graph.
  ir::NodeId add_pattern(Spelling& spelling);
  void add_replacement();
  const ir::Graph& graph() const { return graph_; }

 private:
  ValueId fresh_input();
  ValueId named(size_t name);
  std::optional<ValueId> pattern_operand(const Operand& operand, Spelling& spelling);
  ir::Node node_of(const OpCall& call, const std::vector<ValueRef>& outputs);
  ValueId number(const Number& number);

  const Rule& rule_;
  ir::Graph graph_;
  std::vector<ValueId> values_;  // per value name
  size_t made_ = 0;
};

ValueId SymbolicGraph::fresh_input() {
  return graph_.add_input(cat("v", made_++), ir::TensorType()).value();
}

ValueId SymbolicGraph::named(size_t name) {
  if (!values_[name].valid()) values_[name] = fresh_input();
  return values_[name];
}

ValueId SymbolicGraph::number(const Number& number) {
  auto tensor = number.integer ? ir::Tensor::scalar<int64_t>(*number.integer)
                               : ir::Tensor::scalar<float>(static_cast<float>(number.value));
  return graph_
      .add_constant(cat("v", made_++), std::make_shared<const ir::Tensor>(std::move(tensor)))
      .value();
}

std::optional<ValueId> SymbolicGraph::pattern_operand(const Operand& operand, Spelling& spelling) {
  if (const auto* value = std::get_if<Number>(&operand)) return number(*value);
  const auto& ref = std::get<ValueRef>(operand);
  if (ref.optional && spelling.pick(2) == 0) return ValueId();
  return named(ref.name);
}

ir::Node SymbolicGraph::node_of(const OpCall& call, const std::vector<ValueRef>& outputs) {
  ir::Node node;
  node.domain = call.domain;
  node.op_type = call.op_type;
  for (const ValueRef& output : outputs) {
    values_[output.name] = graph_.add_value(cat("v", made_++), ir::TensorType()).value();
    node.outputs.push_back(values_[output.name]);
  }
  if (call.others == OpCall::Others::kAllowed) node.attributes["..."] = unknown_attribute();
  return node;
}

ir::NodeId SymbolicGraph::add_pattern(Spelling& spelling) {
  ir::NodeId last;
  for (const MatchLine& line : rule_.match) {
    if (line.chain) return {};
    const OpCall& call = line.alternatives[spelling.pick(line.alternatives.size())];
    std::vector<ValueId> inputs;
    for (const Operand& operand : call.operands) {
      inputs.push_back(*pattern_operand(operand, spelling));
    }
    ir::Node node = node_of(call, line.outputs);
    node.inputs = std::move(inputs);
    for (const AttributeTerm& term : call.attributes) {
      const bool optional = term.presence == AttributeTerm::Presence::kMayBeAbsent;
      if (optional && spelling.pick(2) == 0) continue;
      const auto* literal = std::get_if<ir::Attribute>(&term.value);
      node.attributes[term.name] = literal != nullptr ? *literal : unknown_attribute();
    }
    last = graph_.add_node(std::move(node));
  }
  for (const ValueRef& output : rule_.root().outputs) graph_.add_output(values_[output.name]);
  for (const ValueRef& kept : rule_.keep) graph_.add_output(values_[kept.name]);
  return last;
}

void SymbolicGraph::add_replacement() {
  for (const ReplaceLine& line : rule_.replace) {
    if (const auto* ref = std::get_if<ValueRef>(&line.value)) {
      values_[line.outputs[0].name] = named(ref->name);
      continue;
    }
    const auto* call = std::get_if<OpCall>(&line.value);
    if (call == nullptr) {
      values_[line.outputs[0].name] = fresh_input();
      continue;
    }
    std::vector<ValueId> inputs;
    for (const Operand& operand : call->operands) {
      if (const auto* ref = std::get_if<ValueRef>(&operand)) {
        inputs.push_back(named(ref->name));
      } else if (const auto* value = std::get_if<Number>(&operand)) {
        inputs.push_back(number(*value));
      } else {
        inputs.push_back(fresh_input());
      }
    }
    ir::Node node = node_of(*call, line.outputs);
    node.inputs = std::move(inputs);
    for (const AttributeTerm& term : call->attributes) {
      const auto* literal = std::get_if<ir::Attribute>(&term.value);
      node.attributes[term.name] = literal != nullptr ? *literal : unknown_attribute();
    }
    graph_.add_node(std::move(node));
  }
  for (const ValueRef& output : rule_.root().outputs) graph_.add_output(values_[output.name]);
}

bool matches_at(const ir::Graph& graph, const Rule& rule, ir::NodeId root) {
  return for_each_match(graph, rule, root, [](const Match&) { return true; });
}

}  // namespace

bool replacement_matches_again(const Rule& rule) {
  if (!rule.where.empty()) return false;
  SymbolicGraph symbolic(rule);
  symbolic.add_replacement();
  const auto& order = symbolic.graph().order();
  return std::any_of(order.begin(), order.end(),
                     [&](ir::NodeId id) { return matches_at(symbolic.graph(), rule, id); });
}

bool always_precedes(const Rule& earlier, const Rule& later) {
  if (!earlier.where.empty()) return false;
  if (earlier.min_opset > later.min_opset || earlier.max_opset < later.max_opset) return false;
  constexpr int kMaxSpellings = 512;
  Spelling spelling;
  for (int i = 0; i < kMaxSpellings; ++i) {
    SymbolicGraph symbolic(later);
    const ir::NodeId root = symbolic.add_pattern(spelling);
    if (!root.valid() || !matches_at(symbolic.graph(), earlier, root)) return false;
    if (!spelling.advance()) return true;
  }
  return false;
}

}  // namespace octet::patterns
