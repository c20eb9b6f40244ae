// Options that several verbs have.
#pragma once

#include <string>

#include "compiler/plan/backend_spec.h"
#include "compiler/plan/recipe.h"
#include "tools/octet/invocation.h"

namespace octet::tools {

// --threads and --max-memory.
void add_run_options(CLI::App& verb, Invocation& invocation);

// --backend, --recipe and --range: what decides about quantization.
struct PlanOptions {
  std::string effort;
  std::string backend;
  std::string recipe;
  std::string range;
};
void add_plan_options(CLI::App& verb, PlanOptions& options);

// How much work goes into accuracy.
enum class Effort {
  kFast,     // ranges only: one pass over the samples
  kDefault,  // equalization, second-order rounding, bias correction
};
// --effort: fast or default.
void add_effort_option(CLI::App& verb, PlanOptions& options);
// kUsage for another word, and for `default` where only ranges are given; kBadData for `default` of
// too few samples. When the option is absent: default where that can be, fast otherwise.
enum class Samples {
  kReal,
  kMadeUp,
  kNone,         // a statistics file of ranges
  kSecondOrder,  // a statistics file with second-order statistics of enough samples
  kTooFew,       // one of too few samples for its second order to be used
};
struct ChosenEffort {
  Effort effort = Effort::kFast;
  std::string why;  // it is fast, for the summary; empty for default
};
Result<ChosenEffort> chosen_effort(const PlanOptions& options, Samples samples);

// The backend for the CPU this program runs on.
std::string default_backend();
Result<plan::BackendSpec> chosen_backend(const PlanOptions& options);
// The recipe file with --range on top.
Result<plan::Recipe> chosen_recipe(const PlanOptions& options);

}  // namespace octet::tools
