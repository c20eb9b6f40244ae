#include "passes/pipeline.h"

#include <algorithm>
#include <array>

#include "compiler/base/name_hint.h"
#include "compiler/base/names.h"
#include "compiler/ir/verify.h"
#include "patterns/rules.h"

namespace octet::passes {
namespace {

constexpr std::array kOrder = {
    Step{"remove_initializer_inputs", Schedule::kOnce},
    Step{"remove_dead_nodes", Schedule::kOnce},
    Step{"lift_opset", Schedule::kOnce},
    Step{"fold_constants", Schedule::kRepeats},
    Step{"eliminate_common_subexpressions", Schedule::kRepeats},
    Step{"apply_canonical_rules", Schedule::kRepeats},
    Step{"share_equal_weights", Schedule::kRepeats},
    Step{"normalize_gemm", Schedule::kRepeats},
    Step{"fold_batch_norm", Schedule::kRepeats},
    Step{"fold_scale_and_bias", Schedule::kRepeats},
    Step{"remove_dead_nodes", Schedule::kRepeats},
};

constexpr std::array kOrderRules = {
    OrderRule{"remove_initializer_inputs", "fold_constants",
              "a default that a caller may set is no constant yet"},
    OrderRule{"remove_initializer_inputs", "lift_opset",
              "lifting makes constants that are no inputs, which IR version 3 may not hold"},
    OrderRule{"remove_dead_nodes", "lift_opset",
              "an operator that nothing reads must not keep a model from being lifted"},
    OrderRule{"remove_dead_nodes", "fold_batch_norm", "a dead reader makes a weight look shared"},
    OrderRule{"lift_opset", "fold_constants",
              "lifting leaves shapes that are computed from constants"},
    OrderRule{"lift_opset", "apply_canonical_rules", "rules are written for modern forms"},
    OrderRule{"fold_constants", "apply_canonical_rules",
              "rules ask for constants where exporters leave shape arithmetic"},
    OrderRule{"fold_constants", "fold_batch_norm", "parameters may be computed from constants"},
    OrderRule{"eliminate_common_subexpressions", "apply_canonical_rules",
              "a rule wants the same value twice, exporters compute it twice"},
    OrderRule{"apply_canonical_rules", "fold_scale_and_bias",
              "the Add of 3 behind a Conv belongs to its HardSigmoid, not to the bias"},
    OrderRule{"fold_constants", "share_equal_weights", "weights may be computed from constants"},
    OrderRule{"share_equal_weights", "fold_batch_norm",
              "copies that were folded are equal no longer"},
    OrderRule{"share_equal_weights", "fold_scale_and_bias",
              "copies that were folded are equal no longer"},
    OrderRule{"normalize_gemm", "fold_batch_norm", "only a Gemm without alpha and beta is linear"},
    OrderRule{"normalize_gemm", "fold_scale_and_bias",
              "only a Gemm without alpha and beta is linear"},
};

// Rounds that a model needs follow from how its patterns nest: few. This many mean that two passes
// undo each other.
constexpr int64_t kMaxRounds = 16;

class Pipeline {
 public:
  Pipeline(ir::Graph& graph, const PipelineOptions& options)
      : graph_(graph), options_(options), budget_(options.max_memory) {
    context_.budget = &budget_;
    context_.edits_left = options.stop_after;
    context_.log = options.log;
    context_.disabled_rules = options.disabled;
  }

  Result<std::vector<PassReport>> run();

 private:
  Status check_names() const;
  // Runs all steps of a schedule; says whether one changed the graph.
  Result<bool> run_steps(Schedule schedule);
  void record(PassReport report);

  ir::Graph& graph_;
  const PipelineOptions& options_;
  MemoryBudget budget_;
  patterns::RuleSet rules_;
  PassContext context_;
  std::vector<PassReport> reports_;
};

Status Pipeline::check_names() const {
  std::vector<std::string> known;
  for (const PassInfo& pass : all_passes()) known.emplace_back(pass.name);
  for (const patterns::Rule& rule : rules_.rules()) known.push_back(rule.name);
  for (const std::string& name : options_.disabled) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return usage_error("no pass or rule is called ", quote_name(name), name_hint(name, known));
  }
  return {};
}

// What was left alone is what the last round left alone.
void Pipeline::record(PassReport report) {
  const auto at = std::find_if(reports_.begin(), reports_.end(),
                               [&](const PassReport& r) { return r.pass == report.pass; });
  if (at == reports_.end()) {
    reports_.push_back(std::move(report));
    return;
  }
  at->changed = at->changed || report.changed;
  at->edits += report.edits;
  at->notes.insert(at->notes.end(), report.notes.begin(), report.notes.end());
  at->left_alone = std::move(report.left_alone);
}

Result<bool> Pipeline::run_steps(Schedule schedule) {
  bool changed = false;
  for (const Step& step : kOrder) {
    if (step.schedule != schedule || options_.disabled.contains(step.pass)) continue;
    const PassInfo* pass = find_pass(step.pass);
    if (pass == nullptr) return internal_error("no pass is called ", step.pass);
    OCTET_ASSIGN(PassReport report, run_pass(*pass, graph_, options_.configs, context_));
    if (report.changed) {
      changed = true;
      if (options_.verify == VerifyWhen::kAfterEachPass) {
        const Status status = ir::verify(graph_);
        if (!status.ok()) {
          return internal_error("pass ", pass->name,
                                " left a broken graph: ", status.error().message());
        }
      }
      if (options_.after_pass) options_.after_pass(pass->name, graph_);
    }
    record(std::move(report));
  }
  return changed;
}

Result<std::vector<PassReport>> Pipeline::run() {
  OCTET_ASSIGN(rules_, patterns::builtin_rules(patterns::Stage::kCanonicalize));
  context_.canonical_rules = &rules_;
  OCTET_TRY(check_names());
  OCTET_TRY(run_steps(Schedule::kOnce));
  bool changed = true;
  for (int64_t round = 0; changed && context_.may_edit(); ++round) {
    if (round == kMaxRounds) {
      return internal_error("canonicalization does not come to an end within ", kMaxRounds,
                            " rounds");
    }
    OCTET_ASSIGN(changed, run_steps(Schedule::kRepeats));
  }
  const Status status = ir::verify(graph_);
  if (!status.ok()) {
    return internal_error("canonicalization left a broken graph: ", status.error().message());
  }
  return std::move(reports_);
}

}  // namespace

std::span<const Step> canonical_order() { return kOrder; }
std::span<const OrderRule> order_rules() { return kOrderRules; }

Result<std::vector<PassReport>> canonicalize(ir::Graph& graph, const PipelineOptions& options) {
  return Pipeline(graph, options).run();
}

}  // namespace octet::passes
