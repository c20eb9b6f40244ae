// Rewrite rules: loading them, applying them, and proving them. A rule is text (rule.proto and
// rule_parser.h have its grammar); adding one is adding a file to rules/<stage>/.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "patterns/pattern.h"

namespace octet::patterns {

// Rules that passed the checks of loading (check.h), in the order in which they are tried.
class RuleSet {
 public:
  // Errors: kIo, kResourceLimit above 4 MiB, else kUsage "file:line:column: what is wrong".
  static Result<RuleSet> load_file(const std::string& path);
  // `file` is what messages call it.
  static Result<RuleSet> load_text(std::string_view text, const std::string& file);

  // Of rules that have been checked.
  static RuleSet of(std::vector<Rule> rules);

  // Adds the rules of `other` behind these. kUsage for a name used twice and for a rule that can
  // never be reached because an earlier one always applies first.
  Status append(RuleSet other);

  const std::vector<Rule>& rules() const { return rules_; }
  const Rule* find(std::string_view name) const;
  // Indices of the rules whose root can be this operator, ascending.
  const std::vector<size_t>& rooted_at(std::string_view domain, std::string_view op_type) const;
  RuleSet of_stage(Stage stage) const;

 private:
  void add(Rule rule);

  std::vector<Rule> rules_;
  std::map<std::pair<std::string, std::string>, std::vector<size_t>> by_root_;
};

// The rules of patterns/rules/<stage>, by file name; part of the program. An error here is a bug.
Result<RuleSet> builtin_rules(Stage stage);

// One rewrite, as it happened.
struct Rewrite {
  std::string_view rule;
  std::string node;  // the root, as describe() names it
  int64_t index = 0;
};

struct ApplyOptions {
  // Stops in front of rewrite number `stop_after`: bisecting tells which one breaks a model.
  std::optional<int64_t> stop_after = std::nullopt;
  std::set<std::string, std::less<>> disabled = {};  // names of rules
  // Rewrites that a graph may take before its rules are said not to converge; 0 stands for
  // 16 per node and 256 more.
  int64_t limit = 0;
  std::function<void(const Rewrite&)> trace = nullptr;
};

struct ApplyReport {
  int64_t rewrites = 0;
  std::map<std::string, int64_t> hits = {};  // rule -> rewrites
  // Rule -> why its last match was left as it was: the replacement did not fit the graph.
  std::map<std::string, std::string> refused = {};
  bool changed() const { return rewrites > 0; }
};

// Applies the rules to a fixpoint: nodes in graph order, rules in file order. The bodies of If,
// Loop and Scan are left alone. kInternal, naming the rule, when there is no fixpoint within the
// limit; the graph is then valid but half rewritten.
Result<ApplyReport> apply_rules(ir::Graph& graph, const RuleSet& rules,
                                const ApplyOptions& options = {});

struct CheckOptions {
  uint64_t seed = 1;
  int64_t attempts = 60000;  // random instances per rule, at most
  int64_t wanted = 24;       // instances that match, compared by their numbers
};

// What check_rules() found about one rule.
struct RuleEvidence {
  std::string rule;
  int64_t compared = 0;                   // instances rewritten with equal numbers
  std::vector<int64_t> near_misses = {};  // per where clause: instances where only it failed
};

// Makes random graphs from each pattern, rewrites them, and compares what they compute, within the
// numerics class of the rule. Refuses, with kUsage, file and position, a rule that changes the
// numbers or the type of a result, that fires on its own result, of which no instance could be
// made, and one with a where clause that never decides. A rule with operators that Octet does not
// know cannot be run: its evidence stays empty.
Result<std::vector<RuleEvidence>> check_rules(const RuleSet& rules,
                                              const CheckOptions& options = {});

}  // namespace octet::patterns
