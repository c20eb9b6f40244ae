#include "compiler/accuracy/recipe_trials.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace octet::accuracy {
namespace {

// Few recipes are tried, on samples that none of them has learned from, so there is little luck to
// guard against: what is better on a typical sample and in sum is taken.
constexpr Bar kRecipeBar = {0.05, 0.25};

struct RecipeChange {
  std::string what;
  std::function<void(DraftOptions&)> change;
};

std::vector<RecipeChange> recipe_changes() {
  return {
      {"weights rounded towards the float outputs",
       [](DraftOptions& to) { to.target = Target::kFloatOutput; }},
      {"equalization of dense layers with alpha 0.8",
       [](DraftOptions& to) { to.equalizing.dense_alpha = 0.8; }},
      {"equalization of dense layers with alpha 0.65",
       [](DraftOptions& to) { to.equalizing.dense_alpha = 0.65; }},
      {"equalization with more headroom", [](DraftOptions& to) { to.equalizing.headroom = 1.4; }},
      {"equalization without headroom", [](DraftOptions& to) { to.equalizing.headroom = 1.0; }},
      {"smoothing with alpha 0.7", [](DraftOptions& to) { to.equalizing.matmul_alpha = 0.7; }},
  };
}

// Multiply-adds: three passes over the samples, the sums of second order and the rounding.
double cost_of(const Draft& like, const Workbench& bench, const Trials& trials, Target target) {
  const auto samples = static_cast<double>(bench.samples().size());
  const bool both = target == Target::kFloatOutput;
  double out = (both ? 4.0 : 3.0) * samples * trials.sample_cost();
  // In doubles, which take as long as so many 8-bit products.
  constexpr double kDouble = 8.0;
  for (const Layer& layer : like.layers) {
    const auto k = static_cast<double>(layer.layout.columns);
    const auto groups = static_cast<double>(layer.layout.groups);
    const auto rows = static_cast<double>(layer.layout.rows);
    const auto positions = samples * static_cast<double>(positions_per_sample(layer.layout));
    out += kDouble * groups * k * k * ((both ? 1.5 : 0.5) * positions + (both ? 20.0 : 4.0) * rows);
  }
  return out;
}

}  // namespace

Status try_recipes(Workbench& bench, Workbench& half, Trials& trials) {
  DraftOptions best;
  if (!trials.may(cost_of(trials.draft(), half, trials, best.target) + trials.trial_cost())) {
    return {};
  }
  OCTET_ASSIGN(std::unique_ptr<Draft> current, half.draft(best));
  OCTET_ASSIGN(OutputErrors errors, trials.judged(*current));
  std::vector<KeptChange> kept;
  for (const RecipeChange& each : recipe_changes()) {
    DraftOptions options = best;
    each.change(options);
    if (options.target == best.target && !half.differs(*current, options.equalizing)) continue;
    // What wins has to be made from all samples yet.
    const double last = cost_of(trials.draft(), bench, trials, options.target);
    if (!trials.may(cost_of(trials.draft(), half, trials, options.target) + trials.trial_cost(),
                    last)) {
      continue;
    }
    OCTET_ASSIGN(std::unique_ptr<Draft> other, half.draft(options));
    OCTET_ASSIGN(OutputErrors seen, trials.judged(*other));
    const OutputErrors::Gain gain = seen.gain_over(errors);
    if (gain.db < kRecipeBar.gain || gain.significance < kRecipeBar.significance ||
        seen.joint_sqnr() <= errors.joint_sqnr() || Trials::falls(errors, seen)) {
      continue;
    }
    best = options;
    current = std::move(other);
    errors = std::move(seen);
    kept.push_back({each.what, "", gain.db});
  }
  if (kept.empty() || !trials.may(cost_of(trials.draft(), bench, trials, best.target))) return {};
  best.gather = Gather::kProposals;
  OCTET_ASSIGN(std::unique_ptr<Draft> whole, bench.draft(best));
  return trials.adopt(std::move(whole), std::move(kept));
}

}  // namespace octet::accuracy
