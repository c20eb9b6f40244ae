#include "patterns/rules.h"

#include "compiler/base/files.h"
#include "patterns/check.h"
#include "patterns/embedded.h"
#include "patterns/rewriter.h"
#include "patterns/rule_file.h"

namespace octet::patterns {
namespace {

constexpr int64_t kMaxFileBytes = int64_t{4} << 20;

class Applier {
 public:
  Applier(ir::Graph& graph, const RuleSet& rules, const ApplyOptions& options)
      : graph_(graph), rules_(rules), options_(options) {
    limit_ =
        options.limit > 0 ? options.limit : static_cast<int64_t>(graph.node_count()) * 16 + 256;
  }

  Result<ApplyReport> run();

 private:
  enum class Outcome { kUnchanged, kRewritten, kStopped };

  Result<Outcome> visit(ir::NodeId id);
  Result<Outcome> try_rule(const Rule& rule, ir::NodeId id);

  ir::Graph& graph_;
  const RuleSet& rules_;
  const ApplyOptions& options_;
  int64_t limit_;
  ApplyReport report_;
};

Result<Applier::Outcome> Applier::try_rule(const Rule& rule, ir::NodeId id) {
  const auto match = find_match(graph_, rule, id);
  if (!match) return Outcome::kUnchanged;
  auto patch = build_patch(graph_, rule, *match);
  if (!patch.ok()) {
    report_.refused.insert_or_assign(rule.name,
                                     cat(ir::describe(graph_, id), ": ", patch.error().message()));
    return Outcome::kUnchanged;
  }
  if (options_.stop_after && report_.rewrites >= *options_.stop_after) return Outcome::kStopped;
  if (report_.rewrites >= limit_) {
    return internal_error("rule ", rule.name, " does not converge: ", limit_,
                          " rewrites, the last at ", ir::describe(graph_, id));
  }
  const std::string node = ir::describe(graph_, id);
  OCTET_TRY(apply_patch(graph_, rule, *match, *std::move(patch))
                .in(cat("rule ", rule.name, " at ", node)));
  if (options_.trace) options_.trace({rule.name, node, report_.rewrites});
  ++report_.rewrites;
  ++report_.hits[rule.name];
  return Outcome::kRewritten;
}

Result<Applier::Outcome> Applier::visit(ir::NodeId id) {
  const ir::Node& node = graph_.node(id);
  for (size_t index : rules_.rooted_at(node.domain, node.op_type)) {
    const Rule& rule = rules_.rules()[index];
    if (!rule.applies_at(graph_.model.opset()) || options_.disabled.contains(rule.name)) continue;
    OCTET_ASSIGN(const Outcome outcome, try_rule(rule, id));
    if (outcome != Outcome::kUnchanged) return outcome;
  }
  return Outcome::kUnchanged;
}

Result<ApplyReport> Applier::run() {
  bool changed = true;
  while (changed) {
    changed = false;
    const std::vector<ir::NodeId> order = graph_.order();
    for (ir::NodeId id : order) {
      if (!graph_.node(id).alive) continue;
      OCTET_ASSIGN(const Outcome outcome, visit(id));
      if (outcome == Outcome::kStopped) return std::move(report_);
      changed = changed || outcome == Outcome::kRewritten;
    }
  }
  return std::move(report_);
}

}  // namespace

Result<RuleSet> RuleSet::load_file(const std::string& path) {
  OCTET_ASSIGN(const std::string text, read_file(path, kMaxFileBytes));
  return load_text(text, path);
}

Result<RuleSet> RuleSet::load_text(std::string_view text, const std::string& file) {
  if (text.size() > static_cast<size_t>(kMaxFileBytes)) {
    return resource_limit(file, ": more than ", kMaxFileBytes, " bytes of rules");
  }
  OCTET_ASSIGN(std::vector<Rule> rules, parse_rule_file(text, file));
  RuleSet set;
  for (Rule& rule : rules) {
    OCTET_TRY(check_rule(rule));
    OCTET_TRY(check_reachable(rule, set.rules_));
    set.add(std::move(rule));
  }
  return set;
}

RuleSet RuleSet::of(std::vector<Rule> rules) {
  RuleSet set;
  for (Rule& rule : rules) set.add(std::move(rule));
  return set;
}

Status RuleSet::append(RuleSet other) {
  for (const Rule& rule : other.rules_) OCTET_TRY(check_reachable(rule, rules_));
  for (Rule& rule : other.rules_) add(std::move(rule));
  return {};
}

void RuleSet::add(Rule rule) {
  for (const OpCall& call : rule.root().alternatives) {
    auto& indices = by_root_[{call.domain, call.op_type}];
    if (indices.empty() || indices.back() != rules_.size()) indices.push_back(rules_.size());
  }
  rules_.push_back(std::move(rule));
}

const Rule* RuleSet::find(std::string_view name) const {
  for (const Rule& rule : rules_) {
    if (rule.name == name) return &rule;
  }
  return nullptr;
}

const std::vector<size_t>& RuleSet::rooted_at(std::string_view domain,
                                              std::string_view op_type) const {
  static const std::vector<size_t> none;
  const auto at = by_root_.find({std::string(domain), std::string(op_type)});
  return at == by_root_.end() ? none : at->second;
}

RuleSet RuleSet::of_stage(Stage stage) const {
  RuleSet out;
  for (const Rule& rule : rules_) {
    if (rule.stage == stage) out.add(rule);
  }
  return out;
}

Result<RuleSet> builtin_rules(Stage stage) {
  RuleSet out;
  for (const EmbeddedFile& file : embedded_rule_files()) {
    OCTET_ASSIGN(RuleSet rules, RuleSet::load_text(file.text, std::string(file.path)));
    OCTET_TRY(out.append(rules.of_stage(stage)));
  }
  return out;
}

Result<ApplyReport> apply_rules(ir::Graph& graph, const RuleSet& rules,
                                const ApplyOptions& options) {
  return Applier(graph, rules, options).run();
}

}  // namespace octet::patterns
