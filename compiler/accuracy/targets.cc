#include "compiler/accuracy/targets.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "compiler/plan/placement.h"

namespace octet::accuracy {

using plan::QuantPlan;

namespace {

constexpr size_t kRankedOn = 12;  // samples
// What costs next to nothing still has to show an effect.
constexpr double kLeastShare = 1e-3;

// A product that runs in integers and may be raised.
struct Candidate {
  std::string output;  // first output of its node
  std::string node;
  std::string op_type;
  double share = 0.0;   // of all multiply-adds
  double effect = 0.0;  // fall of the joint noise when it was last measured
  double effect_db = 0.0;
  bool raised = false;
  bool possible = true;
};

class Raiser {
 public:
  Raiser(const Draft& draft, const Judge& judge, const plan::BackendSpec& spec,
         const TargetOptions& options)
      : draft_(draft), judge_(judge), spec_(spec), options_(options), recipe_(draft.recipe) {}

  Result<TargetResult> run(const std::vector<ProductCost>& costs) {
    find_candidates(costs);
    plan_ = draft_.plan;
    OCTET_ASSIGN(Check check, checked(plan_));
    out_.before = check.found;
    while (check.grade == Grade::kMissed || (check.grade == Grade::kBarely && !order_.empty())) {
      OCTET_ASSIGN(const size_t raised, raise_some());
      if (raised == 0) break;
      OCTET_ASSIGN(check, checked(plan_));
    }
    if (check.grade == Grade::kHolds && options_.lowering == TargetOptions::Lowering::kTry) {
      OCTET_ASSIGN(check, lower(check));
    }
    out_.met = check.grade != Grade::kMissed;
    out_.after = check.found;
    return finish();
  }

 private:
  void find_candidates(const std::vector<ProductCost>& costs) {
    const ir::Graph& graph = *draft_.canonical;
    std::set<std::string> integer;
    const plan::Placement placement = plan::place(*draft_.graph, spec_, recipe_);
    for (size_t i = 0; i < placement.units.units.size(); ++i) {
      const plan::Unit& unit = placement.units.units[i];
      const ir::Node& node = draft_.graph->node(unit.head);
      if (placement.integer[i] && !unit.rule->weight_space.empty() && node.output().valid()) {
        integer.insert(draft_.graph->value(node.output()).name);
      }
    }
    double all = 0.0;
    for (const ProductCost& cost : costs) all += cost.macs;
    for (const ProductCost& cost : costs) {
      const ir::Node& node = graph.node(cost.node);
      const double share = all > 0.0 ? cost.macs / all : 0.0;
      const std::string& output = graph.value(node.output()).name;
      if (integer.contains(output)) {
        candidates_.push_back({output, ir::display_name(graph, node), node.op_type, share});
      } else {
        float_share_ += share;
      }
    }
  }

  Result<Check> checked(const QuantPlan& plan) const {
    OCTET_ASSIGN(const QuantPlan whole, finished(draft_, plan));
    return options_.check(whole);
  }

  Result<OutputErrors> errors_of(const QuantPlan& plan) const {
    OCTET_ASSIGN(const QuantPlan whole, finished(draft_, plan));
    OCTET_ASSIGN(Judge::Verdict verdict, judge_.run(whole, kRankedOn));
    return std::move(verdict.errors);
  }

  plan::Recipe with(const Candidate& candidate) const {
    plan::Recipe recipe = recipe_;
    recipe.raised[candidate.output] = "";
    return recipe;
  }

  bool affordable(const Candidate& candidate, double spent) const {
    return 100.0 * (spent + candidate.share) <= options_.max_float_macs + 1e-9;
  }

  // Measures all that may be raised; in candidates_.
  Result<OutputErrors> rank() {
    OCTET_ASSIGN(OutputErrors now, errors_of(plan_));
    ++rounds_;
    size_t done = 0;
    for (Candidate& candidate : candidates_) {
      ++done;
      if (candidate.raised) continue;
      const auto plan = replan(draft_, spec_, with(candidate));
      // Without it, something needs a range that nobody measured.
      candidate.possible = plan.ok() || plan.error().code() != ErrorCode::kBadData;
      if (!candidate.possible) continue;
      if (!plan.ok()) return plan.error();
      OCTET_ASSIGN(const OutputErrors errors, errors_of(*plan));
      candidate.effect = now.joint_noise() - errors.joint_noise();
      candidate.effect_db = errors.joint_sqnr() - now.joint_sqnr();
      if (options_.progress != nullptr) {
        options_.progress(cat("ranking layers, round ", rounds_), done, candidates_.size());
      }
    }
    return now;
  }

  // Raises the layers that buy most, and plans again; how many.
  Result<size_t> raise_some() {
    size_t left = 0;
    for (const Candidate& candidate : candidates_) left += candidate.raised ? 0 : 1;
    if (left < 2) return size_t{0};
    OCTET_ASSIGN(const OutputErrors now, rank());
    std::vector<Candidate*> best;
    for (Candidate& candidate : candidates_) {
      if (!candidate.raised && candidate.possible && affordable(candidate, float_share_))
        best.push_back(&candidate);
    }
    const auto worth = [](const Candidate* c) {
      return c->effect > 0.0 ? c->effect / std::max(c->share, kLeastShare) : c->effect;
    };
    std::stable_sort(best.begin(), best.end(),
                     [&](const Candidate* a, const Candidate* b) { return worth(a) > worth(b); });
    const double noise = now.joint_noise();
    const double wanted =
        options_.sqnr ? noise - std::pow(10.0, -*options_.sqnr / 10.0) : noise / 4.0;
    const size_t most = std::min(left - 1, std::max<size_t>(1, candidates_.size() / 6));
    double gained = 0.0;
    size_t raised = 0;
    for (Candidate* candidate : best) {
      if (raised >= most || (raised > 0 && (candidate->effect <= 0.0 || gained >= 0.6 * wanted))) {
        break;
      }
      if (!affordable(*candidate, float_share_)) continue;
      candidate->raised = true;
      order_.push_back(candidate);
      float_share_ += candidate->share;
      gained += candidate->effect;
      ++raised;
    }
    if (raised > 0) OCTET_TRY(plan_again());
    return raised;
  }

  Status plan_again() {
    recipe_ = draft_.recipe;
    for (const Candidate* candidate : order_) {
      recipe_.raised[candidate->output] =
          cat("raised to float for ", options_.target, ": ", decimals(candidate->effect_db, 2),
              " dB at the outputs for ", decimals(100.0 * candidate->share, 1),
              " % of the multiply-adds");
    }
    OCTET_ASSIGN(plan_, replan(draft_, spec_, recipe_));
    return {};
  }

  static std::string decimals(double value, int places) {
    const double unit = std::pow(10.0, places);
    return cat(std::round(value * unit) / unit);
  }

  // Tries every raised layer back in integers, those that cost most first.
  Result<Check> lower(Check holds) {
    std::vector<Candidate*> tried = order_;
    std::stable_sort(tried.begin(), tried.end(),
                     [](const Candidate* a, const Candidate* b) { return a->share > b->share; });
    size_t done = 0;
    for (Candidate* candidate : tried) {
      const std::vector<Candidate*> before = order_;
      order_.erase(std::find(order_.begin(), order_.end(), candidate));
      OCTET_TRY(plan_again());
      OCTET_ASSIGN(const Check check, checked(plan_));
      if (check.grade == Grade::kHolds) {
        holds = check;
        candidate->raised = false;
        float_share_ -= candidate->share;
      } else {
        order_ = before;
      }
      if (options_.progress != nullptr) {
        options_.progress("trying layers back in integers", ++done, tried.size());
      }
    }
    OCTET_TRY(plan_again());
    return holds;
  }

  Result<TargetResult> finish() {
    OCTET_ASSIGN(out_.plan, finished(draft_, plan_));
    out_.float_macs_percent = 100.0 * float_share_;
    const auto row = [](const Candidate& candidate) {
      return LayerEffect{candidate.node, candidate.op_type, candidate.effect_db,
                         100.0 * candidate.share, candidate.raised};
    };
    for (const Candidate* candidate : order_) out_.layers.push_back(row(*candidate));
    std::vector<LayerEffect> others;
    for (const Candidate& candidate : candidates_) {
      if (!candidate.raised) others.push_back(row(candidate));
    }
    std::stable_sort(others.begin(), others.end(),
                     [](const auto& a, const auto& b) { return a.effect_db > b.effect_db; });
    out_.layers.insert(out_.layers.end(), others.begin(), others.end());
    return std::move(out_);
  }

  const Draft& draft_;
  const Judge& judge_;
  const plan::BackendSpec& spec_;
  const TargetOptions& options_;
  plan::Recipe recipe_;
  std::vector<Candidate> candidates_;
  std::vector<Candidate*> order_;  // raised ones
  double float_share_ = 0.0;
  size_t rounds_ = 0;
  QuantPlan plan_;  // of the draft's graph
  TargetResult out_;
};

}  // namespace

Result<TargetResult> meet_target(const Draft& draft, const Judge& judge,
                                 const std::vector<ProductCost>& costs,
                                 const plan::BackendSpec& spec, const TargetOptions& options) {
  return Raiser(draft, judge, spec, options).run(costs);
}

}  // namespace octet::accuracy
