// Comparison of graphs by content.
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "compiler/ir/graph.h"

namespace octet::ir {
namespace {

// Body graphs still to compare; a stack of our own because models choose the depth.
using Pending = std::vector<std::pair<const Graph*, const Graph*>>;

bool same_bits(float a, float b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

bool same_attribute(const Attribute& a, const Attribute& b, Pending& pending) {
  if (a.index() != b.index()) return false;
  if (const auto* tensor = std::get_if<TensorPtr>(&a)) {
    return **tensor == *std::get<TensorPtr>(b);
  }
  if (const auto* graph = std::get_if<GraphPtr>(&a)) {
    pending.emplace_back(graph->get(), std::get<GraphPtr>(b).get());
    return true;
  }
  if (const auto* number = std::get_if<float>(&a)) return same_bits(*number, std::get<float>(b));
  if (const auto* list = std::get_if<std::vector<float>>(&a)) {
    const auto& other = std::get<std::vector<float>>(b);
    return std::equal(list->begin(), list->end(), other.begin(), other.end(), same_bits);
  }
  return a == b;
}

class GraphComparison {
 public:
  GraphComparison(const Graph& a, const Graph& b, Pending& pending)
      : a_(a), b_(b), pending_(pending) {}

  bool equal() {
    return a_.name == b_.name && a_.doc_string == b_.doc_string && a_.preserved == b_.preserved &&
           a_.model == b_.model && same_values(a_.inputs(), b_.inputs()) &&
           same_values(a_.outputs(), b_.outputs()) && same_values(a_.captures(), b_.captures()) &&
           same_constants() && same_nodes();
  }

 private:
  bool same_value(ValueId a, ValueId b) const {
    if (!a.valid() || !b.valid()) return a.valid() == b.valid();
    const Value& x = a_.value(a);
    const Value& y = b_.value(b);
    return x.name == y.name && x.type == y.type && x.is_input == y.is_input &&
           x.preserved == y.preserved && x.is_constant() == y.is_constant() &&
           (!x.is_constant() || x.constant == y.constant || *x.constant == *y.constant);
  }

  bool same_values(const std::vector<ValueId>& a, const std::vector<ValueId>& b) const {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [this](ValueId x, ValueId y) { return same_value(x, y); });
  }

  static std::vector<ValueId> constants(const Graph& graph) {
    std::vector<ValueId> out;
    for (size_t i = 0; i < graph.value_count(); ++i) {
      const Value& value = graph.value(ValueId(i));
      if (value.alive && value.is_constant()) out.emplace_back(i);
    }
    std::sort(out.begin(), out.end(),
              [&](ValueId x, ValueId y) { return graph.value(x).name < graph.value(y).name; });
    return out;
  }

  bool same_constants() const { return same_values(constants(a_), constants(b_)); }

  bool same_nodes() const {
    return std::equal(a_.order().begin(), a_.order().end(), b_.order().begin(), b_.order().end(),
                      [this](NodeId x, NodeId y) { return same_node(a_.node(x), b_.node(y)); });
  }

  bool same_node(const Node& x, const Node& y) const {
    const auto same_entry = [this](const auto& p, const auto& q) {
      return p.first == q.first && same_attribute(p.second, q.second, pending_);
    };
    return x.domain == y.domain && x.op_type == y.op_type && x.name == y.name &&
           x.origins == y.origins && x.doc_string == y.doc_string && x.preserved == y.preserved &&
           same_values(x.inputs, y.inputs) && same_values(x.outputs, y.outputs) &&
           same_values(x.implicit_inputs, y.implicit_inputs) &&
           std::equal(x.attributes.begin(), x.attributes.end(), y.attributes.begin(),
                      y.attributes.end(), same_entry);
  }

  const Graph& a_;
  const Graph& b_;
  Pending& pending_;
};

bool all_equal(Pending pending) {
  while (!pending.empty()) {
    const auto [a, b] = pending.back();
    pending.pop_back();
    if (a != b && !GraphComparison(*a, *b, pending).equal()) return false;
  }
  return true;
}

}  // namespace

bool Graph::operator==(const Graph& other) const { return all_equal({{this, &other}}); }

bool attributes_equal(const Attribute& a, const Attribute& b) {
  Pending pending;
  return same_attribute(a, b, pending) && all_equal(std::move(pending));
}

}  // namespace octet::ir
