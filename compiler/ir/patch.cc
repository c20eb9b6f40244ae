#include "compiler/ir/patch.h"

#include <algorithm>
#include <map>
#include <set>

#include "compiler/base/names.h"

namespace octet::ir {

Patch::Patch(const Graph& graph, InferTypes infer)
    : graph_(graph), revision_(graph.revision()), infer_(std::move(infer)) {}

const Value& Patch::value(ValueId id) const {
  const size_t known = graph_.value_count();
  return id.index() < known ? graph_.value(id) : values_[id.index() - known];
}

std::string Patch::unique_name(std::string_view hint) {
  const std::string base(hint.empty() ? "value" : hint);
  const auto taken = [this](const std::string& name) {
    return names_.contains(name) || graph_.find_value(name).valid();
  };
  std::string name = base;
  for (int64_t i = 1; taken(name); ++i) name = cat(base, "_", i);
  names_.insert(name);
  return name;
}

ValueId Patch::constant(Tensor tensor, std::string_view hint) {
  return constant(std::make_shared<const Tensor>(std::move(tensor)), hint);
}

ValueId Patch::constant(TensorPtr tensor, std::string_view hint) {
  Value value;
  value.name = unique_name(hint);
  value.type = tensor->type();
  value.constant = std::move(tensor);
  values_.push_back(std::move(value));
  return ValueId(graph_.value_count() + values_.size() - 1);
}

Result<std::vector<ValueId>> Patch::nodes(NodeSpec spec) {
  Node node;
  node.domain = std::move(spec.domain);
  node.op_type = std::move(spec.op_type);
  node.name = std::move(spec.name);
  node.inputs = std::move(spec.inputs);
  node.attributes = std::move(spec.attributes);
  node.origins = std::move(spec.origins);
  node.outputs.resize(spec.outputs);
  const auto lookup = [this](ValueId id) -> const Value& { return value(id); };
  auto facts = infer_(node, lookup, graph_.model);
  if (!facts.ok()) return facts.error().in(cat("new node (", node.op_type, ")"));
  facts->resize(spec.outputs);
  const std::string hint = node.name.empty() ? node.op_type : node.name;
  for (size_t i = 0; i < spec.outputs; ++i) {
    Value output;
    output.name = unique_name(hint + "_output");
    output.type = (*facts)[i].type;
    output.elements = (*facts)[i].elements;
    values_.push_back(std::move(output));
    node.outputs[i] = ValueId(graph_.value_count() + values_.size() - 1);
  }
  std::vector<ValueId> outputs = node.outputs;
  nodes_.push_back(std::move(node));
  return outputs;
}

Result<ValueId> Patch::node(NodeSpec spec) {
  OCTET_ASSIGN(const std::vector<ValueId> outputs, nodes(std::move(spec)));
  return outputs.front();
}

namespace {

Status check_types(const Value& from, const Value& to) {
  const bool known = from.type.storage != DType::kUndefined && to.type.storage != DType::kUndefined;
  if ((known && from.type.storage != to.type.storage) ||
      !compatible(from.type.shape, to.type.shape)) {
    return internal_error("cannot replace ", quote_name(from.name), " of type ",
                          from.type.to_string(), " by a value of type ", to.type.to_string());
  }
  return {};
}

// Graph inputs and captures are known by name outside the graph.
bool has_fixed_name(const Graph& graph, ValueId id) {
  const auto& captures = graph.captures();
  return graph.value(id).is_input ||
         std::find(captures.begin(), captures.end(), id) != captures.end();
}

}  // namespace

Status Patch::replace(ValueId from, ValueId to) {
  OCTET_TRY(check_types(value(from), value(to)));
  const auto refuse = [&](std::string_view why) {
    return internal_error(quote_name(value(from).name), " cannot be replaced by ",
                          quote_name(value(to).name), ": ", why);
  };
  const bool is_output = graph_.is_output(from);
  if (is_output && has_fixed_name(graph_, from)) {
    return refuse("as graph input and output it is nothing but its name");
  }
  const bool existing = to.index() < graph_.value_count();
  if (is_output && existing && (has_fixed_name(graph_, to) || graph_.is_output(to))) {
    return refuse("a graph output keeps its name, and so does the other");
  }
  for (const Replacement& other : replacements_) {
    if (other.from == from) return refuse("it is replaced already");
    if (is_output && other.to == to && graph_.is_output(other.from)) {
      return refuse("one value cannot be two graph outputs");
    }
  }
  replacements_.push_back({from, to});
  return {};
}

Status Patch::replace_operand(NodeId node, size_t index, ValueId to) {
  const ValueId from = graph_.node(node).input(index);
  if (from.valid()) OCTET_TRY(check_types(value(from), value(to)));
  operands_.push_back({node, index, to});
  return {};
}

namespace {

void add_unique(std::vector<std::string>& list, const std::vector<std::string>& more) {
  for (const std::string& item : more) {
    if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
  }
}

// Removes `seeds` and what only they needed, unless something still reads it. Returns the origins
// of what was removed, in graph order.
std::vector<std::string> remove_dead(Graph& graph, std::vector<NodeId> seeds) {
  std::vector<NodeId> removed;
  while (!seeds.empty()) {
    const NodeId id = seeds.back();
    seeds.pop_back();
    const Node& node = graph.node(id);
    const bool in_use =
        !node.alive || std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId output) {
          return output.valid() && (!graph.uses(output).empty() || graph.is_output(output));
        });
    if (in_use) continue;
    std::vector<ValueId> operands = node.inputs;
    operands.insert(operands.end(), node.implicit_inputs.begin(), node.implicit_inputs.end());
    graph.remove_node(id);
    removed.push_back(id);
    for (ValueId operand : operands) {
      if (operand.valid() && graph.value(operand).producer.valid()) {
        seeds.push_back(graph.value(operand).producer);
      }
    }
  }
  std::sort(removed.begin(), removed.end(),
            [&](NodeId a, NodeId b) { return graph.comes_before(a, b); });
  std::vector<std::string> origins;
  for (NodeId id : removed) add_unique(origins, graph.node(id).origins);
  return origins;
}

}  // namespace

Status Patch::apply(Graph& graph) && {
  if (&graph != &graph_ || graph.revision() != revision_) {
    return internal_error("a patch was applied to a graph that changed after it was made");
  }
  const size_t first_value = graph.value_count();
  const NodeId first_node(graph.node_count());
  for (Value& value : values_) {
    auto added = value.is_constant() ? graph.add_constant(value.name, value.constant)
                                     : graph.add_value(value.name, value.type);
    if (!added.ok()) return internal_error(added.error().message());
    graph.set_facts(*added, {value.type, value.elements});
  }

  // New nodes go in front of the last node whose result is replaced, or of the first reader.
  std::set<NodeId> readers;
  std::set<NodeId> producers;
  for (const Replacement& r : replacements_) {
    if (graph.value(r.from).producer.valid()) producers.insert(graph.value(r.from).producer);
    for (const Use& use : graph.uses(r.from)) readers.insert(use.node);
  }
  for (const OperandReplacement& r : operands_) readers.insert(r.node);
  const auto earlier = [&](NodeId a, NodeId b) { return graph.comes_before(a, b); };
  NodeId anchor;
  if (!producers.empty()) {
    anchor = *std::max_element(producers.begin(), producers.end(), earlier);
  } else if (!readers.empty()) {
    anchor = *std::min_element(readers.begin(), readers.end(), earlier);
  }
  std::vector<NodeId> added;
  for (Node& node : nodes_) added.push_back(graph.add_node(std::move(node), anchor));

  std::vector<NodeId> seeds(producers.begin(), producers.end());
  std::map<ValueId, std::string> renames;
  for (const Replacement& r : replacements_) {
    const bool was_output = graph.is_output(r.from);
    graph.replace_uses(r.from, r.to, first_node);
    // An existing value keeps its name unless it becomes a graph output; of several names a new one
    // takes that of the output, else the first.
    const bool is_new = r.to.index() >= first_value && !graph.value(r.to).is_constant();
    const bool free_name = is_new && !has_fixed_name(graph, r.from);
    if (was_output) renames[r.to] = graph.value(r.from).name;
    if (!was_output && free_name) renames.emplace(r.to, graph.value(r.from).name);
  }
  for (const OperandReplacement& r : operands_) {
    const ValueId old = graph.node(r.node).input(r.index);
    graph.set_input(r.node, r.index, r.to);
    if (old.valid() && graph.value(old).producer.valid()) {
      seeds.push_back(graph.value(old).producer);
    }
  }
  const std::vector<std::string> origins = remove_dead(graph, std::move(seeds));
  for (NodeId id : added) {
    if (!graph.node(id).alive || !graph.node(id).origins.empty()) continue;
    std::vector<std::string> mine = origins;
    if (mine.empty() && anchor.valid()) mine = graph.node(anchor).origins;
    if (mine.empty()) mine = {display_name(graph, graph.node(id))};
    graph.set_origins(id, std::move(mine));
  }
  for (const auto& [id, name] : renames) {
    const ValueId holder = graph.find_value(name);
    if (holder.valid() && holder != id) {
      // The replaced value lives on: the new nodes read it.
      OCTET_TRY(graph.rename_value(holder, graph.unique_value_name(name + "_inner")));
    }
    OCTET_TRY(graph.rename_value(id, name));
  }
  readers.insert(added.begin(), added.end());
  const bool sorted = std::all_of(readers.begin(), readers.end(), [&](NodeId id) {
    return !graph.node(id).alive || graph.is_in_order(id);
  });
  if (!sorted) OCTET_TRY(graph.sort());
  return {};
}

}  // namespace octet::ir
