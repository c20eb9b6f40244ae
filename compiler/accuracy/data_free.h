// A plan without samples, from what the model's batch norms say (Nagel et al. 2019,
// arXiv:1906.04721).
//
//   1. means, deviations and ranges of all values are worked out (moments.h);
//   2. channels are equalized with these ranges (equalize.h; cross_layer.h for per-tensor weights,
//      with c = max(0, mean - 3 deviations) for high biases);
//   3. the plan is made with the ranges of the equalized model;
//   4. weights are rounded by second order against the Gram that the moments imply (channels
//      independent, taps of one channel correlated), and each bias takes up what the rounding does
//      to the mean: b -= (z s - W) E[x].
#pragma once

#include <memory>

#include "compiler/accuracy/moments.h"
#include "compiler/accuracy/recipe.h"

namespace octet::accuracy {

struct DataFreeOptions {
  size_t threads = 1;
  NormFacts facts;  // gather_norm_facts of the model as loaded
  // Of the inputs, by name, where they are known; guess_input otherwise.
  std::map<std::string, ValueMoments> inputs = {};
};

// The plan and its statistics are marked as data-free. kUnsupported where the model has no batch
// norms, or a value needs a range that they do not give; the value, the node that computes it and
// the cure are named.
Result<RecipeResult> plan_without_data(const std::shared_ptr<const ir::Graph>& canonical,
                                       const plan::BackendSpec& spec, const plan::Recipe& recipe,
                                       const DataFreeOptions& options);

}  // namespace octet::accuracy
