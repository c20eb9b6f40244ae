// What a rule must satisfy before it is let near a graph.
#pragma once

#include <vector>

#include "compiler/base/result.h"
#include "patterns/pattern.h"

namespace octet::patterns {

// Operators are known and get as many operands as they take, names are bound before they are used,
// predicates, builders and their arguments exist, and the replacement does not match the pattern
// again. Errors: kUsage "file:line:column: what is wrong".
Status check_rule(const Rule& rule);

// Refuses a rule whose name one of `earlier` has, or that one of them keeps from ever applying.
Status check_reachable(const Rule& rule, const std::vector<Rule>& earlier);

}  // namespace octet::patterns
