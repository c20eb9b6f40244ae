#include "compiler/ops/body.h"

#include <optional>
#include <utility>

#include "compiler/base/names.h"

namespace octet::ops {
namespace {

// Inference runs a body a few times, so that time grows with the power of how deep bodies stand in
// bodies. Nothing is told of deeper ones.
constexpr int kMaxInferredDepth = 4;

bool is_too_deep(const ir::Graph& graph) {
  std::vector<const ir::Graph*> level = {&graph};
  for (int depth = 0; depth < kMaxInferredDepth; ++depth) {
    std::vector<const ir::Graph*> below;
    for (const ir::Graph* outer : level) {
      for (ir::NodeId id : outer->order()) {
        // Alive as long as the node that holds them.
        for (const ir::GraphPtr& body : ir::bodies(outer->node(id))) below.push_back(body.get());
      }
    }
    if (below.empty()) return false;
    level = std::move(below);
  }
  return true;
}

// Values by id, with what is known of inputs and captures.
Facts infer_nodes(const ir::Graph& graph, std::span<const ir::TensorType> inputs,
                  const std::vector<const ir::Value*>& captures) {
  Facts unknown(graph.outputs().size());
  if (is_too_deep(graph)) return unknown;
  std::vector<ir::Value> values;
  values.reserve(graph.value_count());
  for (size_t i = 0; i < graph.value_count(); ++i) {
    ir::Value value = graph.value(ir::ValueId(i));
    if (!value.is_constant()) {
      value.type = {};
      value.elements.reset();
    }
    values.push_back(std::move(value));
  }
  if (inputs.size() != graph.inputs().size() || captures.size() != graph.captures().size()) {
    return unknown;
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    ir::Value& value = values[graph.inputs()[i].index()];
    value.type = inputs[i];
    value.constant = nullptr;  // a default that is not taken
  }
  for (size_t i = 0; i < captures.size(); ++i) {
    ir::Value& value = values[graph.captures()[i].index()];
    value.type = captures[i]->type;
    value.elements = captures[i]->elements;
    value.constant = captures[i]->constant;
  }
  const ir::ValueLookup lookup = [&values](ir::ValueId id) -> const ir::Value& {
    return values[id.index()];
  };
  for (ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    auto facts = infer_node(node, lookup, graph.model);
    if (!facts.ok()) return unknown;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (!node.outputs[i].valid()) continue;
      ir::Value& value = values[node.outputs[i].index()];
      value.type = std::move((*facts)[i].type);
      value.elements = std::move((*facts)[i].elements);
    }
  }
  Facts out;
  for (ir::ValueId id : graph.outputs()) {
    const ir::Value& value = values[id.index()];
    out.push_back({value.type, value.elements});
    out.back().type.quant.reset();
  }
  return out;
}

}  // namespace

BodyGraph BodyGraph::of(const ir::Node& node, std::string_view attribute) {
  BodyGraph out;
  size_t at = 0;
  for (const auto& [name, value] : node.attributes) {
    const auto* graph = std::get_if<ir::GraphPtr>(&value);
    if (graph == nullptr || *graph == nullptr) continue;
    if (name == attribute) out = {*graph, at};
    at += (*graph)->captures().size();
  }
  if (at != node.implicit_inputs.size()) return {};
  return out;
}

Facts infer_body(const InferContext& context, const BodyGraph& body,
                 std::span<const ir::TensorType> inputs) {
  std::vector<const ir::Value*> captures;
  for (size_t i = 0; i < body.graph->captures().size(); ++i) {
    captures.push_back(&context.value(context.node.implicit_inputs[body.first_capture + i]));
  }
  return infer_nodes(*body.graph, inputs, captures);
}

Facts infer_body(const EvaluateContext& context, const BodyGraph& body,
                 std::span<const ir::TensorType> inputs) {
  std::vector<ir::Value> values(body.graph->captures().size());
  std::vector<const ir::Value*> captures;
  for (size_t i = 0; i < values.size(); ++i) {
    const Tensor* tensor = context.captured[body.first_capture + i];
    values[i].type = tensor->type();
    values[i].constant = std::make_shared<const Tensor>(*tensor);
    captures.push_back(&values[i]);
  }
  return infer_nodes(*body.graph, inputs, captures);
}

ir::TensorType join_types(const ir::TensorType& a, const ir::TensorType& b) {
  if (a.storage != b.storage) return {};
  ir::TensorType out;
  out.storage = a.storage;
  if (!a.shape.has_rank() || !b.shape.has_rank() || a.shape.rank() != b.shape.rank()) return out;
  std::vector<ir::Dim> dims;
  for (size_t i = 0; i < a.shape.rank(); ++i) {
    dims.push_back(a.shape[i] == b.shape[i] ? a.shape[i] : ir::Dim());
  }
  out.shape = ir::Shape(std::move(dims));
  return out;
}

Result<Body> Body::of(const EvaluateContext& context, std::string_view attribute,
                      size_t input_count, size_t min_outputs) {
  BodyGraph graph = BodyGraph::of(context.node, attribute);
  if (graph.graph == nullptr || context.captured.size() != context.node.implicit_inputs.size()) {
    return malformed("attribute ", quote_name(attribute), " (a graph) is missing");
  }
  if (graph.graph->inputs().size() != input_count || graph.graph->outputs().size() < min_outputs) {
    return malformed("attribute ", quote_name(attribute), ": ", graph.graph->inputs().size(),
                     " inputs and ", graph.graph->outputs().size(), " outputs, expected ",
                     input_count, " and at least ", min_outputs);
  }
  for (const Tensor* tensor : context.captured) {
    if (tensor == nullptr) return internal_error("a captured value is missing");
  }
  Body out(context, std::move(graph));
  const ir::Graph& g = *out.body_.graph;
  for (size_t i = 0; i < g.value_count(); ++i) {
    const ir::ValueId id(i);
    out.uses_.push_back(static_cast<int64_t>(g.uses(id).size()) + (g.is_output(id) ? 1 : 0));
  }
  return out;
}

Status Body::count_run() {
  int64_t& left = context_.body_runs != nullptr ? *context_.body_runs : own_runs_;
  if (left-- > 0) return {};
  left = 0;
  return resource_limit("bodies have run ", kMaxBodyRuns, " times; is it a loop without end?");
}

namespace {

// One run: the values of a body while they are needed.
class Run {
 public:
  Run(const EvaluateContext& context, const BodyGraph& body, const std::vector<int64_t>& uses,
      int64_t* runs)
      : context_(context),
        graph_(*body.graph),
        uses_(uses),
        runs_(runs),
        values_(graph_.value_count(), nullptr),
        owned_(graph_.value_count()),
        charges_(graph_.value_count(), 0),
        reads_(graph_.value_count(), 0) {
    for (size_t i = 0; i < graph_.captures().size(); ++i) {
      values_[graph_.captures()[i].index()] = context.captured[body.first_capture + i];
    }
    for (size_t i = 0; i < values_.size(); ++i) {
      if (const Tensor* constant = graph_.constant(ir::ValueId(i))) values_[i] = constant;
    }
  }
  ~Run() {
    for (size_t i = 0; i < values_.size(); ++i) drop(i);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void set_inputs(std::span<const Tensor> inputs) {
    for (size_t i = 0; i < inputs.size(); ++i) values_[graph_.inputs()[i].index()] = &inputs[i];
  }

  Status node(const ir::Node& node) {
    OCTET_ASSIGN(const auto inputs, operands(node.inputs));
    OCTET_ASSIGN(const auto captured, operands(node.implicit_inputs));
    std::optional<MemoryBudget> left;
    if (context_.budget != nullptr)
      left.emplace(context_.budget->limit() - context_.budget->used());
    const EvaluateContext inner{
        node,  graph_.model.opset(), inputs,         left ? &*left : nullptr, captured,
        runs_, context_.body_runner, context_.device};
    OCTET_ASSIGN(Tensors outputs, evaluate_node(inner));
    if (outputs.size() < node.outputs.size()) {
      return internal_error(node.outputs.size(), " outputs asked for, ", outputs.size(), " made");
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i].valid()) OCTET_TRY(keep(node.outputs[i], std::move(outputs[i])));
    }
    for (ir::ValueId id : node.inputs) read(id);
    for (ir::ValueId id : node.implicit_inputs) read(id);
    return {};
  }

  Result<Tensors> outputs(ChargedBytes& charged) {
    Tensors out;
    for (ir::ValueId id : graph_.outputs()) {
      const Tensor* tensor = values_[id.index()];
      if (tensor == nullptr) return internal_error("an output of a body has no value");
      OCTET_TRY(charged.charge(static_cast<int64_t>(tensor->bytes().size())));
      out.push_back(*tensor);
    }
    return out;
  }

 private:
  Result<std::vector<const Tensor*>> operands(const std::vector<ir::ValueId>& ids) const {
    std::vector<const Tensor*> out;
    for (ir::ValueId id : ids) {
      const Tensor* tensor = id.valid() ? values_[id.index()] : nullptr;
      if (id.valid() && tensor == nullptr) return internal_error("an operand has no value");
      out.push_back(tensor);
    }
    return out;
  }

  Status keep(ir::ValueId id, Tensor tensor) {
    const size_t at = id.index();
    if (context_.budget != nullptr) {
      const auto bytes = static_cast<int64_t>(tensor.bytes().size());
      OCTET_TRY(context_.budget->charge(bytes));
      charges_[at] = bytes;
    }
    owned_[at] = std::move(tensor);
    values_[at] = &owned_[at];
    if (uses_[at] == 0) drop(at);
    return {};
  }

  void read(ir::ValueId id) {
    if (!id.valid()) return;
    if (++reads_[id.index()] == uses_[id.index()]) drop(id.index());
  }

  void drop(size_t at) {
    if (context_.budget != nullptr) context_.budget->release(std::exchange(charges_[at], 0));
    if (values_[at] != &owned_[at]) return;
    values_[at] = nullptr;
    owned_[at] = {};
  }

  const EvaluateContext& context_;
  const ir::Graph& graph_;
  const std::vector<int64_t>& uses_;
  int64_t* runs_;
  std::vector<const Tensor*> values_;  // by ValueId
  Tensors owned_;
  std::vector<int64_t> charges_;
  std::vector<int64_t> reads_;
};

}  // namespace

Result<std::optional<Tensors>> Body::run_as_whole(std::span<const Tensor> inputs,
                                                  ChargedBytes& charged) const {
  if (context_.body_runner == nullptr) return std::optional<Tensors>();
  const auto captured =
      context_.captured.subspan(body_.first_capture, body_.graph->captures().size());
  OCTET_ASSIGN(auto outputs, context_.body_runner->run(body_.graph, inputs, captured));
  if (!outputs) return outputs;
  for (const Tensor& tensor : *outputs) {
    OCTET_TRY(charged.charge(static_cast<int64_t>(tensor.bytes().size())));
  }
  return outputs;
}

Result<Tensors> Body::run(std::span<const Tensor> inputs, ChargedBytes& charged) {
  OCTET_TRY(count_run());
  OCTET_ASSIGN(auto whole, run_as_whole(inputs, charged));
  if (whole) return std::move(*whole);
  const ir::Graph& graph = *body_.graph;
  Run run(context_, body_, uses_, context_.body_runs != nullptr ? context_.body_runs : &own_runs_);
  run.set_inputs(inputs);
  for (ir::NodeId id : graph.order()) {
    const auto status = run.node(graph.node(id));
    if (!status.ok()) return status.error().in(ir::describe(graph, id));
  }
  return run.outputs(charged);
}

}  // namespace octet::ops
