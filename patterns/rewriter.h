// From a match to an edit: the replace lines of a rule as a Patch.
#pragma once

#include "compiler/base/result.h"
#include "compiler/ir/patch.h"
#include "patterns/matcher.h"

namespace octet::patterns {

// The edit that replaces what was matched. Errors say why the replacement does not fit: a builder
// has nothing to build from, operands do not suit an operator, types contradict each other, or a
// graph output would lose its name. The graph is as it was then.
Result<ir::Patch> build_patch(const ir::Graph& graph, const Rule& rule, const Match& match);

// Applies it. What was known of the shapes of the replaced results stays known.
Status apply_patch(ir::Graph& graph, const Rule& rule, const Match& match, ir::Patch patch);

}  // namespace octet::patterns
