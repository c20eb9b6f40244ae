#include "passes/apply_canonical_rules.h"

#include "patterns/rules.h"

namespace octet::passes {

Result<PassReport> apply_canonical_rules(ir::Graph& graph,
                                         const ApplyCanonicalRulesConfig& /*config*/,
                                         PassContext& context) {
  patterns::RuleSet loaded;
  if (context.canonical_rules == nullptr) {
    OCTET_ASSIGN(loaded, patterns::builtin_rules(patterns::Stage::kCanonicalize));
  }
  const patterns::RuleSet& rules =
      context.canonical_rules != nullptr ? *context.canonical_rules : loaded;
  patterns::ApplyOptions options;
  options.stop_after = context.edits_left;
  options.disabled = context.disabled_rules;
  options.trace = [&](const patterns::Rewrite& rewrite) {
    // Counts the rewrite; the rules themselves stop at edits_left.
    context.take_edit(cat(rewrite.rule, " at ", rewrite.node));
  };
  OCTET_ASSIGN(const patterns::ApplyReport applied, patterns::apply_rules(graph, rules, options));
  PassReport report;
  report.edits = applied.rewrites;
  report.changed = applied.changed();
  for (const auto& [rule, why] : applied.refused) {
    report.left_alone.push_back(cat("rule ", rule, ": ", why));
  }
  return report;
}

}  // namespace octet::passes
