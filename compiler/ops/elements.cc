#include "compiler/ops/elements.h"

#include <algorithm>
#include <limits>

#include "compiler/base/checked.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

bool is(const ir::Dim& dim, int64_t extent) { return dim.is_static() && dim.extent() == extent; }

bool both_static(const ir::Dim& a, const ir::Dim& b) { return a.is_static() && b.is_static(); }

ir::Dim from(std::optional<int64_t> extent) {
  return extent && *extent >= 0 ? ir::Dim(*extent) : ir::Dim();
}

}  // namespace

ir::Dim add_dims(const ir::Dim& a, const ir::Dim& b) {
  if (both_static(a, b)) return from(checked_add(a.extent(), b.extent()));
  if (is(a, 0)) return b;
  if (is(b, 0)) return a;
  return {};
}

ir::Dim sub_dims(const ir::Dim& a, const ir::Dim& b) {
  if (both_static(a, b)) return from(checked_sub(a.extent(), b.extent()));
  if (is(b, 0)) return a;
  if (a.is_named() && a == b) return 0;
  return {};
}

ir::Dim mul_dims(const ir::Dim& a, const ir::Dim& b) {
  if (both_static(a, b)) return from(checked_mul(a.extent(), b.extent()));
  if (is(a, 0) || is(b, 0)) return 0;
  if (is(a, 1)) return b;
  if (is(b, 1)) return a;
  return {};
}

ir::Dim div_dims(const ir::Dim& a, const ir::Dim& b) {
  if (both_static(a, b) && b.extent() > 0) return a.extent() / b.extent();
  if (is(b, 1)) return a;
  return {};
}

ir::Dim mod_dims(const ir::Dim& a, const ir::Dim& b) {
  if (both_static(a, b) && b.extent() > 0) return a.extent() % b.extent();
  if (is(b, 1)) return 0;
  return {};
}

ir::Dim max_dims(const ir::Dim& a, const ir::Dim& b) {
  if (both_static(a, b)) return std::max(a.extent(), b.extent());
  if (a.is_named() && a == b) return a;
  return {};
}

ir::Dim min_dims(const ir::Dim& a, const ir::Dim& b) {
  if (both_static(a, b)) return std::min(a.extent(), b.extent());
  if (a.is_named() && a == b) return a;
  return {};
}

std::optional<std::vector<ir::Dim>> kept_elements(std::optional<std::vector<ir::Dim>> elements,
                                                  const ir::TensorType& type) {
  const bool wide = type.storage == DType::kInt64;
  if (!elements || (!wide && type.storage != DType::kInt32)) return std::nullopt;
  if (!type.shape.has_rank() || type.shape.rank() > 1) return std::nullopt;
  bool known = elements->empty();
  for (ir::Dim& dim : *elements) {
    if (!wide && dim.extent() > std::numeric_limits<int32_t>::max()) dim = ir::Dim();
    known = known || !dim.is_unknown();
  }
  return known ? elements : std::nullopt;
}

std::optional<std::vector<ir::Dim>> combined_elements(const InferContext& context,
                                                      const ir::TensorType& type,
                                                      DimFunction combine) {
  if (type.storage != DType::kInt64 && type.storage != DType::kInt32) return std::nullopt;
  const auto a = context.elements(0);
  const auto b = context.elements(1);
  if (!a || !b) return std::nullopt;
  if (a->size() != b->size() && a->size() != 1 && b->size() != 1) return std::nullopt;
  const size_t count = a->size() == 1 ? b->size() : a->size();
  std::vector<ir::Dim> out;
  for (size_t i = 0; i < count; ++i) {
    out.push_back(combine((*a)[a->size() == 1 ? 0 : i], (*b)[b->size() == 1 ? 0 : i]));
  }
  return kept_elements(std::move(out), type);
}

}  // namespace octet::ops
