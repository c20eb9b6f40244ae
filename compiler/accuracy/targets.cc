#include "compiler/accuracy/targets.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "compiler/plan/placement.h"

namespace octet::accuracy {

using plan::QuantPlan;

namespace {

constexpr size_t kRankedOn = 12;  // samples
// What costs next to nothing still has to show an effect.
constexpr double kLeastShare = 1e-3;

// Its products cost so much of what they cost in float.
double cost_of(Level level) {
  return level == Level::kFloat ? 1.0 : level == Level::kWide ? 0.5 : 0.0;
}

// A product that runs in integers and may be raised.
struct Candidate {
  std::string output;  // first output of its node
  std::string node;
  std::string op_type;
  double share = 0.0;  // of all multiply-adds
  bool can_widen = false;
  Level level = Level::kInteger;
  double effect_db = 0.0;  // of the steps taken, or of the best one when it was last measured
};

// One layer raised further than it is.
struct Step {
  Candidate* candidate = nullptr;
  Level to = Level::kFloat;
  double effect = 0.0;  // fall of the joint noise
  double effect_db = 0.0;

  double worth() const {
    const double cost = (cost_of(to) - cost_of(candidate->level)) * candidate->share;
    return effect > 0.0 ? effect / std::max(cost, kLeastShare) : effect;
  }
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
    std::map<std::string, bool> integer;  // whether 16-bit data are to be had
    const plan::Placement placement = plan::place(*draft_.graph, spec_, recipe_);
    for (size_t i = 0; i < placement.units.units.size(); ++i) {
      const plan::Unit& unit = placement.units.units[i];
      const ir::Node& node = draft_.graph->node(unit.head);
      if (placement.integer[i] && !unit.rule->weight_space.empty() && node.output().valid()) {
        integer[draft_.graph->value(node.output()).name] =
            !placement.wide[i] && plan::can_widen(*draft_.graph, spec_, placement, i);
      }
    }
    double all = 0.0;
    for (const ProductCost& cost : costs) all += cost.macs;
    for (const ProductCost& cost : costs) {
      const ir::Node& node = graph.node(cost.node);
      const double share = all > 0.0 ? cost.macs / all : 0.0;
      const std::string& output = graph.value(node.output()).name;
      const auto found = integer.find(output);
      if (found != integer.end()) {
        candidates_.push_back(
            {output, ir::display_name(graph, node), node.op_type, share, found->second});
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

  plan::Recipe with(const Candidate& candidate, Level level) const {
    plan::Recipe recipe = recipe_;
    recipe.widened.erase(candidate.output);
    (level == Level::kWide ? recipe.widened : recipe.raised)[candidate.output] = "";
    return recipe;
  }

  bool affordable(const Candidate& candidate) const {
    return 100.0 * (float_share_ + candidate.share) <= options_.max_float_macs + 1e-9;
  }

  // Layers that are not float: the last of them stays what it is.
  size_t integer_layers() const {
    return static_cast<size_t>(
        std::count_if(candidates_.begin(), candidates_.end(),
                      [](const Candidate& c) { return c.level != Level::kFloat; }));
  }

  std::vector<Level> levels_above(const Candidate& candidate) const {
    std::vector<Level> out;
    if (candidate.level == Level::kInteger && candidate.can_widen) out.push_back(Level::kWide);
    if (candidate.level != Level::kFloat && integer_layers() > 1) out.push_back(Level::kFloat);
    return out;
  }

  // Measures one layer raised; nothing where that cannot be.
  Result<std::optional<Step>> measured(Candidate& candidate, Level to, const OutputErrors& now) {
    const auto plan = replan(draft_, spec_, with(candidate, to));
    // Without it, something needs a range that nobody measured.
    if (!plan.ok() && plan.error().code() == ErrorCode::kBadData) return std::optional<Step>();
    if (!plan.ok()) return plan.error();
    OCTET_ASSIGN(const OutputErrors errors, errors_of(*plan));
    return std::optional<Step>({&candidate, to, now.joint_noise() - errors.joint_noise(),
                                errors.joint_sqnr() - now.joint_sqnr()});
  }

  // The best step of every layer that can be raised further, best first.
  Result<std::vector<Step>> rank(const OutputErrors& now) {
    ++rounds_;
    size_t done = 0;
    std::vector<Step> out;
    for (Candidate& candidate : candidates_) {
      ++done;
      std::optional<Step> best;
      for (const Level to : levels_above(candidate)) {
        OCTET_ASSIGN(const std::optional<Step> step, measured(candidate, to, now));
        if (!step) continue;
        if (candidate.level == Level::kInteger) candidate.effect_db = step->effect_db;
        // 16 bits that change nothing are no step: the noise is that of the weight.
        if (to == Level::kWide ? step->effect <= 0.0 : !affordable(candidate)) continue;
        if (!best || step->worth() > best->worth()) best = step;
      }
      if (best) {
        if (candidate.level == Level::kInteger) candidate.effect_db = best->effect_db;
        out.push_back(*best);
      }
      if (options_.progress != nullptr) {
        options_.progress(cat("ranking layers, round ", rounds_), done, candidates_.size());
      }
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const Step& a, const Step& b) { return a.worth() > b.worth(); });
    return out;
  }

  // Takes the steps that buy most, and plans again; how many.
  Result<size_t> raise_some() {
    const bool any = std::any_of(candidates_.begin(), candidates_.end(),
                                 [this](const Candidate& c) { return !levels_above(c).empty(); });
    if (!any) return size_t{0};
    OCTET_ASSIGN(const OutputErrors now, errors_of(plan_));
    OCTET_ASSIGN(const std::vector<Step> steps, rank(now));
    const double noise = now.joint_noise();
    const double wanted =
        options_.sqnr ? noise - std::pow(10.0, -*options_.sqnr / 10.0) : noise / 4.0;
    const size_t most = std::max<size_t>(1, candidates_.size() / 6);
    double gained = 0.0;
    size_t raised = 0;
    for (const Step& step : steps) {
      if (raised >= most || (raised > 0 && (step.effect <= 0.0 || gained >= 0.6 * wanted))) break;
      if (step.to == Level::kFloat && (!affordable(*step.candidate) || integer_layers() < 2)) {
        continue;
      }
      take(step);
      gained += step.effect;
      ++raised;
    }
    if (raised > 0) OCTET_TRY(plan_again());
    return raised;
  }

  void take(const Step& step) {
    Candidate& candidate = *step.candidate;
    if (candidate.level == Level::kInteger) {
      order_.push_back(&candidate);
      candidate.effect_db = 0.0;
    }
    candidate.effect_db += step.effect_db;
    candidate.level = step.to;
    if (step.to == Level::kFloat) float_share_ += candidate.share;
  }

  Status plan_again() {
    recipe_ = draft_.recipe;
    for (const Candidate* candidate : order_) {
      if (candidate->level == Level::kInteger) continue;
      const bool wide = candidate->level == Level::kWide;
      (wide ? recipe_.widened : recipe_.raised)[candidate->output] =
          cat("raised to ", wide ? "16-bit activations" : "float", " for ", options_.target, ": ",
              decimals(candidate->effect_db, 2), " dB at the outputs for ",
              decimals(100.0 * candidate->share, 1), " % of the multiply-adds");
    }
    OCTET_ASSIGN(plan_, replan(draft_, spec_, recipe_));
    return {};
  }

  static std::string decimals(double value, int places) {
    const double unit = std::pow(10.0, places);
    return cat(std::round(value * unit) / unit);
  }

  // Tries every raised layer at less precision, those that cost most first.
  Result<Check> lower(Check holds) {
    std::vector<Candidate*> tried = order_;
    const auto cost = [](const Candidate* c) { return cost_of(c->level) * c->share; };
    std::stable_sort(tried.begin(), tried.end(),
                     [&](const Candidate* a, const Candidate* b) { return cost(a) > cost(b); });
    size_t done = 0;
    for (Candidate* candidate : tried) {
      OCTET_TRY(lower_one(*candidate, holds));
      if (options_.progress != nullptr) {
        options_.progress("trying layers back in integers", ++done, tried.size());
      }
    }
    std::erase_if(order_, [](const Candidate* c) { return c->level == Level::kInteger; });
    OCTET_TRY(plan_again());
    return holds;
  }

  // The least level at which the target holds; `holds` is what was found there.
  Status lower_one(Candidate& candidate, Check& holds) {
    const Level raised = candidate.level;
    for (const Level level : {Level::kInteger, Level::kWide}) {
      if (level == raised || (level == Level::kWide && !candidate.can_widen)) break;
      candidate.level = level;
      OCTET_TRY(plan_again());
      OCTET_ASSIGN(const Check check, checked(plan_));
      if (check.grade == Grade::kHolds) {
        holds = check;
        if (raised == Level::kFloat) float_share_ -= candidate.share;
        return {};
      }
    }
    candidate.level = raised;
    return {};
  }

  Result<TargetResult> finish() {
    OCTET_ASSIGN(out_.plan, finished(draft_, plan_));
    out_.float_macs_percent = 100.0 * float_share_;
    const auto row = [](const Candidate& candidate) {
      return LayerEffect{candidate.node, candidate.op_type, candidate.effect_db,
                         100.0 * candidate.share, candidate.level};
    };
    for (const Candidate* candidate : order_) {
      out_.layers.push_back(row(*candidate));
      if (candidate->level == Level::kWide) out_.wide_macs_percent += 100.0 * candidate->share;
    }
    std::vector<LayerEffect> others;
    for (const Candidate& candidate : candidates_) {
      if (candidate.level == Level::kInteger) others.push_back(row(candidate));
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
