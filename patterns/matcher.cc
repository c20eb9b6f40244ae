#include "patterns/matcher.h"

#include <algorithm>
#include <cmath>

#include "compiler/ops/schema.h"

namespace octet::patterns {
namespace {

using ir::NodeId;
using ir::ValueId;

// Numbers of rules are decimals: they equal a constant that is the nearest of its type, give or
// take how many digits an exporter keeps.
constexpr double kRelativeTolerance = 1e-6;

// Chains longer than this are not looked through.
constexpr size_t kMaxChain = 32;

// Lines tried per root. Patterns of many commutative operators that fail late could try for ever.
constexpr int64_t kMaxSteps = 1 << 16;

bool close(double actual, double wanted) {
  if (actual == wanted) return true;
  return std::isfinite(actual) && std::isfinite(wanted) &&
         std::abs(actual - wanted) <= kRelativeTolerance * std::abs(wanted);
}

bool element_equals(const ir::Tensor& tensor, int64_t i, const Number& number, double rounded) {
  if (!numerics::is_integer(tensor.dtype())) return close(tensor.at_as_double(i), rounded);
  return number.integer && tensor.at_as_int64(i) == *number.integer;
}

bool all_equal(const ir::Tensor& tensor, const Number& number) {
  if (tensor.element_count() == 0) return false;
  if (!numerics::is_integer(tensor.dtype()) && !numerics::is_floating_point(tensor.dtype())) {
    return false;
  }
  // 16-bit floats hold few digits: compare with the number as that type has it.
  auto one = ir::Tensor::zeros(tensor.dtype(), {});
  if (!one.ok()) return false;
  one->set_from_double(0, number.value);
  const double rounded = one->at_as_double(0);
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    if (!element_equals(tensor, i, number, rounded)) return false;
  }
  return true;
}

bool stretches_nothing(const ir::Tensor& constant, const ir::Shape& other) {
  if (!other.has_rank() || constant.rank() > other.rank()) return false;
  const size_t shift = other.rank() - constant.rank();
  for (size_t i = 0; i < constant.rank(); ++i) {
    if (constant.shape()[i] != 1 && !(other[i + shift] == ir::Dim(constant.shape()[i]))) {
      return false;
    }
  }
  return true;
}

// A number in a pattern stands for its value only: a constant that would broadcast the other
// operands to a larger shape is no such number.
bool keeps_shape(const ir::Graph& graph, const ir::Node& node, ValueId literal) {
  const ir::Tensor& constant = *graph.constant(literal);
  if (constant.rank() == 0) return true;
  const ops::OpSchema* schema = ops::find_schema(node);
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId other = node.inputs[i];
    if (other == literal && schema != nullptr &&
        (schema->role(i) == ops::Role::kShape || schema->role(i) == ops::Role::kIndex)) {
      return true;
    }
    if (other.valid() && other != literal &&
        stretches_nothing(constant, graph.value(other).type.shape)) {
      return true;
    }
  }
  return false;
}

bool number_matches(const ir::Attribute& actual, double wanted) {
  if (const auto* i = std::get_if<int64_t>(&actual)) return static_cast<double>(*i) == wanted;
  const auto* f = std::get_if<float>(&actual);
  return f != nullptr && close(*f, static_cast<float>(wanted));
}

bool literal_matches(const ir::Attribute& actual, const ir::Attribute& wanted) {
  if (const auto* i = std::get_if<int64_t>(&wanted)) {
    return number_matches(actual, static_cast<double>(*i));
  }
  if (const auto* f = std::get_if<float>(&wanted)) return number_matches(actual, *f);
  return ir::attributes_equal(actual, wanted);
}

class Matcher {
 public:
  Matcher(const ir::Graph& graph, const Rule& rule, const std::function<bool(const Match&)>& accept)
      : graph_(graph), rule_(rule), accept_(accept) {}

  bool run(NodeId root);

 private:
  struct Goal {
    size_t name;
    ValueId value;
  };
  struct State {
    Match match;
    std::vector<Goal> goals;
  };
  enum class OperandOrder { kAsWritten, kExchanged };

  bool solve(State state);
  bool solve_line(const State& state, size_t line, NodeId node);
  bool solve_chain(const State& state, size_t line, ValueId top);
  bool add_call(State& state, const OpCall& call, const ir::Node& node, OperandOrder order) const;
  bool add_operand(State& state, const Operand& operand, const ir::Node& node, size_t index) const;
  bool bind_attributes(Match& match, const OpCall& call, const ir::Node& node) const;
  bool bind_attribute(Match& match, const AttributeTerm& term, const ir::Attribute* actual) const;
  bool bind_outputs(Match& match, const MatchLine& line, const ir::Node& node) const;
  bool is_link(const SkipChain& chain, const ir::Node& node) const;
  bool finish(const Match& match) const;
  bool is_private(const Match& match) const;

  const ir::Graph& graph_;
  const Rule& rule_;
  const std::function<bool(const Match&)>& accept_;
  int64_t steps_ = 0;
};

bool Matcher::run(NodeId root) {
  State state;
  state.match.values.resize(rule_.value_names.size());
  state.match.attributes.resize(rule_.attribute_names.size());
  state.match.nodes.resize(rule_.match.size());
  state.match.chains.resize(rule_.match.size());
  return solve_line(state, rule_.match.size() - 1, root);
}

bool Matcher::solve(State state) {
  while (!state.goals.empty()) {
    const Goal goal = state.goals.back();
    state.goals.pop_back();
    auto& bound = state.match.values[goal.name];
    if (bound) {
      if (*bound != goal.value) return false;
      continue;
    }
    const auto line = rule_.defining_line(goal.name);
    if (!line) {
      bound = goal.value;
      continue;
    }
    if (rule_.match[*line].chain) return solve_chain(state, *line, goal.value);
    const NodeId producer = graph_.value(goal.value).producer;
    if (!producer.valid()) return false;
    // Which output the goal is gets checked when the line binds all of its outputs.
    state.goals.push_back(goal);
    return solve_line(state, *line, producer);
  }
  return finish(state.match);
}

bool Matcher::solve_line(const State& state, size_t line, NodeId id) {
  if (++steps_ > kMaxSteps) return false;
  const ir::Node& node = graph_.node(id);
  for (const OpCall& call : rule_.match[line].alternatives) {
    if (call.op_type != node.op_type || call.domain != node.domain) continue;
    for (const OperandOrder order : {OperandOrder::kAsWritten, OperandOrder::kExchanged}) {
      if (order == OperandOrder::kExchanged) {
        const ops::OpSchema* schema = ops::find_schema(node);
        if (schema == nullptr || !schema->commutative || node.inputs.size() < 2) continue;
      }
      State next = state;
      next.match.nodes[line] = id;
      if (!bind_outputs(next.match, rule_.match[line], node)) return false;
      if (add_call(next, call, node, order) && solve(std::move(next))) return true;
    }
  }
  return false;
}

bool Matcher::is_link(const SkipChain& chain, const ir::Node& node) const {
  if (!node.input(0).valid() || node.outputs.size() != 1) return false;
  return std::any_of(chain.operators.begin(), chain.operators.end(), [&](const OpCall& call) {
    return call.op_type == node.op_type && call.domain == node.domain;
  });
}

bool Matcher::solve_chain(const State& state, size_t line, ValueId top) {
  const SkipChain& chain = *rule_.match[line].chain;
  std::vector<NodeId> links;
  std::vector<ValueId> ends = {top};
  while (links.size() < kMaxChain) {
    const NodeId producer = graph_.value(ends.back()).producer;
    if (!producer.valid() || !is_link(chain, graph_.node(producer))) break;
    links.push_back(producer);
    ends.push_back(graph_.node(producer).input(0));
  }
  for (;; links.pop_back(), ends.pop_back()) {
    State next = state;
    next.match.values[rule_.match[line].outputs[0].name] = top;
    next.match.chains[line] = links;
    next.goals.push_back({chain.inner.name, ends.back()});
    if (solve(std::move(next))) return true;
    if (links.empty()) return false;
  }
}

bool Matcher::bind_outputs(Match& match, const MatchLine& line, const ir::Node& node) const {
  for (size_t i = 0; i < line.outputs.size(); ++i) {
    const ValueId output = node.output(i);
    if (!output.valid() && !line.outputs[i].optional) return false;
    match.values[line.outputs[i].name] = output;
  }
  return true;
}

bool Matcher::add_call(State& state, const OpCall& call, const ir::Node& node,
                       OperandOrder order) const {
  for (size_t i = call.operands.size(); i < node.inputs.size(); ++i) {
    if (node.inputs[i].valid()) return false;
  }
  if (!bind_attributes(state.match, call, node)) return false;
  // The last goal is looked at first: operands go in from the back.
  for (size_t i = call.operands.size(); i-- > 0;) {
    const size_t index = order == OperandOrder::kExchanged && i < 2 ? 1 - i : i;
    if (!add_operand(state, call.operands[i], node, index)) return false;
  }
  return true;
}

bool Matcher::add_operand(State& state, const Operand& operand, const ir::Node& node,
                          size_t index) const {
  const ValueId actual = node.input(index);
  if (const auto* number = std::get_if<Number>(&operand)) {
    const ir::Tensor* constant = graph_.constant(actual);
    return constant != nullptr && all_equal(*constant, *number) &&
           keeps_shape(graph_, node, actual);
  }
  const auto& ref = std::get<ValueRef>(operand);
  if (actual.valid()) {
    state.goals.push_back({ref.name, actual});
    return true;
  }
  if (!ref.optional) return false;
  auto& bound = state.match.values[ref.name];
  if (bound && bound->valid()) return false;
  bound = ValueId();
  return true;
}

bool Matcher::bind_attributes(Match& match, const OpCall& call, const ir::Node& node) const {
  for (const AttributeTerm& term : call.attributes) {
    const auto at = node.attributes.find(term.name);
    const ir::Attribute* actual = at == node.attributes.end() ? nullptr : &at->second;
    if (actual == nullptr && term.presence == AttributeTerm::Presence::kRequired) return false;
    if (!bind_attribute(match, term, actual)) return false;
  }
  if (call.others == OpCall::Others::kAllowed) return true;
  return std::all_of(node.attributes.begin(), node.attributes.end(), [&](const auto& entry) {
    return std::any_of(call.attributes.begin(), call.attributes.end(),
                       [&](const AttributeTerm& term) { return term.name == entry.first; });
  });
}

bool Matcher::bind_attribute(Match& match, const AttributeTerm& term,
                             const ir::Attribute* actual) const {
  if (const auto* literal = std::get_if<ir::Attribute>(&term.value)) {
    return actual == nullptr || literal_matches(*actual, *literal);
  }
  auto& bound = match.attributes[std::get<AttributeRef>(term.value).name];
  if (!bound) {
    bound = actual;
    return true;
  }
  if (*bound == nullptr || actual == nullptr) return *bound == actual;
  return ir::attributes_equal(**bound, *actual);
}

// No value between the leaves and the root may be read from outside: the rewrite would leave its
// node behind, and make the model larger.
bool Matcher::is_private(const Match& match) const {
  std::vector<NodeId> inside;
  for (size_t i = 0; i < match.nodes.size(); ++i) {
    if (match.nodes[i].valid()) inside.push_back(match.nodes[i]);
    inside.insert(inside.end(), match.chains[i].begin(), match.chains[i].end());
  }
  std::vector<ValueId> excepted;
  for (const ValueRef& kept : rule_.keep) excepted.push_back(match.value(kept.name));
  for (const ValueRef& output : rule_.root().outputs) excepted.push_back(match.value(output.name));
  const auto contains = [](const auto& list, const auto& item) {
    return std::find(list.begin(), list.end(), item) != list.end();
  };
  for (NodeId id : inside) {
    for (ValueId output : graph_.node(id).outputs) {
      if (!output.valid() || contains(excepted, output)) continue;
      if (graph_.is_output(output)) return false;
      for (const ir::Use& use : graph_.uses(output)) {
        if (use.implicit || !contains(inside, use.node)) return false;
      }
    }
  }
  return true;
}

bool Matcher::finish(const Match& match) const { return is_private(match) && accept_(match); }

}  // namespace

bool for_each_match(const ir::Graph& graph, const Rule& rule, NodeId root,
                    const std::function<bool(const Match&)>& accept) {
  return Matcher(graph, rule, accept).run(root);
}

std::vector<BoundArgument> bind_arguments(const std::vector<Argument>& arguments,
                                          const Match& match) {
  std::vector<BoundArgument> out;
  for (const Argument& argument : arguments) {
    if (const auto* value = std::get_if<ValueRef>(&argument)) {
      out.emplace_back(match.value(value->name));
    } else if (const auto* attribute = std::get_if<AttributeRef>(&argument)) {
      out.emplace_back(match.attribute(attribute->name));
    } else if (const auto* number = std::get_if<Number>(&argument)) {
      out.emplace_back(*number);
    } else {
      out.emplace_back(std::get<Word>(argument).text);
    }
  }
  return out;
}

bool holds(const ir::Graph& graph, const WhereClause& clause, const Match& match) {
  const std::vector<BoundArgument> arguments = bind_arguments(clause.arguments, match);
  const ArgumentContext context{graph, arguments};
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (context.is_absent(i)) return true;
  }
  const Predicate* predicate = find_predicate(clause.predicate);
  return predicate != nullptr && predicate->holds(context);
}

std::optional<Match> find_match(const ir::Graph& graph, const Rule& rule, NodeId root) {
  std::optional<Match> found;
  for_each_match(graph, rule, root, [&](const Match& match) {
    for (const WhereClause& clause : rule.where) {
      if (!holds(graph, clause, match)) return false;
    }
    found = match;
    return true;
  });
  return found;
}

}  // namespace octet::patterns
