#include "compiler/accuracy/search.h"

#include <algorithm>
#include <utility>

#include "compiler/accuracy/draft.h"
#include "compiler/accuracy/judge.h"
#include "compiler/accuracy/layer_trials.h"
#include "compiler/accuracy/range_trials.h"
#include "compiler/accuracy/recipe_trials.h"
#include "compiler/accuracy/trials.h"

namespace octet::accuracy {
namespace {

constexpr size_t kMostJudged = 48;

// At most kMostJudged of the samples 2 i + `first`; draft.h keeps the odd ones out of the
// proposals.
std::vector<size_t> every_second(size_t count, size_t first) {
  const size_t all = (count + 1 - first) / 2;
  const size_t used = std::min(all, kMostJudged);
  std::vector<size_t> out;
  for (size_t i = 0; i < used; ++i) out.push_back(2 * (i * all / used) + first);
  return out;
}

// The samples that nothing is judged on.
class EvenSamples : public data::Dataset {
 public:
  explicit EvenSamples(const data::Dataset& all) : all_(all) {}
  size_t size() const override { return (all_.size() + 1) / 2; }
  Result<data::Sample> get(size_t index) const override { return all_.get(2 * index); }
  bool data_free() const override { return all_.data_free(); }

 private:
  const data::Dataset& all_;
};

// Multiply-adds, about.
Result<double> cost_of_sample(const std::shared_ptr<const ir::Graph>& graph,
                              const data::Dataset& dataset, int64_t max_memory) {
  // An element takes about as long as so many multiply-adds of a product.
  constexpr double kElementCost = 25.0;
  OCTET_ASSIGN(const data::Sample first, dataset.get(0));
  OCTET_ASSIGN(const std::vector<ProductCost> costs, product_costs(graph, first, max_memory));
  OCTET_ASSIGN(const double elements, computed_elements(graph, first, max_memory));
  double out = 1e6 + kElementCost * elements;
  for (const ProductCost& cost : costs) out += cost.macs;
  return out;
}

Status search_from(Trials& trials, Workbench& bench, Workbench& half) {
  OCTET_TRY(trials.begin());
  if (trials.few_speak()) return {};
  OCTET_TRY(try_recipes(bench, half, trials));
  // The last two stages get their share, whatever ranges there are to try.
  trials.limit(0.8);
  OCTET_TRY(try_ranges(trials));
  trials.limit(1.0);
  OCTET_TRY(try_rounding_again(bench, trials));
  return try_layers(trials);
}

}  // namespace

Result<SearchResult> plan_with_search(const std::shared_ptr<const ir::Graph>& canonical,
                                      const data::Dataset& dataset, const plan::BackendSpec& spec,
                                      const plan::Recipe& recipe, const RecipeOptions& options,
                                      const SearchOptions& search) {
  if (dataset.size() < kLeastSearchSamples) {
    return bad_data("--effort best keeps samples apart to judge on: give at least ",
                    kLeastSearchSamples, " samples, there are ", dataset.size());
  }
  // The benches go after the drafts they made.
  RecipeOptions quiet = options;
  Workbench bench(canonical, dataset, spec, recipe, quiet);
  const EvenSamples even(bench.samples());
  Workbench half(canonical, even, spec, recipe, quiet);
  DraftOptions ordinary;
  ordinary.gather = Gather::kProposals;
  OCTET_ASSIGN(std::unique_ptr<Draft> draft, bench.draft(ordinary));
  quiet.progress = nullptr;  // the search reports itself
  SearchResult out;
  if (!draft->layers.empty()) {
    Judge::Options judging;
    judging.threads = options.threads;
    judging.max_memory = options.max_memory;
    OCTET_ASSIGN(const Judge judge,
                 Judge::make(canonical, bench.samples(), every_second(dataset.size(), 1), judging));
    OCTET_ASSIGN(const Judge confirm,
                 Judge::make(canonical, bench.samples(), every_second(dataset.size(), 0), judging));
    OCTET_ASSIGN(const double cost, cost_of_sample(canonical, bench.samples(), options.max_memory));
    Trials trials({spec, options, search, judge, confirm, cost}, std::move(draft));
    OCTET_TRY(search_from(trials, bench, half));
    out.report = trials.take_report();
    draft = trials.take_draft();
  }
  OCTET_ASSIGN(out.recipe.plan, finished(*draft, draft->plan));
  out.recipe.samples = draft->statistics.samples;
  out.recipe.report = draft->report;
  out.recipe.draft = std::move(draft);
  return out;
}

}  // namespace octet::accuracy
