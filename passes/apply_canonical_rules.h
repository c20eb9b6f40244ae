#pragma once

#include "passes/pass.h"

namespace octet::passes {

struct ApplyCanonicalRulesConfig {};

// The rules of patterns/rules/canonicalize, to their fixpoint. An edit is a rewrite.
Result<PassReport> apply_canonical_rules(ir::Graph& graph, const ApplyCanonicalRulesConfig& config,
                                         PassContext& context);

}  // namespace octet::passes
