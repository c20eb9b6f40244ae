// check_rules(): rules against numbers.
#include <algorithm>
#include <cmath>

#include "compiler/ops/schema.h"
#include "patterns/instance.h"
#include "patterns/rewriter.h"
#include "patterns/rules.h"

namespace octet::patterns {
namespace {

// How far results may be apart, relative to the larger of 1 and the numbers themselves.
double tolerance(NumericsClass numerics) {
  switch (numerics) {
    case NumericsClass::kExact:
      return 0.0;
    case NumericsClass::kRounding:
      return 1e-4;
    case NumericsClass::kApproximate:
      return 1e-2;
  }
  return 0.0;
}

bool close(double a, double b, double relative) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return true;
  return std::abs(a - b) <= relative * std::max({1.0, std::abs(a), std::abs(b)});
}

std::optional<std::string> difference(const ir::Tensor& before, const ir::Tensor& after,
                                      double relative) {
  if (before.dtype() != after.dtype() || before.shape() != after.shape()) {
    return cat("the result was ", before.type().to_string(), " and becomes ",
               after.type().to_string());
  }
  for (int64_t i = 0; i < before.element_count(); ++i) {
    const double a = before.at_as_double(i);
    const double b = after.at_as_double(i);
    if (!close(a, b, relative)) return cat("element ", i, " was ", a, " and becomes ", b);
  }
  return std::nullopt;
}

// Types are promises: a value must be what its type says.
std::optional<std::string> broken_type(const ir::Graph& graph,
                                       const std::vector<ir::Tensor>& values) {
  for (ir::NodeId id : graph.order()) {
    for (ir::ValueId output : graph.node(id).outputs) {
      if (!output.valid()) continue;
      const ir::TensorType& type = graph.value(output).type;
      const ir::Tensor& actual = values[output.index()];
      const bool dtype_fits =
          type.storage == ir::DType::kUndefined || type.storage == actual.dtype();
      if (!dtype_fits || !ir::compatible(type.shape, ir::Shape::of(actual.shape()))) {
        return cat("a value of type ", type.to_string(), " becomes ", actual.type().to_string());
      }
    }
  }
  return std::nullopt;
}

class Prover {
 public:
  Prover(const Rule& rule, const CheckOptions& options)
      : rule_(rule), options_(options), random_(options.seed) {
    evidence_.rule = rule.name;
    evidence_.near_misses.assign(rule.where.size(), 0);
  }

  Result<RuleEvidence> run();

 private:
  Error at(Position position, std::string_view message) const {
    return usage_error(rule_.file, ":", position.line, ":", position.column, ": rule ", rule_.name,
                       ": ", message);
  }
  bool is_done() const;
  bool has_unknown_operators() const;
  Status examine(Instance instance);
  Status compare(Instance instance, const Match& match);
  Status check_settles(ir::Graph graph) const;

  const Rule& rule_;
  const CheckOptions& options_;
  Random random_;
  RuleEvidence evidence_;
};

bool Prover::is_done() const {
  return evidence_.compared >= options_.wanted &&
         std::all_of(evidence_.near_misses.begin(), evidence_.near_misses.end(),
                     [](int64_t count) { return count > 0; });
}

bool Prover::has_unknown_operators() const {
  const auto unknown = [](const OpCall& call) {
    return ops::find_schema(call.domain, call.op_type) == nullptr;
  };
  for (const MatchLine& line : rule_.match) {
    if (std::any_of(line.alternatives.begin(), line.alternatives.end(), unknown)) return true;
  }
  for (const ReplaceLine& line : rule_.replace) {
    const auto* call = std::get_if<OpCall>(&line.value);
    if (call != nullptr && unknown(*call)) return true;
  }
  return false;
}

Status Prover::check_settles(ir::Graph graph) const {
  ApplyOptions options;
  options.limit = 16;
  const auto applied = apply_rules(graph, RuleSet::of({rule_}), options);
  if (!applied.ok()) return at(rule_.replace.back().at, "it fires on its own result, for ever");
  return {};
}

Status Prover::compare(Instance instance, const Match& match) {
  auto patch = build_patch(instance.graph, rule_, match);
  if (!patch.ok()) return {};  // it would be refused in a model as well
  OCTET_TRY(
      apply_patch(instance.graph, rule_, match, *std::move(patch)).in(cat("rule ", rule_.name)));
  std::vector<ir::Tensor> after = instance.values;
  const Status evaluated = evaluate_graph(instance.graph, after);
  const Position where = rule_.replace.back().at;
  if (!evaluated.ok()) {
    return at(where, cat("the replacement does not run: ", evaluated.error().message()));
  }
  for (ir::ValueId output : instance.graph.outputs()) {
    const ir::Tensor& wanted = instance.values[output.index()];
    const auto found = difference(wanted, after[output.index()], tolerance(rule_.numerics));
    if (found) return at(where, *found);
  }
  const auto broken = broken_type(instance.graph, after);
  if (broken) return at(where, *broken);
  ++evidence_.compared;
  return check_settles(std::move(instance.graph));
}

Status Prover::examine(Instance instance) {
  std::optional<Match> accepted;
  std::vector<bool> alone(rule_.where.size(), false);  // failed as the only clause
  for_each_match(instance.graph, rule_, instance.root, [&](const Match& match) {
    std::vector<size_t> failed;
    for (size_t i = 0; i < rule_.where.size(); ++i) {
      if (!holds(instance.graph, rule_.where[i], match)) failed.push_back(i);
    }
    if (failed.empty()) accepted = match;
    if (failed.size() == 1) alone[failed[0]] = true;
    return failed.empty();
  });
  if (accepted) return compare(std::move(instance), *accepted);
  for (size_t i = 0; i < alone.size(); ++i) evidence_.near_misses[i] += alone[i] ? 1 : 0;
  return {};
}

Result<RuleEvidence> Prover::run() {
  if (has_unknown_operators()) return evidence_;
  for (int64_t i = 0; i < options_.attempts && !is_done(); ++i) {
    auto instance = make_instance(rule_, random_);
    if (instance) OCTET_TRY(examine(*std::move(instance)));
  }
  if (evidence_.compared == 0) {
    return at(rule_.at, "no instance of the pattern could be made and rewritten");
  }
  for (size_t i = 0; i < rule_.where.size(); ++i) {
    if (evidence_.near_misses[i] == 0) {
      return at(rule_.where[i].at, cat("nothing fails ", rule_.where[i].text, " alone"));
    }
  }
  return evidence_;
}

}  // namespace

Result<std::vector<RuleEvidence>> check_rules(const RuleSet& rules, const CheckOptions& options) {
  std::vector<RuleEvidence> out;
  for (const Rule& rule : rules.rules()) {
    OCTET_ASSIGN(RuleEvidence evidence, Prover(rule, options).run());
    out.push_back(std::move(evidence));
  }
  return out;
}

}  // namespace octet::patterns
