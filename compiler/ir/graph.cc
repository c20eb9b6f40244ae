#include "compiler/ir/graph.h"

#include <algorithm>
#include <cstddef>

#include "compiler/base/names.h"

namespace octet::ir {

int64_t ModelInfo::opset() const {
  const auto it = opset_imports.find("");
  return it == opset_imports.end() ? 0 : it->second;
}

// --- reading ---------------------------------------------------------------------------------

bool Graph::is_output(ValueId id) const {
  return std::find(outputs_.begin(), outputs_.end(), id) != outputs_.end();
}

ValueId Graph::find_value(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? ValueId() : it->second;
}

NodeId Graph::find_node(std::string_view name) const {
  for (NodeId id : order_) {
    if (node(id).name == name) return id;
  }
  for (NodeId id : order_) {
    const auto& origins = node(id).origins;
    if (std::find(origins.begin(), origins.end(), name) != origins.end()) return id;
  }
  return {};
}

std::vector<ValueId> Graph::required_inputs() const {
  std::vector<ValueId> out;
  for (ValueId id : inputs_) {
    if (!value(id).is_constant()) out.push_back(id);
  }
  return out;
}

std::string Graph::unique_value_name(std::string_view hint) const {
  std::string base(hint.empty() ? "value" : hint);
  std::string name = base;
  for (int64_t i = 1; by_name_.contains(name); ++i) name = cat(base, "_", i);
  return name;
}

// --- values ----------------------------------------------------------------------------------

Result<ValueId> Graph::new_value(Value value) {
  if (value.name.empty()) return malformed("a value without a name");
  const ValueId id(values_.size());
  if (!by_name_.emplace(value.name, id).second) {
    return malformed("two values are called ", quote_name(value.name));
  }
  values_.push_back(std::move(value));
  uses_.emplace_back();
  ++revision_;
  return id;
}

Result<ValueId> Graph::add_value(std::string value_name, TensorType type) {
  Value value;
  value.name = std::move(value_name);
  value.type = std::move(type);
  return new_value(std::move(value));
}

Result<ValueId> Graph::add_input(std::string value_name, TensorType type) {
  OCTET_ASSIGN(const ValueId id, add_value(std::move(value_name), std::move(type)));
  values_[id.index()].is_input = true;
  inputs_.push_back(id);
  return id;
}

Result<ValueId> Graph::add_capture(std::string value_name, TensorType type) {
  OCTET_ASSIGN(const ValueId id, add_value(std::move(value_name), std::move(type)));
  captures_.push_back(id);
  return id;
}

void Graph::make_captures_inputs() {
  for (ValueId id : captures_) values_[id.index()].is_input = true;
  inputs_.insert(inputs_.end(), captures_.begin(), captures_.end());
  captures_.clear();
  ++revision_;
}

Result<ValueId> Graph::add_constant(std::string value_name, TensorPtr tensor) {
  Value value;
  value.name = std::move(value_name);
  value.type = tensor->type();
  value.constant = std::move(tensor);
  return new_value(std::move(value));
}

void Graph::set_constant(ValueId id, TensorPtr tensor) {
  Value& value = values_[id.index()];
  value.type = tensor->type();
  value.constant = std::move(tensor);
  ++revision_;
}

void Graph::add_output(ValueId id) {
  outputs_.push_back(id);
  ++revision_;
}

void Graph::set_facts(ValueId id, ValueFacts facts) {
  Value& value = values_[id.index()];
  value.type = std::move(facts.type);
  value.elements = std::move(facts.elements);
}

void Graph::set_type(ValueId id, TensorType type) { values_[id.index()].type = std::move(type); }

void Graph::set_preserved(ValueId id, std::string bytes) {
  values_[id.index()].preserved = std::move(bytes);
}

Status Graph::rename_value(ValueId id, std::string new_name) {
  Value& value = values_[id.index()];
  if (value.name == new_name) return {};
  if (new_name.empty()) return malformed("a value without a name");
  if (!by_name_.emplace(new_name, id).second) {
    return malformed("two values are called ", quote_name(new_name));
  }
  by_name_.erase(value.name);
  value.name = std::move(new_name);
  ++revision_;
  return {};
}

void Graph::remove_input(ValueId id) {
  inputs_.erase(std::remove(inputs_.begin(), inputs_.end(), id), inputs_.end());
  values_[id.index()].is_input = false;
  ++revision_;
}

void Graph::remove_unused_constants() {
  for (size_t i = 0; i < values_.size(); ++i) {
    Value& value = values_[i];
    if (!value.alive || !value.is_constant() || value.is_input) continue;
    if (!uses_[i].empty() || is_output(ValueId(i))) continue;
    value.alive = false;
    value.constant = nullptr;
    by_name_.erase(value.name);
    ++revision_;
  }
}

// --- nodes -----------------------------------------------------------------------------------

void Graph::add_uses(NodeId id) {
  const Node& node = nodes_[id.index()];
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i].valid()) {
      uses_[node.inputs[i].index()].push_back({id, static_cast<int32_t>(i), false});
    }
  }
  for (size_t i = 0; i < node.implicit_inputs.size(); ++i) {
    uses_[node.implicit_inputs[i].index()].push_back({id, static_cast<int32_t>(i), true});
  }
}

void Graph::drop_use(ValueId value, const Use& use) {
  if (!value.valid()) return;
  auto& uses = uses_[value.index()];
  const auto it = std::find(uses.begin(), uses.end(), use);
  if (it != uses.end()) uses.erase(it);
}

NodeId Graph::add_node(Node node, NodeId before) {
  const NodeId id(nodes_.size());
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].valid()) values_[node.outputs[i].index()].producer = id;
  }
  node.alive = true;
  nodes_.push_back(std::move(node));
  add_uses(id);
  insert_in_order(id, before.valid() ? position(before) : order_.size());
  ++revision_;
  return id;
}

void Graph::remove_node(NodeId id) {
  Node& node = nodes_[id.index()];
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    drop_use(node.inputs[i], {id, static_cast<int32_t>(i), false});
  }
  for (size_t i = 0; i < node.implicit_inputs.size(); ++i) {
    drop_use(node.implicit_inputs[i], {id, static_cast<int32_t>(i), true});
  }
  for (ValueId output : node.outputs) {
    if (!output.valid()) continue;
    Value& value = values_[output.index()];
    value.alive = false;
    by_name_.erase(value.name);
  }
  node.alive = false;
  order_.erase(order_.begin() + static_cast<std::ptrdiff_t>(position(id)));
  ++revision_;
}

void Graph::set_input(NodeId id, size_t index, ValueId value) {
  Node& node = nodes_[id.index()];
  if (node.inputs.size() <= index) node.inputs.resize(index + 1);
  const Use use{id, static_cast<int32_t>(index), false};
  drop_use(node.inputs[index], use);
  node.inputs[index] = value;
  if (value.valid()) uses_[value.index()].push_back(use);
  ++revision_;
}

void Graph::replace_uses(ValueId from, ValueId to, NodeId newer) {
  if (from == to) return;
  std::vector<Use> kept;
  for (const Use& use : uses_[from.index()]) {
    if (newer.valid() && use.node >= newer) {
      kept.push_back(use);
      continue;
    }
    Node& node = nodes_[use.node.index()];
    auto& operands = use.implicit ? node.implicit_inputs : node.inputs;
    operands[static_cast<size_t>(use.index)] = to;
    uses_[to.index()].push_back(use);
  }
  uses_[from.index()] = std::move(kept);
  std::replace(outputs_.begin(), outputs_.end(), from, to);
  ++revision_;
}

void Graph::set_origins(NodeId id, std::vector<std::string> origins) {
  nodes_[id.index()].origins = std::move(origins);
  ++revision_;
}

void Graph::set_implicit_inputs(NodeId id, std::vector<ValueId> values) {
  Node& node = nodes_[id.index()];
  for (size_t i = 0; i < node.implicit_inputs.size(); ++i) {
    drop_use(node.implicit_inputs[i], {id, static_cast<int32_t>(i), true});
  }
  node.implicit_inputs = std::move(values);
  for (size_t i = 0; i < node.implicit_inputs.size(); ++i) {
    uses_[node.implicit_inputs[i].index()].push_back({id, static_cast<int32_t>(i), true});
  }
  ++revision_;
}

void Graph::set_attribute(NodeId id, const std::string& attribute_name, Attribute attribute) {
  nodes_[id.index()].attributes.insert_or_assign(attribute_name, std::move(attribute));
  ++revision_;
}

// --- names -----------------------------------------------------------------------------------

std::string display_name(const Graph& graph, const Node& node) {
  if (!node.name.empty()) return node.name;
  if (!node.origins.empty()) return node.origins.front();
  for (ValueId output : node.outputs) {
    if (output.valid()) return graph.value(output).name;
  }
  return "(unnamed)";
}

std::string describe(const Graph& graph, const Node& node) {
  const std::string type = node.domain.empty() ? node.op_type : node.domain + "." + node.op_type;
  std::string quoted = quote_name(type);
  return cat("node ", quote_name(display_name(graph, node)), " (",
             quoted.substr(1, quoted.size() - 2), ")");
}

std::string describe(const Graph& graph, NodeId id) { return describe(graph, graph.node(id)); }

// --- attributes ------------------------------------------------------------------------------

std::vector<GraphPtr> bodies(const Node& node) {
  std::vector<GraphPtr> out;
  for (const auto& [name, attribute] : node.attributes) {
    if (const auto* graph = std::get_if<GraphPtr>(&attribute)) out.push_back(*graph);
  }
  return out;
}

namespace {

template <typename T>
const T* attribute_as(const Node& node, std::string_view name) {
  const auto it = node.attributes.find(name);
  return it == node.attributes.end() ? nullptr : std::get_if<T>(&it->second);
}

}  // namespace

int64_t int_attribute(const Node& node, std::string_view name, int64_t fallback) {
  const auto* value = attribute_as<int64_t>(node, name);
  return value != nullptr ? *value : fallback;
}

float float_attribute(const Node& node, std::string_view name, float fallback) {
  const auto* value = attribute_as<float>(node, name);
  return value != nullptr ? *value : fallback;
}

std::string string_attribute(const Node& node, std::string_view name, std::string_view fallback) {
  const auto* value = attribute_as<std::string>(node, name);
  return value != nullptr ? *value : std::string(fallback);
}

std::vector<int64_t> ints_attribute(const Node& node, std::string_view name,
                                    std::vector<int64_t> fallback) {
  const auto* value = attribute_as<std::vector<int64_t>>(node, name);
  return value != nullptr ? *value : fallback;
}

std::vector<float> floats_attribute(const Node& node, std::string_view name) {
  const auto* value = attribute_as<std::vector<float>>(node, name);
  return value != nullptr ? *value : std::vector<float>();
}

TensorPtr tensor_attribute(const Node& node, std::string_view name) {
  const auto* value = attribute_as<TensorPtr>(node, name);
  return value != nullptr ? *value : nullptr;
}

bool has_attribute(const Node& node, std::string_view name) {
  return node.attributes.find(name) != node.attributes.end();
}

}  // namespace octet::ir
