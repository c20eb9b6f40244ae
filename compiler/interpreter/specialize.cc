#include "compiler/interpreter/specialize.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "compiler/interpreter/reference.h"
#include "compiler/ops/schema.h"

namespace octet::interpreter {

using ir::DType;
using ir::NodeId;
using ir::Tensor;
using ir::TensorPtr;
using ir::ValueId;

FoldedConstants::FoldedConstants(const ir::Graph& graph, MemoryBudget& budget,
                                 numerics::DeviceArithmetic device)
    : tensors_(graph.value_count()), budget_(&budget), device_(device) {}

FoldedConstants::~FoldedConstants() { budget_->release(charged_); }

void FoldedConstants::set(ValueId id, Tensor tensor, int64_t charged) {
  tensors_[id.index()] = std::make_shared<const Tensor>(std::move(tensor));
  charged_ += charged;
}

namespace {

// Beyond any memory; padding and alignment on top of it stay far from the end of 64 bits.
constexpr int64_t kMaxPlannedBytes = int64_t{1} << 48;

// Marks `wanted` and everything that `stop` does not cut off above it.
template <typename Stop>
std::vector<NodeId> nodes_above(const ir::Graph& graph, std::vector<bool> wanted,
                                const std::vector<NodeId>& order, Stop stop) {
  std::vector<NodeId> out;
  for (size_t i = order.size(); i-- > 0;) {
    const ir::Node& node = graph.node(order[i]);
    const bool needed = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
      return id.valid() && wanted[id.index()] && !stop(id);
    });
    if (!needed) continue;
    out.push_back(order[i]);
    for (ValueId id : node.inputs) {
      if (id.valid()) wanted[id.index()] = true;
    }
    for (ValueId id : node.implicit_inputs) wanted[id.index()] = true;
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<bool> wanted_values(const ir::Graph& graph, const std::vector<ValueId>& observed) {
  std::vector<bool> wanted(graph.value_count(), false);
  for (ValueId id : graph.outputs()) wanted[id.index()] = true;
  for (ValueId id : observed) wanted[id.index()] = true;
  return wanted;
}

// The operands of a node, those of its bodies included, when all are constant.
template <typename ConstantOf>
bool constant_operands(const ir::Node& node, ConstantOf constant_of,
                       std::vector<const Tensor*>& operands) {
  operands.clear();
  for (ValueId id : node.inputs) {
    const Tensor* constant = id.valid() ? constant_of(id) : nullptr;
    if (id.valid() && constant == nullptr) return false;
    operands.push_back(constant);
  }
  for (ValueId id : node.implicit_inputs) {
    operands.push_back(constant_of(id));
    if (operands.back() == nullptr) return false;
  }
  return true;
}

Status evaluate_into(const ir::Graph& graph, const ir::Node& node,
                     const std::vector<const Tensor*>& operands, FoldedConstants& folded) {
  OCTET_ASSIGN(auto outputs,
               evaluate_reference(graph, node, operands, {folded.budget(), folded.device()}));
  for (size_t i = 0; i < outputs.tensors.size(); ++i) {
    const ValueId id = node.output(i);
    if (id.valid()) {
      folded.set(id, std::move(outputs.tensors[i]), outputs.charged[i]);
    } else {
      folded.budget().release(outputs.charged[i]);
    }
  }
  return {};
}

// An integer tensor of rank 0 or 1 all of whose elements inference can tell.
std::optional<Tensor> tensor_of_elements(const ir::ValueFacts& facts) {
  const DType dtype = facts.type.storage;
  if (!facts.elements || !facts.type.shape.is_static() || facts.type.shape.rank() > 1 ||
      (dtype != DType::kInt64 && dtype != DType::kInt32)) {
    return std::nullopt;
  }
  const auto& elements = *facts.elements;
  if (facts.type.shape.element_count() != static_cast<int64_t>(elements.size())) {
    return std::nullopt;
  }
  auto tensor = Tensor::zeros(dtype, facts.type.shape.extents());
  if (!tensor.ok()) return std::nullopt;
  for (size_t i = 0; i < elements.size(); ++i) {
    if (!elements[i].is_static()) return std::nullopt;
    tensor->set_from_int64(static_cast<int64_t>(i), elements[i].extent());
  }
  return std::move(tensor).value();
}

class Specializer {
 public:
  Specializer(const ir::Graph& graph, const FoldedConstants& shared, FoldedConstants& own)
      : graph_(graph), shared_(shared), own_(own) {}

  void start(std::span<const InputType> inputs) {
    out_.values.reserve(graph_.value_count());
    for (size_t i = 0; i < graph_.value_count(); ++i) {
      const ValueId id(i);
      out_.values.push_back(graph_.value(id));
      if (shared_.at(id) != nullptr) set_constant(id, shared_.at(id));
    }
    const std::vector<ValueId> required = graph_.required_inputs();
    for (size_t i = 0; i < required.size(); ++i) {
      ir::Value& value = out_.values[required[i].index()];
      value.type = {inputs[i].dtype, ir::Shape::of(inputs[i].shape), std::nullopt};
      value.elements.reset();
    }
  }

  Status node(NodeId id) {
    const ir::Node& node = graph_.node(id);
    if (all_constant(node)) return {};
    std::vector<const Tensor*> operands;
    const auto constant_of = [&](ValueId v) { return out_.value(v).constant.get(); };
    if (constant_operands(node, constant_of, operands)) {
      OCTET_TRY(evaluate_into(graph_, node, operands, own_));
      for (ValueId output : node.outputs) {
        if (output.valid()) set_constant(output, own_.at(output));
      }
      return {};
    }
    return infer(node);
  }

  Specialized finish(const std::vector<NodeId>& nodes, const std::vector<ValueId>& observed) && {
    out_.nodes = nodes_above(graph_, wanted_values(graph_, observed), nodes,
                             [&](ValueId id) { return out_.value(id).constant != nullptr; });
    return std::move(out_);
  }

 private:
  bool all_constant(const ir::Node& node) const {
    return std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
      return !id.valid() || out_.value(id).constant != nullptr;
    });
  }

  void set_constant(ValueId id, TensorPtr tensor) {
    ir::Value& value = out_.values[id.index()];
    value.type = tensor->type();
    value.elements.reset();
    value.constant = std::move(tensor);
  }

  Status infer(const ir::Node& node) {
    const ir::ValueLookup lookup = [this](ValueId id) -> const ir::Value& {
      return out_.value(id);
    };
    auto facts = ops::infer_node(node, lookup, graph_.model);
    if (!facts.ok()) return facts.error().in(ir::describe(graph_, node));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (!node.outputs[i].valid()) continue;
      if (auto tensor = tensor_of_elements((*facts)[i])) {
        own_.set(node.outputs[i], std::move(*tensor), 0);
        set_constant(node.outputs[i], own_.at(node.outputs[i]));
        continue;
      }
      ir::Value& value = out_.values[node.outputs[i].index()];
      value.type = std::move((*facts)[i].type);
      value.elements = std::move((*facts)[i].elements);
    }
    return {};
  }

  const ir::Graph& graph_;
  const FoldedConstants& shared_;
  FoldedConstants& own_;
  Specialized out_;
};

}  // namespace

bool Specialized::is_static(ValueId id) const {
  const ir::TensorType& type = value(id).type;
  if (!type.shape.is_static()) return false;
  const auto count = type.shape.element_count();
  const auto bytes = count ? numerics::storage_bytes(type.storage, *count) : std::nullopt;
  return bytes && *bytes <= kMaxPlannedBytes;
}

std::vector<NodeId> needed_nodes(const ir::Graph& graph, const std::vector<ValueId>& observed) {
  return nodes_above(graph, wanted_values(graph, observed), graph.order(),
                     [&](ValueId id) { return graph.value(id).is_constant(); });
}

Status fold_constants(const ir::Graph& graph, const std::vector<NodeId>& nodes,
                      FoldedConstants& folded) {
  std::vector<const Tensor*> operands;
  const auto constant_of = [&](ValueId id) {
    const Tensor* constant = graph.constant(id);
    return constant != nullptr ? constant : folded.at(id).get();
  };
  for (NodeId id : nodes) {
    const ir::Node& node = graph.node(id);
    if (!constant_operands(node, constant_of, operands)) continue;
    OCTET_TRY(evaluate_into(graph, node, operands, folded));
  }
  return {};
}

Result<Specialized> specialize(const ir::Graph& graph, const std::vector<NodeId>& nodes,
                               const std::vector<ValueId>& observed,
                               std::span<const InputType> inputs, const FoldedConstants& shared,
                               FoldedConstants& own) {
  Specializer specializer(graph, shared, own);
  specializer.start(inputs);
  for (NodeId id : nodes) OCTET_TRY(specializer.node(id));
  return std::move(specializer).finish(nodes, observed);
}

}  // namespace octet::interpreter
