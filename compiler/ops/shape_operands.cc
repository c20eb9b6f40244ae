#include "compiler/ops/shape_operands.h"

#include "compiler/base/checked.h"

namespace octet::ops {

Status check_rank(size_t rank) {
  if (rank > kMaxRank) return resource_limit("a rank of ", rank, "; at most ", kMaxRank);
  return {};
}

MaybeNumbers maybe_numbers(const InferContext& context, size_t operand) {
  if (!context.has_input(operand)) return std::nullopt;
  const ir::Tensor* tensor = context.constant(operand);
  std::vector<MaybeNumber> out;
  if (tensor != nullptr) {
    if (tensor->rank() > 1 || tensor->element_count() > kMaxElements ||
        !numerics::is_integer(tensor->dtype())) {
      return std::nullopt;
    }
    for (int64_t number : tensor->to_int64s()) out.emplace_back(number);
    return out;
  }
  const auto elements = context.elements(operand);
  if (!elements) return std::nullopt;
  for (const ir::Dim& dim : *elements) {
    out.push_back(dim.is_static() ? MaybeNumber(dim.extent()) : std::nullopt);
  }
  return out;
}

std::optional<std::vector<int64_t>> known_numbers(const InferContext& context, size_t operand) {
  const MaybeNumbers numbers = maybe_numbers(context, operand);
  if (!numbers) return std::nullopt;
  std::vector<int64_t> out;
  for (const MaybeNumber& number : *numbers) {
    if (!number) return std::nullopt;
    out.push_back(*number);
  }
  return out;
}

InferredList list_of(const InferContext& context, int64_t moved, std::string_view attribute,
                     size_t operand) {
  if (context.opset() >= moved) {
    return {context.has_input(operand), known_numbers(context, operand)};
  }
  if (!ir::has_attribute(context.node, attribute)) return {};
  return {true, ir::ints_attribute(context.node, attribute)};
}

Result<EvaluatedList> list_of(const EvaluateContext& context, int64_t moved,
                              std::string_view attribute, size_t operand) {
  if (context.opset >= moved) {
    if (!context.has_input(operand)) return EvaluatedList{};
    OCTET_ASSIGN(auto values, numbers_of(context, operand));
    return EvaluatedList{true, std::move(values)};
  }
  if (!ir::has_attribute(context.node, attribute)) return EvaluatedList{};
  return EvaluatedList{true, ir::ints_attribute(context.node, attribute)};
}

Result<std::vector<int64_t>> numbers_of(const EvaluateContext& context, size_t operand) {
  if (!context.has_input(operand)) return malformed("input ", operand, " is missing");
  const Tensor& tensor = context.input(operand);
  if (!numerics::is_integer(tensor.dtype()) || tensor.rank() > 1 ||
      tensor.element_count() > kMaxElements) {
    return malformed("input ", operand, ": ", tensor.type().to_string(),
                     " where a list of at most ", kMaxElements, " integers is needed");
  }
  return tensor.to_int64s();
}

Result<int64_t> number_of(const EvaluateContext& context, size_t operand) {
  if (!context.has_input(operand)) return malformed("input ", operand, " is missing");
  const Tensor& tensor = context.input(operand);
  if (!numerics::is_integer(tensor.dtype()) || tensor.element_count() != 1) {
    return malformed("input ", operand, ": ", tensor.type().to_string(),
                     " where one integer is needed");
  }
  return tensor.at_as_int64(0);
}

void keep_elements(ir::ValueFacts& facts, std::optional<std::vector<ir::Dim>> elements) {
  const ir::TensorType& type = facts.type;
  if (!elements || !numerics::is_integer(type.storage) || !type.shape.has_rank()) return;
  if (type.shape.rank() > 1 || static_cast<int64_t>(elements->size()) > kMaxElements) return;
  facts.elements = std::move(elements);
}

ir::Dim dim_product(const ir::Dim& a, const ir::Dim& b) {
  if (a == ir::Dim(1)) return b;
  if (b == ir::Dim(1)) return a;
  if (!a.is_static() || !b.is_static()) return {};
  const auto product = checked_mul(a.extent(), b.extent());
  return product ? ir::Dim(*product) : ir::Dim();
}

ir::Dim dim_sum(const ir::Dim& a, const ir::Dim& b) {
  if (a == ir::Dim(0)) return b;
  if (b == ir::Dim(0)) return a;
  if (!a.is_static() || !b.is_static()) return {};
  const auto sum = checked_add(a.extent(), b.extent());
  return sum ? ir::Dim(*sum) : ir::Dim();
}

}  // namespace octet::ops
