// What replace lines can compute: a closed table of small functions from bound values and
// attributes to an attribute or a constant.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "patterns/predicates.h"

namespace octet::patterns {

// Nothing when it cannot be built from these arguments: the rule then does not apply.
using BuildFunction = std::optional<ir::Attribute> (*)(const ArgumentContext&);

struct Builder {
  std::string_view name;
  std::string_view signature;  // as of Predicate; an absent argument builds nothing
  std::string_view doc;
  // Tensors become constants and stand where operands do; the others are attributes.
  enum class Makes { kConstant, kAttribute };
  Makes makes;
  BuildFunction build;
};

// Sorted by name.
std::span<const Builder> all_builders();
const Builder* find_builder(std::string_view name);

}  // namespace octet::patterns
