#include "patterns/rules.h"

#include "tools/octet/lists.h"

namespace octet::tools {

void add_rules(CLI::App& app, Invocation& invocation) {
  add_list(app, invocation, "rules", "Lists the rewrite rules",
           []() -> Result<std::vector<ListEntry>> {
             std::vector<ListEntry> out;
             OCTET_ASSIGN(const patterns::RuleSet rules,
                          patterns::builtin_rules(patterns::Stage::kCanonicalize));
             for (const patterns::Rule& rule : rules.rules()) {
               out.push_back({rule.name,
                              {{"numerics", std::string(patterns::numerics_name(rule.numerics))},
                               {"doc", rule.doc}}});
             }
             return out;
           });
}

}  // namespace octet::tools
