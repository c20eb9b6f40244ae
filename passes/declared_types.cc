#include "passes/declared_types.h"

namespace octet::passes {

DeclaredTypes::DeclaredTypes(const ir::Graph& graph, const ir::Node& node) {
  for (ir::ValueId id : node.outputs) {
    if (!id.valid()) continue;
    const ir::Value& value = graph.value(id);
    results_.push_back({value.name, value.type, value.preserved});
  }
}

void DeclaredTypes::restore(ir::Graph& graph) const {
  for (const Result& result : results_) {
    const ir::ValueId id = graph.find_value(result.name);
    if (!id.valid() || graph.value(id).is_constant()) continue;
    ir::TensorType type = graph.value(id).type;
    if (type.storage == ir::DType::kUndefined) type.storage = result.type.storage;
    if (type.storage == result.type.storage && compatible(type.shape, result.type.shape)) {
      type.shape = merge(type.shape, result.type.shape);
      if (!type.quant) type.quant = result.type.quant;
      graph.set_type(id, std::move(type));
    }
    if (!result.preserved.empty()) graph.set_preserved(id, result.preserved);
  }
}

}  // namespace octet::passes
