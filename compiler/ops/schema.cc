#include "compiler/ops/schema.h"

#include <algorithm>
#include <array>

#include "compiler/base/checked.h"
#include "compiler/base/names.h"
#include "compiler/numerics/dtype.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {

#define OCTET_OP(name) OpSchema name##_schema();
#include "compiler/ops/ops.def"
#undef OCTET_OP

namespace {

using SchemaKey = std::pair<std::string_view, std::string_view>;
SchemaKey key_of(const OpSchema& schema) { return {schema.domain, schema.name}; }

const std::vector<OpSchema>& table() {
  static const std::vector<OpSchema> schemas = [] {
    std::vector<OpSchema> out = {
#define OCTET_OP(name) name##_schema(),
#include "compiler/ops/ops.def"
#undef OCTET_OP
    };
    std::sort(out.begin(), out.end(),
              [](const OpSchema& a, const OpSchema& b) { return key_of(a) < key_of(b); });
    return out;
  }();
  return schemas;
}

// Versions are those of ai.onnx; other domains have one version of each operator.
bool covers(const OpSchema& schema, int64_t opset) {
  return !schema.domain.empty() || (schema.since <= opset && opset <= schema.until);
}

template <typename IsPresent>
Status check_arity(const OpSchema& schema, size_t count, IsPresent is_present) {
  if (count > schema.max_inputs) {
    return malformed(count, " inputs, at most ", schema.max_inputs, " expected");
  }
  for (size_t i = 0; i < schema.required; ++i) {
    if (i >= count || !is_present(i)) {
      return malformed("input ", i, " is missing; ", schema.required, " expected");
    }
  }
  return {};
}

std::string operator_name(const ir::Node& node) {
  return node.domain.empty()
             ? cat(quote_name(node.op_type))
             : cat(quote_name(node.op_type), " of domain ", quote_name(node.domain));
}

}  // namespace

std::optional<std::vector<ir::Dim>> InferContext::elements(size_t i) const {
  if (!has_input(i)) return std::nullopt;
  const ir::Value& operand = value(node.inputs[i]);
  if (operand.constant != nullptr) {
    const ir::Tensor& tensor = *operand.constant;
    if (tensor.rank() > 1 || tensor.element_count() > kMaxElements ||
        !numerics::is_integer(tensor.dtype())) {
      return std::nullopt;
    }
    std::vector<ir::Dim> out;
    for (int64_t x : tensor.to_int64s()) out.push_back(x < 0 ? ir::Dim() : ir::Dim(x));
    return out;
  }
  if (operand.elements) return operand.elements;
  const ir::TensorType& t = operand.type;
  if (!numerics::is_integer(t.storage) || !t.shape.has_rank()) return std::nullopt;
  if (t.shape.rank() == 0) return std::vector<ir::Dim>(1);
  if (t.shape.rank() == 1 && t.shape[0].is_static() && t.shape[0].extent() <= kMaxElements) {
    return std::vector<ir::Dim>(static_cast<size_t>(t.shape[0].extent()));
  }
  return std::nullopt;
}

Result<ir::Tensor> EvaluateContext::allocate(ir::DType dtype, std::vector<int64_t> shape) const {
  auto count = checked_product(shape);
  auto bytes = count ? numerics::storage_bytes(dtype, *count) : std::nullopt;
  if (!bytes) {
    return resource_limit("a tensor of type ", numerics::dtype_name(dtype), " and shape ",
                          ir::Shape::of(shape).to_string(), " cannot be held in memory");
  }
  if (budget != nullptr) OCTET_TRY(budget->charge(*bytes));
  auto tensor = ir::Tensor::zeros(dtype, std::move(shape));
  if (!tensor.ok() && budget != nullptr) budget->release(*bytes);
  return tensor;
}

const OpSchema* find_schema(std::string_view domain, std::string_view name) {
  const auto& schemas = table();
  const SchemaKey key(domain, name);
  auto at = std::lower_bound(
      schemas.begin(), schemas.end(), key,
      [](const OpSchema& schema, const SchemaKey& wanted) { return key_of(schema) < wanted; });
  return at != schemas.end() && key_of(*at) == key ? &*at : nullptr;
}

std::span<const OpSchema> all_schemas() { return table(); }

std::string_view role_name(Role role) {
  static constexpr std::array<std::string_view, 6> kNames = {"data",      "weight", "bias",
                                                             "parameter", "index",  "shape"};
  return kNames[static_cast<size_t>(role)];
}

std::string_view behaviour_name(QuantBehaviour behaviour) {
  static constexpr std::array<std::string_view, 5> kNames = {
      "computes", "passes through", "same scale", "fixed range", "float only"};
  return kNames[static_cast<size_t>(behaviour)];
}

Result<std::vector<ir::ValueFacts>> infer_node(const ir::Node& node, const ir::ValueLookup& value,
                                               const ir::ModelInfo& model) {
  const OpSchema* schema = find_schema(node);
  if (schema == nullptr || !covers(*schema, model.opset())) return Facts(node.outputs.size());
  OCTET_TRY(
      check_arity(*schema, node.inputs.size(), [&](size_t i) { return node.inputs[i].valid(); }));
  const InferContext context{node, value, model};
  OCTET_ASSIGN(Facts facts, schema->infer(context));
  if (facts.size() < node.outputs.size()) {
    return malformed(node.outputs.size(), " outputs, at most ", facts.size(), " expected");
  }
  facts.resize(node.outputs.size());
  return facts;
}

namespace {

// What is known of an output from inference and from what was declared.
Result<ir::ValueFacts> merge_facts(const ir::Value& declared, ir::ValueFacts inferred) {
  const ir::TensorType& old = declared.type;
  if (inferred.type.storage == DType::kUndefined) inferred.type.storage = old.storage;
  if ((old.storage != DType::kUndefined && old.storage != inferred.type.storage) ||
      !ir::compatible(old.shape, inferred.type.shape)) {
    return malformed("declared ", old.to_string(), ", but it is ", inferred.type.to_string());
  }
  inferred.type.shape = ir::merge(inferred.type.shape, old.shape);
  if (!inferred.type.quant) inferred.type.quant = old.quant;
  if (!inferred.elements) inferred.elements = declared.elements;
  return inferred;
}

Status infer_into(ir::Graph& graph, const ir::Node& node) {
  const ir::ValueLookup lookup = [&graph](ir::ValueId id) -> const ir::Value& {
    return graph.value(id);
  };
  OCTET_ASSIGN(Facts facts, infer_node(node, lookup, graph.model));
  for (size_t i = 0; i < facts.size(); ++i) {
    const ir::ValueId id = node.outputs[i];
    if (!id.valid()) continue;
    auto merged = merge_facts(graph.value(id), std::move(facts[i]));
    if (!merged.ok()) {
      return merged.error().in(cat("output ", i, " ", quote_name(graph.value(id).name)));
    }
    graph.set_facts(id, std::move(merged).value());
  }
  return {};
}

}  // namespace

Status infer_graph(ir::Graph& graph) {
  const std::vector<ir::NodeId> order = graph.order();
  for (ir::NodeId id : order) {
    const ir::Node& node = graph.node(id);
    auto status = infer_into(graph, node);
    if (!status.ok()) return status.error().in(ir::describe(graph, node));
  }
  return {};
}

Result<std::vector<ir::Tensor>> evaluate_node(const EvaluateContext& context) {
  const ir::Node& node = context.node;
  const OpSchema* schema = find_schema(node);
  if (schema == nullptr) {
    return unsupported("operator ", operator_name(node),
                       " cannot be executed: replace it by standard operators, or export the "
                       "model without it");
  }
  if (!covers(*schema, context.opset)) {
    return unsupported("operator ", operator_name(node), " cannot be executed at opset ",
                       context.opset, ": versions ", schema->since, " to ", schema->until,
                       " are known; convert the model to one of them");
  }
  OCTET_TRY(check_arity(*schema, context.inputs.size(),
                        [&](size_t i) { return context.inputs[i] != nullptr; }));
  return schema->evaluate(context);
}

}  // namespace octet::ops
