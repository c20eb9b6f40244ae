#include "compiler/accuracy/search.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "compiler/accuracy/candidate_ranges.h"
#include "compiler/accuracy/draft.h"
#include "compiler/accuracy/judge.h"
#include "compiler/plan/planner.h"

namespace octet::accuracy {

using calibration::Range;
using plan::QuantPlan;

namespace {

constexpr size_t kMostJudged = 48;
constexpr size_t kScreened = 8;
// A change has to be worth that many dB on a typical sample, by so many times its standard error
// (the best of many trials on few samples is lucky otherwise); the noise summed over samples hangs
// on few of them, and may rise that much.
constexpr double kGain = 0.02;
constexpr double kSignificance = 2.5;
constexpr double kSlack = 0.1;
constexpr double kScreenSlack = 0.1;

// Values that share their scale, and what may be done about their range.
struct Group {
  std::vector<std::string> values;
  Range current;
  std::vector<CandidateRange> candidates;
  double promise = 0.0;  // fall of local relative error
};

Range range_of(const ir::QuantParams& params) {
  const auto scale = params.scales().front();
  const int32_t zero = params.zero_points().front();
  return {scale * static_cast<float>(params.qmin() - zero),
          scale * static_cast<float>(params.qmax() - zero)};
}

// At most kMostJudged of the samples 2 i + `first`; draft.h keeps the odd ones out of the
// proposals.
std::vector<size_t> every_second(size_t count, size_t first) {
  const size_t all = (count + 1 - first) / 2;
  const size_t used = std::min(all, kMostJudged);
  std::vector<size_t> out;
  for (size_t i = 0; i < used; ++i) out.push_back(2 * (i * all / used) + first);
  return out;
}

class Search {
 public:
  Search(Workbench& bench, const plan::BackendSpec& spec, const RecipeOptions& options,
         const SearchOptions& search, const Judge& judge, const Judge& confirm, double sample_cost)
      : bench_(bench),
        spec_(spec),
        options_(options),
        search_(search),
        judge_(judge),
        confirm_(confirm),
        sample_cost_(sample_cost) {}

  Status run(std::unique_ptr<Draft>& draft) {
    draft_ = std::move(draft);
    plan_ = draft_->plan;
    OCTET_ASSIGN(errors_, errors_of(judge_, *draft_, plan_, SIZE_MAX));
    OCTET_ASSIGN(const OutputErrors seen, errors_of(confirm_, *draft_, plan_, SIZE_MAX));
    confirmed_ = seen;
    report_.judged = judge_.size();
    report_.before = errors_.joint_sqnr();
    report_.planned = planned();
    limit_ = search_.work;
    if (search_.begin != nullptr) search_.begin();
    OCTET_TRY(try_equalizations());
    // The last two stages get their share, whatever ranges there are to try.
    limit_ = 0.8 * search_.work;
    OCTET_TRY(try_ranges());
    limit_ = search_.work;
    OCTET_TRY(try_rounding_again());
    OCTET_TRY(try_layers());
    report_.after = errors_.joint_sqnr();
    report_.planned = report_.interrupted ? report_.planned : report_.trials;
    draft_->plan = plan_;
    draft = std::move(draft_);
    return {};
  }

  SearchReport take_report() { return std::move(report_); }

 private:
  double trial_cost() const { return static_cast<double>(judge_.size()) * sample_cost_; }
  // A float pass, a quantized one and the Grams over all samples, and the trial.
  double recipe_cost() const {
    return 3.0 * static_cast<double>(bench_.samples().size()) * sample_cost_ + trial_cost();
  }
  size_t planned() const {
    return std::max<size_t>(1, static_cast<size_t>(search_.work / trial_cost()));
  }

  // Whether there is time for a trial of that cost, and nobody wants it to end.
  bool may(double cost) {
    if (!report_.interrupted && search_.stop != nullptr && search_.stop()) {
      report_.interrupted = true;
    }
    if (report_.interrupted || spent_ + cost > limit_) return false;
    spent_ += cost;
    ++report_.trials;
    if (options_.progress != nullptr) {
      const auto done = static_cast<size_t>(spent_ / trial_cost());
      options_.progress("searching", std::min(done, report_.planned), report_.planned);
    }
    return true;
  }

  Result<OutputErrors> errors_of(const Judge& judge, const Draft& draft, const QuantPlan& plan,
                                 size_t samples) const {
    OCTET_ASSIGN(const QuantPlan whole, finished(draft, plan));
    OCTET_ASSIGN(Judge::Verdict verdict, judge.run(whole, samples));
    return std::move(verdict.errors);
  }

  // What a plan that is better than the one there is makes of the outputs.
  struct Better {
    OutputErrors errors;
    OutputErrors confirmed;
    double gain = 0.0;
  };

  // Whether the plan brings the outputs nearer.
  Result<std::optional<Better>> better(const Draft& draft, const QuantPlan& plan) {
    const std::optional<Better> no;
    if (judge_.size() > 2 * kScreened) {
      OCTET_ASSIGN(const OutputErrors few, errors_of(judge_, draft, plan, kScreened));
      if (few.gain_over(errors_.first(kScreened)).db < -kScreenSlack) {
        spent_ -= trial_cost() *
                  (1.0 - 1.5 * static_cast<double>(kScreened) / static_cast<double>(judge_.size()));
        return no;
      }
    }
    OCTET_ASSIGN(OutputErrors all, errors_of(judge_, draft, plan, SIZE_MAX));
    const OutputErrors::Gain gain = all.gain_over(errors_);
    if (gain.db < kGain || gain.significance < kSignificance || falls(errors_, all) ||
        all.joint_sqnr() < report_.before - kSlack) {
      return no;
    }
    // More samples see more of the tails that clipping cuts.
    spent_ += trial_cost();
    OCTET_ASSIGN(OutputErrors seen, errors_of(confirm_, draft, plan, SIZE_MAX));
    if (seen.gain_over(confirmed_).db < 0.0 || falls(confirmed_, seen)) return no;
    return std::optional<Better>({std::move(all), std::move(seen), gain.db});
  }

  static bool falls(const OutputErrors& from, const OutputErrors& to) {
    return to.joint_sqnr() < from.joint_sqnr() - kSlack ||
           to.worst_sqnr().value_or(0.0) < from.worst_sqnr().value_or(0.0) - kSlack;
  }

  void keep(QuantPlan plan, Better better, std::string what, std::string where) {
    report_.kept.push_back({std::move(what), std::move(where), better.gain});
    plan_ = std::move(plan);
    draft_->plan = plan_;
    errors_ = std::move(better.errors);
    confirmed_ = std::move(better.confirmed);
  }

  // --- 1
  Status try_equalizations() {
    std::vector<std::pair<std::string, std::function<void(EqualizeOptions&)>>> changes = {
        {"equalization of dense layers with alpha 0.8",
         [](EqualizeOptions& to) { to.dense_alpha = 0.8; }},
        {"equalization with headroom 1.4", [](EqualizeOptions& to) { to.headroom = 1.4; }},
        {"equalization without headroom", [](EqualizeOptions& to) { to.headroom = 1.0; }},
        {"equalization of dense layers with alpha 0.65",
         [](EqualizeOptions& to) { to.dense_alpha = 0.65; }},
        {"smoothing with alpha 0.7", [](EqualizeOptions& to) { to.matmul_alpha = 0.7; }},
    };
    for (const auto& [what, change] : changes) {
      EqualizeOptions options = equalizing_;
      change(options);
      if (options == equalizing_ || !bench_.differs(*draft_, options)) continue;
      if (!may(recipe_cost())) continue;
      OCTET_ASSIGN(std::unique_ptr<Draft> other,
                   bench_.draft(options, Workbench::Gather::kProposals));
      OCTET_ASSIGN(std::optional<Better> found, better(*other, other->plan));
      if (!found) continue;
      equalizing_ = options;
      draft_ = std::move(other);
      keep(draft_->plan, std::move(*found), what, "");
    }
    return {};
  }

  // --- 2
  enum class Ranges { kClipping, kResized };

  // kClipping: what promises most first. kResized: in the order of the graph, since what is read
  // first is felt by all behind it.
  std::vector<Group> groups(Ranges which) const {
    std::map<std::string, Group> by_first;
    for (const plan::ActivationQuantizer& quantizer : plan_.activations) {
      const std::string& first =
          quantizer.shares_with.empty() ? quantizer.value : quantizer.shares_with;
      Group& group = by_first[first];
      group.values.push_back(quantizer.value);
      group.current = range_of(quantizer.params);
    }
    std::vector<Group> out;
    for (const plan::ActivationQuantizer& quantizer : plan_.activations) {
      const auto it =
          by_first.find(quantizer.shares_with.empty() ? quantizer.value : quantizer.shares_with);
      if (it == by_first.end()) continue;
      Group group = std::move(it->second);
      by_first.erase(it);
      if (which == Ranges::kClipping) {
        find_candidates(group, quantizer.params);
      } else if (!has_fixed_range(group)) {
        group.candidates = resized_ranges(group.current);
      }
      if (!group.candidates.empty()) out.push_back(std::move(group));
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const Group& a, const Group& b) { return a.promise > b.promise; });
    return out;
  }

  // What no statistics were asked for has its range from its operator.
  bool has_fixed_range(const Group& group) const {
    return std::any_of(group.values.begin(), group.values.end(), [&](const std::string& value) {
      return !draft_->statistics.tensors.contains(value);
    });
  }

  // A group of one value: proposals from its histogram; of several: each proposal has to cover the
  // proposals of all.
  void find_candidates(Group& group, const ir::QuantParams& params) const {
    const int64_t levels = int64_t{params.qmax()} - params.qmin() + 1;
    const auto shape = params.symmetric() ? calibration::RangeShape::kSymmetric
                                          : calibration::RangeShape::kAnywhere;
    std::map<std::string, Range> joined;
    std::vector<std::string> order;
    bool first = true;
    for (const std::string& value : group.values) {
      const auto it = draft_->proposals.tensors.find(value);
      if (it == draft_->proposals.tensors.end() || it->second.elements == 0) {
        group.candidates.clear();
        return;
      }
      for (const CandidateRange& each :
           candidate_ranges(it->second, group.current, levels, shape)) {
        const auto known = joined.find(each.method);
        if (known != joined.end()) {
          known->second = calibration::unite(known->second, each.range);
        } else if (first) {
          joined.emplace(each.method, each.range);
          order.push_back(each.method);
        }
      }
      first = false;
    }
    const auto& statistics = draft_->proposals.tensors.at(group.values.front());
    const double power = expected_power(statistics);
    const double now = expected_error(statistics, group.current, levels, 2.0);
    double least = now;
    for (const std::string& method : order) {
      const Range& range = joined.at(method);
      const double error = expected_error(statistics, range, levels, 2.0);
      least = std::min(least, error);
      group.candidates.push_back({method, range});
    }
    group.promise = power > 0.0 ? (now - least) / power : 0.0;
  }

  static double expected_power(const calibration::TensorStatistics& statistics) {
    // Everything beyond an empty range is its own error.
    return expected_error(statistics, {0.0F, 0.0F}, 2, 2.0);
  }

  Status try_ranges() {
    constexpr size_t kSweeps = 2;
    for (size_t sweep = 0; sweep < kSweeps; ++sweep) {
      const size_t before = report_.kept.size();
      for (const Group& group : groups(Ranges::kClipping)) OCTET_TRY(try_group(group));
      for (const Group& group : groups(Ranges::kResized)) OCTET_TRY(try_group(group));
      if (report_.kept.size() == before) break;
    }
    return {};
  }

  Status try_group(const Group& group) {
    struct Best {
      QuantPlan plan;
      plan::Recipe recipe;
      Better better;
      std::string method;
    };
    std::optional<Best> best;
    for (const CandidateRange& candidate : group.candidates) {
      if (!may(trial_cost())) break;
      plan::Recipe recipe = draft_->recipe;
      for (const std::string& value : group.values) recipe.ranges[value] = candidate.range;
      OCTET_ASSIGN(QuantPlan plan, replan(*draft_, spec_, recipe));
      OCTET_ASSIGN(std::optional<Better> found, better(*draft_, plan));
      if (!found) continue;
      if (best && found->gain <= best->better.gain) continue;
      best = Best{std::move(plan), std::move(recipe), std::move(*found), candidate.method};
    }
    if (!best) return {};
    draft_->recipe = std::move(best->recipe);
    keep(std::move(best->plan), std::move(best->better), cat("range by ", best->method),
         group.values.front());
    return {};
  }

  // --- 3
  Status try_rounding_again() {
    if (draft_->recipe.ranges.empty() || draft_->layers.empty() || !may(recipe_cost())) return {};
    OCTET_ASSIGN(QuantPlan plan,
                 plan::make_plan(*draft_->graph, draft_->statistics, spec_, draft_->recipe));
    const RecipeReport before = draft_->report;
    OCTET_TRY(bench_.round(*draft_, plan));
    OCTET_ASSIGN(std::optional<Better> found, better(*draft_, plan));
    if (found) {
      keep(std::move(plan), std::move(*found), "weights rounded again under these ranges", "");
    } else {
      draft_->report = before;
    }
    return {};
  }

  // --- 4
  Status try_layers() {
    OCTET_ASSIGN(const QuantPlan plain,
                 plan::make_plan(*draft_->graph, draft_->statistics, spec_, draft_->recipe));
    for (const Layer& layer : draft_->layers) {
      const std::string& weight = draft_->graph->value(layer.weight).name;
      const std::string node = ir::display_name(*draft_->graph, draft_->graph->node(layer.node));
      OCTET_TRY(try_plain_rounding(plain, weight, node));
      if (layer.bias.valid()) {
        OCTET_TRY(try_own_bias(draft_->graph->value(layer.bias).name, node));
      }
    }
    return {};
  }

  Status try_plain_rounding(const QuantPlan& plain, const std::string& weight,
                            const std::string& node) {
    QuantPlan plan = plan_;
    const auto named = [&](const auto& constant) { return constant.value == weight; };
    const auto it = std::find_if(plan.constants.begin(), plan.constants.end(), named);
    const auto from = std::find_if(plain.constants.begin(), plain.constants.end(), named);
    if (it == plan.constants.end() || !it->integers || from == plain.constants.end()) return {};
    if (!may(trial_cost())) return {};
    *it = *from;
    OCTET_ASSIGN(std::optional<Better> found, better(*draft_, plan));
    if (found) keep(std::move(plan), std::move(*found), "weights rounded to nearest", node);
    return {};
  }

  Status try_own_bias(const std::string& bias, const std::string& node) {
    QuantPlan plan = plan_;
    const auto it = std::find_if(plan.replaced.begin(), plan.replaced.end(),
                                 [&](const auto& replaced) { return replaced.value == bias; });
    if (it == plan.replaced.end() || !may(trial_cost())) return {};
    plan.replaced.erase(it);
    OCTET_ASSIGN(std::optional<Better> found, better(*draft_, plan));
    if (found) keep(std::move(plan), std::move(*found), "bias not corrected", node);
    return {};
  }

  Workbench& bench_;
  const plan::BackendSpec& spec_;
  const RecipeOptions& options_;
  const SearchOptions& search_;
  const Judge& judge_;
  const Judge& confirm_;  // of samples that proposals come from
  double sample_cost_ = 0.0;
  double spent_ = 0.0;
  double limit_ = 0.0;
  EqualizeOptions equalizing_;
  std::unique_ptr<Draft> draft_;
  QuantPlan plan_;  // the best so far, of the draft's graph
  OutputErrors errors_;
  OutputErrors confirmed_;  // of plan_ there
  SearchReport report_;
};

}  // namespace

Result<SearchResult> plan_with_search(const std::shared_ptr<const ir::Graph>& canonical,
                                      const data::Dataset& dataset, const plan::BackendSpec& spec,
                                      const plan::Recipe& recipe, const RecipeOptions& options,
                                      const SearchOptions& search) {
  if (dataset.size() < kLeastSearchSamples) {
    return bad_data("--effort best keeps samples apart to judge on: give at least ",
                    kLeastSearchSamples, " samples, there are ", dataset.size());
  }
  // The bench goes after the drafts it made.
  RecipeOptions quiet = options;
  Workbench bench(canonical, dataset, spec, recipe, quiet);
  OCTET_ASSIGN(std::unique_ptr<Draft> draft, bench.draft({}, Workbench::Gather::kProposals));
  Judge::Options judging;
  judging.threads = options.threads;
  judging.max_memory = options.max_memory;
  OCTET_ASSIGN(const Judge judge,
               Judge::make(canonical, bench.samples(), every_second(dataset.size(), 1), judging));
  OCTET_ASSIGN(const Judge confirm,
               Judge::make(canonical, bench.samples(), every_second(dataset.size(), 0), judging));
  OCTET_ASSIGN(const data::Sample first, bench.samples().get(0));
  OCTET_ASSIGN(const std::vector<ProductCost> costs,
               product_costs(canonical, first, options.max_memory));
  // An element takes about as long as so many multiply-adds of a product.
  constexpr double kElementCost = 25.0;
  OCTET_ASSIGN(const double elements, computed_elements(canonical, first, options.max_memory));
  double sample_cost = 1e6 + kElementCost * elements;
  for (const ProductCost& cost : costs) sample_cost += cost.macs;
  SearchResult out;
  if (!draft->layers.empty()) {
    quiet.progress = nullptr;  // the search reports itself
    Search run(bench, spec, options, search, judge, confirm, sample_cost);
    OCTET_TRY(run.run(draft));
    out.report = run.take_report();
  }
  OCTET_ASSIGN(out.recipe.plan, finished(*draft, draft->plan));
  out.recipe.samples = draft->statistics.samples;
  out.recipe.report = draft->report;
  out.recipe.draft = std::move(draft);
  return out;
}

}  // namespace octet::accuracy
