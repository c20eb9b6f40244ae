// Checks of one side of a rule: what the match lines say and bind. For check.cc.
#pragma once

#include <set>

#include "compiler/base/result.h"
#include "patterns/pattern.h"

namespace octet::patterns {

// kUsage "file:line:column: ...".
template <typename... Parts>
Error rule_error(const Rule& rule, Position position, const Parts&... parts) {
  return usage_error(rule.file, ":", position.line, ":", position.column, ": ", parts...);
}

// Names that the match gives a meaning to.
struct Bindings {
  std::set<size_t> values;      // that some match binds
  std::set<size_t> always;      // that every match binds
  std::set<size_t> attributes;  // that some match binds
};

// The operator is known and takes that many operands. Nothing is known of other domains.
Status check_call(const Rule& rule, const OpCall& call);

Result<Bindings> check_match(const Rule& rule);

}  // namespace octet::patterns
