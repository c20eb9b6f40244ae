#include "compiler/interpreter/nested.h"

#include <algorithm>
#include <utility>

#include "compiler/ops/schema.h"

namespace octet::interpreter {

using ir::Tensor;

namespace {

// Every graph below a body, the body first. Nothing when there is a loop among them.
std::vector<const ir::Graph*> graphs_without_loops(const ir::Graph& body) {
  std::vector<const ir::Graph*> out = {&body};
  for (size_t i = 0; i < out.size(); ++i) {
    const ir::Graph& graph = *out[i];
    for (ir::NodeId id : graph.order()) {
      const auto below = ir::bodies(graph.node(id));
      if (!below.empty() && !graph.node(id).is("If")) return {};
      for (const ir::GraphPtr& inner : below) out.push_back(inner.get());
    }
  }
  return out;
}

bool has_products(const ir::Graph& graph) {
  return std::any_of(graph.order().begin(), graph.order().end(), [&](ir::NodeId id) {
    const ops::OpSchema* schema = ops::find_schema(graph.node(id));
    return schema != nullptr && schema->weight_channel_axis != nullptr;
  });
}

bool is_taken(const ir::Graph& body) {
  const auto graphs = graphs_without_loops(body);
  return std::any_of(graphs.begin(), graphs.end(),
                     [](const ir::Graph* graph) { return has_products(*graph); });
}

// The body with inputs in place of captures, and none of the types that it was declared with: they
// may be those of other shapes.
std::shared_ptr<const ir::Graph> standing_alone(const ir::Graph& body) {
  auto graph = std::make_shared<ir::Graph>(body);
  graph->make_captures_inputs();
  for (ir::ValueId id : graph->inputs()) graph->set_type(id, {});
  return graph;
}

}  // namespace

Result<std::shared_ptr<const Interpreter>> NestedInterpreters::interpreter_of(
    const ir::GraphPtr& body) const {
  const std::lock_guard lock(mutex_);
  const auto at = std::find_if(entries_.begin(), entries_.end(),
                               [&](const Entry& entry) { return entry.body == body; });
  if (at != entries_.end()) return at->interpreter;
  std::shared_ptr<const Interpreter> interpreter;
  if (is_taken(*body)) {
    const auto graph = standing_alone(*body);
    // A default that is given would not be asked for.
    if (graph->required_inputs().size() == graph->inputs().size()) {
      Options options = options_;
      options.observed.clear();
      options.budget = &budget_;
      OCTET_ASSIGN(Interpreter made, Interpreter::create(graph, std::move(options)));
      interpreter = std::make_shared<const Interpreter>(std::move(made));
    }
  }
  entries_.push_back({body, interpreter});
  return interpreter;
}

Result<std::optional<std::vector<Tensor>>> NestedInterpreters::run(
    const ir::GraphPtr& body, std::span<const Tensor> inputs,
    std::span<const Tensor* const> captured) const {
  OCTET_ASSIGN(const auto interpreter, interpreter_of(body));
  if (interpreter == nullptr) return std::optional<std::vector<Tensor>>();
  std::vector<Tensor> all(inputs.begin(), inputs.end());
  for (const Tensor* tensor : captured) all.push_back(*tensor);
  OCTET_ASSIGN(auto outputs, interpreter->run(all));
  return std::optional(std::move(outputs));
}

}  // namespace octet::interpreter
