#include "compiler/accuracy/layer_trials.h"

#include <algorithm>
#include <string>
#include <utility>

#include "compiler/plan/planner.h"

namespace octet::accuracy {

using plan::QuantPlan;

namespace {

Status try_plain_rounding(Trials& trials, const QuantPlan& plain, const std::string& weight,
                          const std::string& node) {
  QuantPlan plan = trials.plan();
  const auto named = [&](const auto& constant) { return constant.value == weight; };
  const auto it = std::find_if(plan.constants.begin(), plan.constants.end(), named);
  const auto from = std::find_if(plain.constants.begin(), plain.constants.end(), named);
  if (it == plan.constants.end() || !it->integers || from == plain.constants.end()) return {};
  if (!trials.may(trials.trial_cost())) return {};
  *it = *from;
  OCTET_ASSIGN(std::optional<Trials::Better> found, trials.better(plan));
  if (found) trials.keep(std::move(plan), std::move(*found), "weights rounded to nearest", node);
  return {};
}

Status try_own_bias(Trials& trials, const std::string& bias, const std::string& node) {
  QuantPlan plan = trials.plan();
  const auto it = std::find_if(plan.replaced.begin(), plan.replaced.end(),
                               [&](const auto& replaced) { return replaced.value == bias; });
  if (it == plan.replaced.end() || !trials.may(trials.trial_cost())) return {};
  plan.replaced.erase(it);
  OCTET_ASSIGN(std::optional<Trials::Better> found, trials.better(plan));
  if (found) trials.keep(std::move(plan), std::move(*found), "bias not corrected", node);
  return {};
}

}  // namespace

Status try_rounding_again(const Workbench& bench, Trials& trials) {
  Draft& draft = trials.draft();
  const double cost = 3.0 * static_cast<double>(bench.samples().size()) * trials.sample_cost() +
                      trials.trial_cost();
  if (draft.recipe.ranges.empty() || draft.layers.empty() || !trials.may(cost)) return {};
  OCTET_ASSIGN(QuantPlan plan,
               plan::make_plan(*draft.graph, draft.statistics, trials.spec(), draft.recipe));
  const RecipeReport before = draft.report;
  OCTET_TRY(bench.round(draft, plan));
  OCTET_ASSIGN(std::optional<Trials::Better> found, trials.better(plan));
  if (found) {
    trials.keep(std::move(plan), std::move(*found), "weights rounded again under these ranges", "");
  } else {
    draft.report = before;
  }
  return {};
}

Status try_layers(Trials& trials) {
  const Draft& draft = trials.draft();
  OCTET_ASSIGN(const QuantPlan plain,
               plan::make_plan(*draft.graph, draft.statistics, trials.spec(), draft.recipe));
  for (const Layer& layer : draft.layers) {
    const std::string& weight = draft.graph->value(layer.weight).name;
    const std::string node = ir::display_name(*draft.graph, draft.graph->node(layer.node));
    OCTET_TRY(try_plain_rounding(trials, plain, weight, node));
    if (layer.bias.valid()) {
      OCTET_TRY(try_own_bias(trials, draft.graph->value(layer.bias).name, node));
    }
  }
  return {};
}

}  // namespace octet::accuracy
