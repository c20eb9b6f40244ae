#include "passes/fold_constants.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/base/checked.h"
#include "compiler/ops/schema.h"
#include "compiler/plan/unit.h"
#include "passes/linear.h"
#include "passes/purity.h"

namespace octet::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Tensor;
using ir::TensorPtr;
using ir::Value;
using ir::ValueId;

// Products of constants are no job for plain loops when they are this long.
constexpr int64_t kMaxMultiplications = int64_t{1} << 28;
constexpr int64_t kMaxRounds = 8;

bool reads_as_weight(const Graph& graph, const ir::Use& use) {
  if (use.implicit) return false;
  const ops::OpSchema* schema = ops::find_schema(graph.node(use.node));
  return schema != nullptr && schema->role(static_cast<size_t>(use.index)) == ops::Role::kWeight;
}

// Mul(constant, positive factor per channel) that is read as a weight only.
bool is_factored_weight(const Graph& graph, const Node& node) {
  if (!node.is("Mul") || node.outputs.size() != 1) return false;
  const plan::WeightSource source = plan::weight_source(graph, node.output());
  if (!source.factor.valid() || graph.is_output(node.output())) return false;
  const auto uses = graph.uses(node.output());
  return !uses.empty() && std::all_of(uses.begin(), uses.end(), [&](const ir::Use& use) {
    return reads_as_weight(graph, use);
  });
}

// And another node reads the constant as a weight as well.
bool is_shared_weight(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (!is_factored_weight(graph, node)) return false;
  const auto uses = graph.uses(node.input(0));
  return std::any_of(uses.begin(), uses.end(), [&](const ir::Use& use) {
    if (use.node == id) return false;
    return reads_as_weight(graph, use) ||
           (use.index == 0 && is_factored_weight(graph, graph.node(use.node)));
  });
}

// One walk over the graph. What is found stands in an overlay until the end.
class Folder {
 public:
  Folder(Graph& graph, PassContext& context) : graph_(graph), context_(context) {}

  Result<PassReport> run();

 private:
  const Value& value(ValueId id) const {
    const auto at = overlay_.find(id);
    return at == overlay_.end() ? graph_.value(id) : at->second;
  }
  const Tensor* constant(ValueId id) const {
    return value(id).is_input ? nullptr : value(id).constant.get();
  }
  bool is_read(ValueId id) const {
    return id.valid() && (!graph_.uses(id).empty() || graph_.is_output(id));
  }

  void infer(const Node& node);
  bool learn(ValueId id, ir::ValueFacts facts);
  // Constants for outputs of the node; empty when it is not to be folded.
  std::map<ValueId, TensorPtr> evaluate(NodeId id) const;
  std::map<ValueId, TensorPtr> from_operands(NodeId id) const;
  TensorPtr from_elements(ValueId id) const;
  int64_t longest(const Node& node) const;
  bool too_long(const Node& node) const;
  bool is_early(const Node& node) const;
  bool too_much_work(const Node& node) const;
  Status fold_nodes();
  Status apply_constants();
  void apply_types();

  Graph& graph_;
  PassContext& context_;
  PassReport report_;
  std::map<ValueId, Value> overlay_;
  std::set<NodeId> folded_;
};

// --- types -----------------------------------------------------------------------------------

// The more specific of what was known and what was inferred. False when they contradict.
bool Folder::learn(ValueId id, ir::ValueFacts facts) {
  const Value& known = value(id);
  const ir::TensorType& old = known.type;
  if (facts.type.storage == ir::DType::kUndefined) facts.type.storage = old.storage;
  if ((old.storage != ir::DType::kUndefined && old.storage != facts.type.storage) ||
      !ir::compatible(old.shape, facts.type.shape)) {
    return false;
  }
  facts.type.shape = ir::merge(old.shape, facts.type.shape);
  if (old.quant) facts.type.quant = old.quant;
  if (!facts.elements) facts.elements = known.elements;
  if (facts.type == old && facts.elements == known.elements) return true;
  Value next = known;
  next.type = std::move(facts.type);
  next.elements = std::move(facts.elements);
  overlay_.insert_or_assign(id, std::move(next));
  return true;
}

void Folder::infer(const Node& node) {
  const ir::ValueLookup lookup = [this](ValueId id) -> const Value& { return value(id); };
  auto facts = ops::infer_node(node, lookup, graph_.model);
  if (!facts.ok()) {
    report_.left_alone.push_back(cat(ir::describe(graph_, node), ": ", facts.error().message()));
    return;
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (!node.outputs[i].valid()) continue;
    if (!learn(node.outputs[i], std::move((*facts)[i]))) {
      report_.left_alone.push_back(cat(ir::describe(graph_, node), ": output ", i,
                                       " is declared as ", value(node.outputs[i]).type.to_string(),
                                       " and is something else"));
    }
  }
}

// --- values ----------------------------------------------------------------------------------

int64_t Folder::longest(const Node& node) const {
  int64_t operands = 0;
  for (ValueId id : node.inputs) {
    if (id.valid()) operands += static_cast<int64_t>(constant(id)->bytes().size());
  }
  return std::max(context_.max_constant_bytes, operands * 4);
}

// As far as inference can tell.
bool Folder::too_long(const Node& node) const {
  return std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
    if (!id.valid() || !value(id).type.shape.is_static()) return false;
    const auto count = value(id).type.shape.element_count();
    const auto bytes =
        count ? numerics::storage_bytes(value(id).type.storage, *count) : std::nullopt;
    return !bytes || *bytes > longest(node);
  });
}

bool Folder::too_much_work(const Node& node) const {
  const ops::OpSchema* schema = ops::find_schema(node);
  if (schema->weight_channel_axis == nullptr && !node.is("Einsum")) return false;
  const auto results = value(node.output()).type.shape.element_count();
  if (!results) return true;
  int64_t work = *results;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const bool factor = node.is("Einsum") || schema->role(i) == ops::Role::kWeight;
    if (!factor || !node.inputs[i].valid()) continue;
    const Tensor& weight = *constant(node.inputs[i]);
    int64_t per_result = weight.element_count();
    const auto axis =
        node.is("Einsum") ? std::nullopt : schema->weight_channel_axis(node, weight.rank());
    if (axis && *axis >= 0 && *axis < static_cast<int64_t>(weight.rank())) {
      per_result /= std::max<int64_t>(1, weight.shape()[static_cast<size_t>(*axis)]);
    }
    work = checked_mul(work, per_result).value_or(INT64_MAX);
  }
  return work > kMaxMultiplications;
}

// Whether the weight of this Mul is shared can be told once its operands are constants in the
// graph: in the next walk.
bool Folder::is_early(const Node& node) const {
  if (!node.is("Mul")) return false;
  const auto uses = graph_.uses(node.output());
  const bool weight = std::all_of(uses.begin(), uses.end(),
                                  [&](const ir::Use& use) { return reads_as_weight(graph_, use); });
  return weight && std::any_of(node.inputs.begin(), node.inputs.end(),
                               [&](ValueId id) { return !graph_.value(id).is_constant(); });
}

TensorPtr Folder::from_elements(ValueId id) const {
  const Value& v = value(id);
  if (!v.elements || !numerics::is_integer(v.type.storage)) return nullptr;
  if (!v.type.shape.is_static() || v.type.shape.rank() > 1) return nullptr;
  if (v.type.shape.element_count() != static_cast<int64_t>(v.elements->size())) return nullptr;
  auto tensor = Tensor::zeros(v.type.storage, v.type.shape.extents());
  if (!tensor.ok()) return nullptr;
  for (size_t i = 0; i < v.elements->size(); ++i) {
    if (!(*v.elements)[i].is_static()) return nullptr;
    tensor->set_from_int64(static_cast<int64_t>(i), (*v.elements)[i].extent());
  }
  return std::make_shared<const Tensor>(std::move(tensor).value());
}

std::map<ValueId, TensorPtr> Folder::from_operands(NodeId id) const {
  const Node& node = graph_.node(id);
  std::vector<const Tensor*> operands;
  for (ValueId operand : node.inputs) {
    operands.push_back(operand.valid() ? constant(operand) : nullptr);
    if (operand.valid() && operands.back() == nullptr) return {};
  }
  if (too_long(node) || too_much_work(node)) return {};
  if (is_early(node) || is_shared_weight(graph_, id)) return {};
  // What evaluation needs beside its results; inference need not have known their size.
  MemoryBudget scratch(std::max<int64_t>(context_.max_constant_bytes * 16, int64_t{64} << 20) +
                       (context_.budget != nullptr ? context_.budget->limit() / 8 : 0));
  auto results = ops::evaluate_node({node, graph_.model.opset(), operands, &scratch});
  if (!results.ok()) return {};  // it would fail, or say why it cannot run, when the model runs
  std::map<ValueId, TensorPtr> out;
  for (size_t i = 0; i < node.outputs.size() && i < results->size(); ++i) {
    const ValueId output = node.outputs[i];
    Tensor& result = (*results)[i];
    if (!output.valid() || result.dtype() == ir::DType::kUndefined) continue;
    const int64_t bytes = static_cast<int64_t>(result.bytes().size());
    if (bytes > longest(node)) return {};
    if (context_.budget != nullptr && !context_.budget->charge(bytes).ok()) return {};
    out.emplace(output, std::make_shared<const Tensor>(std::move(result)));
  }
  return out;
}

std::map<ValueId, TensorPtr> Folder::evaluate(NodeId id) const {
  const Node& node = graph_.node(id);
  if (!is_pure(node)) return {};
  if (std::none_of(node.outputs.begin(), node.outputs.end(),
                   [&](ValueId output) { return is_read(output); })) {
    return {};
  }
  std::map<ValueId, TensorPtr> out;
  for (ValueId output : node.outputs) {
    if (!is_read(output)) continue;
    if (TensorPtr tensor = from_elements(output)) out.emplace(output, std::move(tensor));
  }
  return out.empty() ? from_operands(id) : out;
}

Status Folder::fold_nodes() {
  const std::vector<NodeId> order = graph_.order();
  for (NodeId id : order) {
    const Node& node = graph_.node(id);
    infer(node);
    auto constants = evaluate(id);
    if (constants.empty()) continue;
    if (!context_.take_edit(ir::describe(graph_, id))) return {};
    report_.edited();
    for (auto& [output, tensor] : constants) {
      Value next = value(output);
      next.type.storage = tensor->dtype();
      next.type.shape = ir::Shape::of(tensor->shape());
      next.constant = std::move(tensor);
      overlay_.insert_or_assign(output, std::move(next));
    }
    const bool all = std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId output) {
      return !is_read(output) || constant(output) != nullptr;
    });
    if (all) folded_.insert(id);
  }
  return {};
}

// --- writing down ----------------------------------------------------------------------------

// Constants take over the names of what they replace.
Status Folder::apply_constants() {
  ir::Patch patch(graph_, ops::infer_node);
  std::vector<std::pair<ValueId, std::string>> names;
  for (const auto& [id, v] : overlay_) {
    if (v.constant == nullptr || graph_.value(id).is_constant()) continue;
    const auto uses = graph_.uses(id);
    const bool wanted =
        graph_.is_output(id) || std::any_of(uses.begin(), uses.end(), [&](const ir::Use& use) {
          return !folded_.contains(use.node);
        });
    if (!wanted) continue;
    names.emplace_back(patch.constant(v.constant, v.name), v.name);
    OCTET_TRY(patch.replace(id, names.back().first));
  }
  if (patch.empty()) return {};
  OCTET_TRY(std::move(patch).apply(graph_));
  for (const auto& [id, name] : names) {
    if (!graph_.find_value(name).valid()) OCTET_TRY(graph_.rename_value(id, name));
  }
  return {};
}

void Folder::apply_types() {
  for (auto& [id, v] : overlay_) {
    const Value& now = graph_.value(id);
    if (!now.alive || now.is_constant()) continue;
    if (now.type != v.type) report_.changed = true;
    graph_.set_facts(id, {std::move(v.type), std::move(v.elements)});
  }
}

Result<PassReport> Folder::run() {
  OCTET_TRY(fold_nodes());
  OCTET_TRY(apply_constants());
  apply_types();
  return std::move(report_);
}

}  // namespace

Result<PassReport> fold_constants(ir::Graph& graph, const FoldConstantsConfig& /*config*/,
                                  PassContext& context) {
  PassReport report;
  // What one walk folds can be what kept another node from being folded.
  for (int64_t round = 0; round < kMaxRounds; ++round) {
    OCTET_ASSIGN(PassReport once, Folder(graph, context).run());
    report.edits += once.edits;
    report.changed = report.changed || once.changed;
    report.left_alone = std::move(once.left_alone);
    if (!once.changed) break;
  }
  return report;
}

}  // namespace octet::passes
