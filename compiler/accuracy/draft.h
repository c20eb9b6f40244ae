// A plan in the making: the float graph with its edits done, what was measured on it, and the plan
// of that graph. What decides further (targets.h, search.h) plans again from here in milliseconds.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "compiler/accuracy/equalize.h"
#include "compiler/accuracy/float_columns.h"
#include "compiler/accuracy/layers.h"
#include "compiler/accuracy/recipe.h"
#include "compiler/accuracy/refine.h"
#include "compiler/base/result.h"
#include "compiler/calibration/statistics.h"
#include "compiler/data/content_order.h"
#include "compiler/plan/backend_spec.h"
#include "compiler/plan/quant_plan.h"
#include "compiler/plan/recipe.h"

namespace octet::accuracy {

// What of a data set's statistics a draft gathers.
enum class Gather {
  kRanges,     // what the recipe asks for
  kProposals,  // histograms of all, and apart for every second sample
};

struct DraftOptions {
  EqualizeOptions equalizing = {};
  Target target = Target::kOwnOutput;
  Gather gather = Gather::kRanges;
};

struct Draft {
  Draft() = default;
  Draft(const Draft&) = delete;  // the columns point into it
  Draft& operator=(const Draft&) = delete;

  std::shared_ptr<const ir::Graph> canonical;
  std::shared_ptr<const ir::Graph> graph;  // the canonical one with `edits` done
  DraftOptions options;                    // as asked for
  plan::QuantPlan edits;                   // only replaced, scalings and bounds
  plan::Recipe recipe;                     // the user's, and what was found out since
  calibration::Statistics statistics;      // of `graph`
  // Over the samples that no change is judged on; equal to `statistics` where all are.
  calibration::Statistics proposals;
  std::vector<Layer> layers;
  std::vector<size_t> samples;  // that second order looks at
  std::unique_ptr<FloatColumns> columns;
  plan::QuantPlan plan;  // of `graph`
  RecipeReport report;
};

// What make_plan asks for once layers are raised to float, and not before: the operands of residual
// additions, one of which may stay bare behind a layer in integers.
std::set<ir::ValueId> values_for_raising(const ir::Graph& graph, const plan::BackendSpec& spec);

// A draft without equalization and second order: what make_plan says of the canonical graph.
Result<std::unique_ptr<Draft>> draft_of(const std::shared_ptr<const ir::Graph>& canonical,
                                        calibration::Statistics statistics,
                                        const plan::BackendSpec& spec, const plan::Recipe& recipe);

// The draft's plan with `recipe` instead of its own: planned again, with the integers and biases
// that the draft decided wherever they still apply.
Result<plan::QuantPlan> replan(const Draft& draft, const plan::BackendSpec& spec,
                               const plan::Recipe& recipe);

// A plan of the draft's graph as one of the canonical graph, edits included.
Result<plan::QuantPlan> finished(const Draft& draft, plan::QuantPlan plan);

// Makes drafts over one set of samples.
class Workbench {
 public:
  Workbench(std::shared_ptr<const ir::Graph> canonical, const data::Dataset& dataset,
            const plan::BackendSpec& spec, const plan::Recipe& recipe,
            const RecipeOptions& options);

  // Equalized, calibrated, planned and rounded.
  Result<std::unique_ptr<Draft>> draft(const DraftOptions& options);
  // Whether other options would equalize in another way than the draft is.
  bool differs(const Draft& draft, const EqualizeOptions& equalizing) const;
  // Rounds the weights of `plan` (of the draft's graph) by second order, towards the draft's
  // target, and corrects its biases.
  Status round(Draft& draft, plan::QuantPlan& plan) const;

  // The samples in the order that drafts number them.
  const data::Dataset& samples() const { return dataset_; }

 private:
  std::function<void(size_t, size_t)> progress_of(const std::string& what) const;
  calibration::CalibrateOptions pass(const std::string& what) const;
  Status measure_channels();
  // What `options` come to on these samples.
  EqualizeOptions adapted(EqualizeOptions options) const;
  Status equalize_channels(Draft& draft);
  Status calibrate(Draft& draft) const;

  std::shared_ptr<const ir::Graph> canonical_;
  data::ContentOrder dataset_;  // samples are split, and floats added up over them
  const plan::BackendSpec& spec_;
  const plan::Recipe& recipe_;
  const RecipeOptions& options_;
  std::vector<Layer> canonical_layers_;
  std::unique_ptr<ChannelClasses> classes_;
  std::unique_ptr<ChannelRanges> ranges_;  // null when there is nothing to equalize
  bool few_speak_ = false;                 // OutputPowers
  bool measured_ = false;
};

}  // namespace octet::accuracy
