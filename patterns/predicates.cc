#include "patterns/predicates.h"

#include <algorithm>
#include <array>

namespace octet::patterns {
namespace {

using ir::DType;

bool each_equals(const std::optional<std::vector<int64_t>>& values, int64_t wanted) {
  return values &&
         std::all_of(values->begin(), values->end(), [wanted](int64_t v) { return v == wanted; });
}

bool all_one(const ArgumentContext& c) { return each_equals(c.integers(0), 1); }
bool all_zero(const ArgumentContext& c) { return each_equals(c.integers(0), 0); }

template <typename Test>
bool each_element(const ir::Tensor* tensor, Test test) {
  if (tensor == nullptr) return false;
  for (int64_t i = 0; i < tensor->element_count(); ++i) {
    if (!test(tensor->at_as_double(i))) return false;
  }
  return true;
}

bool all_positive(const ArgumentContext& c) {
  return each_element(c.constant(0), [](double v) { return v > 0.0; });
}

bool none_negative(const ArgumentContext& c) {
  return each_element(c.constant(0), [](double v) { return v >= 0.0; });
}

bool is_false(const ArgumentContext& c) {
  return each_element(c.constant(0), [](double v) { return v == 0.0; });
}

bool is_identity(std::span<const int64_t> perm) {
  for (size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

bool is_identity_permutation(const ArgumentContext& c) {
  const auto perm = c.integers(0);
  return perm && is_identity(*perm);
}

bool are_inverse(const ArgumentContext& c) {
  const auto first = c.integers(0);
  const auto second = c.integers(1);
  if (!first || !second || first->size() != second->size()) return false;
  const auto rank = static_cast<int64_t>(first->size());
  for (size_t i = 0; i < second->size(); ++i) {
    const int64_t from = (*second)[i];
    if (from < 0 || from >= rank) return false;
    if ((*first)[static_cast<size_t>(from)] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

// Extents that are known to be equal whenever the graph runs.
bool same_dim(const ir::Dim& a, const ir::Dim& b) { return !a.is_unknown() && a == b; }

bool same_shape(const ArgumentContext& c) {
  const ir::Shape& a = c.type(0).shape;
  const ir::Shape& b = c.type(1).shape;
  if (!a.has_rank() || !b.has_rank() || a.rank() != b.rank()) return false;
  return std::equal(a.dims().begin(), a.dims().end(), b.dims().begin(), same_dim);
}

bool broadcasts_into(const ArgumentContext& c) {
  const ir::Shape& a = c.type(0).shape;
  const ir::Shape& b = c.type(1).shape;
  if (a.has_rank() && a.rank() == 0) return true;
  if (!a.has_rank() || !b.has_rank() || a.rank() > b.rank()) return false;
  const size_t shift = b.rank() - a.rank();
  for (size_t i = 0; i < a.rank(); ++i) {
    if (!(a[i] == ir::Dim(1)) && !same_dim(a[i], b[i + shift])) return false;
  }
  return true;
}

bool is_per_last_axis(const ArgumentContext& c) {
  const ir::Shape& a = c.type(0).shape;
  const ir::Shape& b = c.type(1).shape;
  if (!a.has_rank() || !b.has_rank() || a.rank() == 0 || a.rank() > b.rank()) return false;
  for (size_t i = 0; i + 1 < a.rank(); ++i) {
    if (!(a[i] == ir::Dim(1))) return false;
  }
  return same_dim(a.dims().back(), b.dims().back());
}

bool before_opset(const ArgumentContext& c) { return c.graph.model.opset() < c.integer(1); }

bool equal_constants(const ArgumentContext& c) {
  const ir::Tensor* a = c.constant(0);
  const ir::Tensor* b = c.constant(1);
  return a != nullptr && b != nullptr && *a == *b;
}

bool is_known(DType dtype) { return dtype != DType::kUndefined; }

bool same_dtype(const ArgumentContext& c) {
  return is_known(c.type(0).storage) && c.type(0).storage == c.type(1).storage;
}

// Bits of an integer without its sign; of a float, the integers up to 2^bits it holds exactly.
int exact_bits(DType dtype) {
  switch (dtype) {
    case DType::kFloat16:
      return 11;
    case DType::kBfloat16:
      return 8;
    case DType::kFloat32:
      return 24;
    case DType::kFloat64:
      return 53;
    case DType::kBool:
      return 1;
    default:
      return numerics::bit_width(dtype) - (numerics::is_signed_integer(dtype) ? 1 : 0);
  }
}

bool is_plain_float(DType dtype) {
  return dtype == DType::kFloat16 || dtype == DType::kBfloat16 || dtype == DType::kFloat32 ||
         dtype == DType::kFloat64;
}

bool is_whole(DType dtype) { return numerics::is_integer(dtype) || dtype == DType::kBool; }

bool holds_all_of(const ArgumentContext& c) {
  const DType wide = c.type(0).storage;
  const DType narrow = c.type(1).storage;
  if (wide == narrow) return is_known(wide);
  if (is_plain_float(narrow)) {
    if (wide == DType::kFloat64) return true;
    // bfloat16 has float32's exponents, float16 has not.
    return wide == DType::kFloat32 && narrow != DType::kFloat64;
  }
  // Through bool only 0 and 1 would live; a number is not a bool even where its bits would do.
  if (!is_whole(narrow) || wide == DType::kBool) return false;
  if (is_plain_float(wide)) return exact_bits(narrow) <= exact_bits(wide);
  if (!is_whole(wide)) return false;
  const bool sign_fits = numerics::is_signed_integer(wide) || !numerics::is_signed_integer(narrow);
  return sign_fits && exact_bits(narrow) <= exact_bits(wide);
}

bool has_dtype(const ArgumentContext& c) {
  return numerics::dtype_name(c.type(0).storage) == std::get<std::string>(c.arguments[1]);
}

bool has_rank(const ArgumentContext& c) {
  const ir::Shape& shape = c.type(0).shape;
  return shape.has_rank() && static_cast<int64_t>(shape.rank()) == c.integer(1);
}

bool is_constant(const ArgumentContext& c) { return c.constant(0) != nullptr; }
bool is_float(const ArgumentContext& c) { return is_plain_float(c.type(0).storage); }
bool has_static_shape(const ArgumentContext& c) { return c.type(0).shape.is_static(); }
bool has_one_element(const ArgumentContext& c) { return c.type(0).shape.element_count() == 1; }

bool is_scalar(const ArgumentContext& c) {
  return c.type(0).shape.has_rank() && c.type(0).shape.rank() == 0;
}

// Axes made non-negative and sorted; nothing when they are not those of the rank.
std::optional<std::vector<int64_t>> sorted_axes(const ArgumentContext& c) {
  auto axes = c.integers(0);
  const ir::Shape& shape = c.type(1).shape;
  if (!axes || !shape.has_rank()) return std::nullopt;
  const auto rank = static_cast<int64_t>(shape.rank());
  for (int64_t& axis : *axes) {
    if (axis < -rank || axis >= rank) return std::nullopt;
    if (axis < 0) axis += rank;
  }
  std::sort(axes->begin(), axes->end());
  return axes;
}

bool is_last_axis(const ArgumentContext& c) {
  // -1 is the last axis whatever the rank is.
  const auto axes = c.integers(0);
  if (axes && *axes == std::vector<int64_t>{-1}) return true;
  const auto sorted = sorted_axes(c);
  return sorted && sorted->size() == 1 &&
         sorted->front() + 1 == static_cast<int64_t>(c.type(1).shape.rank());
}

bool is_spatial_axes(const ArgumentContext& c) {
  const auto axes = sorted_axes(c);
  if (!axes || axes->empty() || axes->size() + 2 != c.type(1).shape.rank()) return false;
  for (size_t i = 0; i < axes->size(); ++i) {
    if ((*axes)[i] != static_cast<int64_t>(i) + 2) return false;
  }
  return true;
}

constexpr std::array kPredicates = {
    Predicate{"all_one", "i", "integers, all of them 1", all_one},
    Predicate{"all_positive", "v", "a constant without an element below or at 0", all_positive},
    Predicate{"all_zero", "i", "integers, all of them 0", all_zero},
    Predicate{"are_inverse", "ii", "two permutations that undo each other", are_inverse},
    Predicate{"before_opset", "in",
              "what may be absent is there, and the opset is below the number", before_opset},
    Predicate{"broadcasts_into", "vv",
              "broadcasting the first to the second gives the second's shape", broadcasts_into},
    Predicate{"dtype", "vw", "dtype(%x) = float32", has_dtype},
    Predicate{"equal_constants", "vv", "constants of equal type, shape and elements",
              equal_constants},
    Predicate{"has_one_element", "v", "a tensor of one element, whatever its rank",
              has_one_element},
    Predicate{"has_static_shape", "v", "all extents are numbers", has_static_shape},
    Predicate{"holds_all_of", "vv", "the first's type represents each value of the second's",
              holds_all_of},
    Predicate{"is_constant", "v", "known before the graph runs", is_constant},
    Predicate{"is_false", "v", "a constant of zeros", is_false},
    Predicate{"is_float", "v", "float16, bfloat16, float32 or float64", is_float},
    Predicate{"is_identity_permutation", "i", "0, 1, 2, ...", is_identity_permutation},
    Predicate{"is_last_axis", "iv", "the one axis that is the last of the value", is_last_axis},
    Predicate{"is_per_last_axis", "vv",
              "shape [1, .., C], where C is the last extent of the second", is_per_last_axis},
    Predicate{"is_scalar", "v", "rank 0", is_scalar},
    Predicate{"is_spatial_axes", "iv", "all axes of the value from 2 on", is_spatial_axes},
    Predicate{"none_negative", "v", "a constant without an element below 0", none_negative},
    Predicate{"rank", "vn", "rank(%x) = 4", has_rank},
    Predicate{"same_dtype", "vv", "element types that are known and equal", same_dtype},
    Predicate{"same_shape", "vv", "shapes that are equal whenever the graph runs", same_shape},
};

}  // namespace

std::optional<std::vector<int64_t>> ArgumentContext::integers(size_t i) const {
  if (std::holds_alternative<ir::ValueId>(arguments[i])) {
    const ir::Tensor* tensor = constant(i);
    if (tensor == nullptr || !numerics::is_integer(tensor->dtype())) return std::nullopt;
    return tensor->to_int64s();
  }
  const auto* attribute = std::get_if<const ir::Attribute*>(&arguments[i]);
  if (attribute == nullptr || *attribute == nullptr) return std::nullopt;
  if (const auto* one = std::get_if<int64_t>(*attribute)) return std::vector<int64_t>{*one};
  if (const auto* list = std::get_if<std::vector<int64_t>>(*attribute)) return *list;
  return std::nullopt;
}

bool ArgumentContext::is_absent(size_t i) const {
  if (const auto* value = std::get_if<ir::ValueId>(&arguments[i])) return !value->valid();
  const auto* attribute = std::get_if<const ir::Attribute*>(&arguments[i]);
  return attribute != nullptr && *attribute == nullptr;
}

std::span<const Predicate> all_predicates() { return kPredicates; }

const Predicate* find_predicate(std::string_view name) {
  for (const Predicate& predicate : kPredicates) {
    if (predicate.name == name) return &predicate;
  }
  return nullptr;
}

}  // namespace octet::patterns
