#include "patterns/pattern.h"

#include <algorithm>

namespace octet::patterns {

std::string_view stage_name(Stage stage) {
  return stage == Stage::kCanonicalize ? "canonicalize" : "lower";
}

std::string_view numerics_name(NumericsClass numerics) {
  switch (numerics) {
    case NumericsClass::kExact:
      return "exact";
    case NumericsClass::kRounding:
      return "rounding";
    case NumericsClass::kApproximate:
      return "approximate";
  }
  return "";
}

bool Rule::keeps(size_t name) const {
  return std::any_of(keep.begin(), keep.end(),
                     [name](const ValueRef& kept) { return kept.name == name; });
}

std::optional<size_t> Rule::defining_line(size_t name) const {
  for (size_t i = 0; i < match.size(); ++i) {
    for (const ValueRef& output : match[i].outputs) {
      if (output.name == name) return i;
    }
  }
  return std::nullopt;
}

}  // namespace octet::patterns
