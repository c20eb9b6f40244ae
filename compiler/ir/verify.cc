#include "compiler/ir/verify.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "compiler/base/names.h"
#include "compiler/ir/parse.h"

namespace octet::ir {
namespace {

bool is_alive(const Graph& graph, ValueId id) {
  return id.valid() && id.index() < graph.value_count() && graph.value(id).alive;
}

std::string describe_value(const Graph& graph, ValueId id) {
  return "value " + quote_name(graph.value(id).name);
}

template <typename Check>
Status for_alive_values(const Graph& graph, const Check& check) {
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const ValueId id(i);
    if (graph.value(id).alive) OCTET_TRY(check(id, graph.value(id)));
  }
  return {};
}

// --- [V1] [V8] -------------------------------------------------------------------------------

// describe() may look at outputs, which are not known to be good yet.
std::string describe_safely(const Graph& graph, const Node& node) {
  Node without_outputs = node;
  without_outputs.outputs.clear();
  return describe(graph, without_outputs);
}

Status check_operands_alive(const Graph& graph, const Node& node) {
  const auto check = [&](const std::vector<ValueId>& ids, std::string_view what) -> Status {
    const bool optional = what != "implicit input";
    for (size_t i = 0; i < ids.size(); ++i) {
      if ((optional && !ids[i].valid()) || is_alive(graph, ids[i])) continue;
      return malformed(describe_safely(graph, node), ", ", what, " ", i,
                       ": not a value of this graph [V1]");
    }
    return {};
  };
  OCTET_TRY(check(node.inputs, "input"));
  OCTET_TRY(check(node.outputs, "output"));
  return check(node.implicit_inputs, "implicit input");
}

Status check_values_exist(const Graph& graph) {
  const auto check = [&](const std::vector<ValueId>& ids, std::string_view what,
                         std::string_view rule) -> Status {
    for (size_t i = 0; i < ids.size(); ++i) {
      if (!is_alive(graph, ids[i])) {
        return malformed(what, " ", i, " is not a value of this graph ", rule);
      }
    }
    return {};
  };
  OCTET_TRY(check(graph.inputs(), "graph input", "[V1]"));
  OCTET_TRY(check(graph.captures(), "capture", "[V1]"));
  OCTET_TRY(check(graph.outputs(), "graph output", "[V8]"));
  for (size_t i = 0; i < graph.node_count(); ++i) {
    const Node& node = graph.node(NodeId(i));
    if (node.alive) OCTET_TRY(check_operands_alive(graph, node));
  }
  return {};
}

// --- [V2] [V3] -------------------------------------------------------------------------------

Status check_order(const Graph& graph) {
  std::vector<bool> listed(graph.node_count(), false);
  for (NodeId id : graph.order()) {
    if (!id.valid() || id.index() >= graph.node_count()) {
      return malformed("the order lists a node that is not there [V2]");
    }
    if (!graph.node(id).alive) {
      return malformed(describe(graph, id), " is removed and still in the order [V2]");
    }
    if (listed[id.index()]) return malformed(describe(graph, id), " stands twice [V2]");
    listed[id.index()] = true;
  }
  for (size_t i = 0; i < graph.node_count(); ++i) {
    if (graph.node(NodeId(i)).alive && !listed[i]) {
      return malformed(describe(graph, NodeId(i)), " is not in the order [V2]");
    }
  }
  return {};
}

Status check_names(const Graph& graph) {
  return for_alive_values(graph, [&](ValueId id, const Value& value) -> Status {
    if (value.name.empty()) return malformed("value ", id.value, " has no name [V3]");
    const ValueId found = graph.find_value(value.name);
    if (found == id) return {};
    return malformed(describe_value(graph, id),
                     found.valid() ? " shares its name with another" : " is not found by its name",
                     " [V3]");
  });
}

// --- [V4] [V5] [V6] --------------------------------------------------------------------------

Status check_sources(const Graph& graph) {
  std::vector<int> listed_inputs(graph.value_count(), 0);
  std::vector<int> listed_captures(graph.value_count(), 0);
  for (ValueId id : graph.inputs()) ++listed_inputs[id.index()];
  for (ValueId id : graph.captures()) ++listed_captures[id.index()];
  return for_alive_values(graph, [&](ValueId id, const Value& value) -> Status {
    const int as_input = listed_inputs[id.index()];
    if (value.is_input != (as_input > 0)) {
      return malformed(describe_value(graph, id),
                       value.is_input ? " calls itself a graph input and is none [V4]"
                                      : " is a graph input unawares [V4]");
    }
    const int as_constant = value.is_constant() && as_input == 0 ? 1 : 0;
    const int sources =
        as_input + listed_captures[id.index()] + as_constant + (value.producer.valid() ? 1 : 0);
    if (sources == 1) return {};
    return malformed(describe_value(graph, id), " comes from ", sources,
                     " of graph inputs, captures, constants and nodes, not from one [V4]");
  });
}

Status check_producers(const Graph& graph) {
  std::vector<NodeId> maker(graph.value_count());
  for (NodeId id : graph.order()) {
    for (ValueId output : graph.node(id).outputs) {
      if (!output.valid()) continue;
      if (maker[output.index()].valid()) {
        return malformed(describe(graph, id), " and ", describe(graph, maker[output.index()]),
                         " both make ", describe_value(graph, output), " [V5]");
      }
      maker[output.index()] = id;
    }
  }
  return for_alive_values(graph, [&](ValueId id, const Value& value) -> Status {
    if (value.producer == maker[id.index()]) return {};
    return malformed(describe_value(graph, id), " takes another node than ",
                     maker[id.index()].valid() ? describe(graph, maker[id.index()]) : "none",
                     " for its producer [V5]");
  });
}

Status check_uses(const Graph& graph) {
  using Read = std::tuple<ValueId, NodeId, bool, int32_t>;
  std::vector<Read> operands;
  std::vector<Read> uses;
  for (NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    for (const bool implicit : {false, true}) {
      const auto& ids = implicit ? node.implicit_inputs : node.inputs;
      for (size_t i = 0; i < ids.size(); ++i) {
        if (ids[i].valid()) operands.emplace_back(ids[i], id, implicit, static_cast<int32_t>(i));
      }
    }
  }
  for (size_t i = 0; i < graph.value_count(); ++i) {
    for (const Use& use : graph.uses(ValueId(i))) {
      uses.emplace_back(ValueId(i), use.node, use.implicit, use.index);
    }
  }
  std::sort(operands.begin(), operands.end());
  std::sort(uses.begin(), uses.end());
  const auto [operand, use] =
      std::mismatch(operands.begin(), operands.end(), uses.begin(), uses.end());
  if (operand == operands.end() && use == uses.end()) return {};
  const bool missing = operand != operands.end() && (use == uses.end() || *operand < *use);
  const Read& first = missing ? *operand : *use;
  return malformed(describe_value(graph, std::get<0>(first)),
                   missing ? " is read without a use [V6]" : " has a use that is none [V6]");
}

// --- [V7] [V9] -------------------------------------------------------------------------------

Status check_topological(const Graph& graph) {
  std::vector<bool> done(graph.node_count(), false);
  for (NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    for (const auto* operands : {&node.inputs, &node.implicit_inputs}) {
      for (ValueId operand : *operands) {
        if (!operand.valid()) continue;
        const NodeId producer = graph.value(operand).producer;
        if (!producer.valid() || done[producer.index()]) continue;
        return malformed(describe(graph, id), " reads ", describe_value(graph, operand), " before ",
                         describe(graph, producer), " makes it [V7]");
      }
    }
    done[id.index()] = true;
  }
  return {};
}

Status check_origins(const Graph& graph) {
  for (NodeId id : graph.order()) {
    const auto& origins = graph.node(id).origins;
    const bool nameless = std::any_of(origins.begin(), origins.end(),
                                      [](const std::string& origin) { return origin.empty(); });
    if (origins.empty() || nameless) {
      return malformed(describe(graph, id), " does not say which nodes it stands for [V9]");
    }
  }
  return {};
}

// --- [V10] [V11] -----------------------------------------------------------------------------

Status check_types(const Graph& graph) {
  return for_alive_values(graph, [&](ValueId id, const Value& value) -> Status {
    const TensorType& type = value.type;
    if (value.is_constant()) {
      const TensorType actual = value.constant->type();
      const bool fits =
          value.is_input ? compatible(actual.shape, type.shape) : actual.shape == type.shape;
      if (actual.storage != type.storage || !fits) {
        return malformed(describe_value(graph, id), " of type ", type.to_string(),
                         " has a constant of type ", actual.to_string(), " [V10]");
      }
    }
    if (!type.quant) return {};
    if (type.quant->storage() != type.storage) {
      return malformed(describe_value(graph, id), " of type ", type.to_string(),
                       " has quantization parameters for ",
                       numerics::dtype_name(type.quant->storage()), " [V11]");
    }
    if (const Status status = type.quant->check_against(type.shape); !status.ok()) {
      return malformed(describe_value(graph, id), ": ", status.error().message(), " [V11]");
    }
    return {};
  });
}

// --- [V12] [V13] [V14] -----------------------------------------------------------------------

// A graph still to check, and where it is.
struct Pending {
  const Graph* graph = nullptr;
  int depth = 1;
  std::string context;
};

// The depth at which a graph was checked; bodies may be shared, and then one check is enough.
using Checked = std::map<const Graph*, int>;

Status check_attributes(const Pending& at, std::vector<Pending>& pending) {
  const Graph& graph = *at.graph;
  for (NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    size_t captures = 0;
    for (const auto& [name, attribute] : node.attributes) {
      const auto* tensor = std::get_if<TensorPtr>(&attribute);
      const auto* body = std::get_if<GraphPtr>(&attribute);
      if ((tensor != nullptr && *tensor == nullptr) || (body != nullptr && *body == nullptr)) {
        return malformed(describe(graph, id), ", attribute ", quote_name(name), " is empty [V13]");
      }
      if (body == nullptr) continue;
      captures += (*body)->captures().size();
      if (at.depth >= kMaxGraphDepth) {
        return malformed(describe(graph, id), ": graphs nested deeper than ", kMaxGraphDepth,
                         " [V14]");
      }
      pending.push_back({body->get(), at.depth + 1,
                         cat(at.context, describe(graph, id), ", ", quote_name(name), ": ")});
    }
    if (captures != node.implicit_inputs.size()) {
      return malformed(describe(graph, id), " has ", node.implicit_inputs.size(),
                       " implicit inputs for ", captures, " captures of its body graphs [V12]");
    }
  }
  return {};
}

Status check_one(const Pending& at, std::vector<Pending>& pending) {
  const Graph& graph = *at.graph;
  OCTET_TRY(check_values_exist(graph));
  OCTET_TRY(check_order(graph));
  OCTET_TRY(check_names(graph));
  OCTET_TRY(check_sources(graph));
  OCTET_TRY(check_producers(graph));
  OCTET_TRY(check_uses(graph));
  OCTET_TRY(check_topological(graph));
  OCTET_TRY(check_origins(graph));
  OCTET_TRY(check_types(graph));
  return check_attributes(at, pending);
}

}  // namespace

Status verify(const Graph& graph) {
  std::vector<Pending> pending = {{&graph, 1, ""}};
  Checked checked;
  while (!pending.empty()) {
    const Pending at = std::move(pending.back());
    pending.pop_back();
    int& depth = checked[at.graph];
    if (depth >= at.depth) continue;
    depth = at.depth;
    if (const Status status = check_one(at, pending); !status.ok()) {
      return malformed(at.context, status.error().message());
    }
  }
  return {};
}

}  // namespace octet::ir
