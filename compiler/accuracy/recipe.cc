#include "compiler/accuracy/recipe.h"

#include "compiler/accuracy/draft.h"

namespace octet::accuracy {

Result<RecipeResult> plan_with_recipe(const std::shared_ptr<const ir::Graph>& canonical,
                                      const data::Dataset& dataset, const plan::BackendSpec& spec,
                                      const plan::Recipe& recipe, const RecipeOptions& options) {
  Workbench bench(canonical, dataset, spec, recipe, options);
  OCTET_ASSIGN(std::shared_ptr<Draft> draft, bench.draft({}));
  RecipeResult out;
  OCTET_ASSIGN(out.plan, finished(*draft, draft->plan));
  out.samples = draft->statistics.samples;
  out.report = draft->report;
  out.equalized = draft->graph;
  out.draft = std::move(draft);
  return out;
}

}  // namespace octet::accuracy
