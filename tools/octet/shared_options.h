// Options that several verbs have.
#pragma once

#include <string>

#include "compiler/interpreter/interpreter.h"
#include "compiler/plan/backend_spec.h"
#include "compiler/plan/recipe.h"
#include "tools/octet/invocation.h"

namespace octet::tools {

// --threads and --max-memory.
void add_run_options(CLI::App& verb, Invocation& invocation);

// --arithmetic: what integer operators compute with.
void add_arithmetic_option(CLI::App& verb, std::string& name);
// kUsage, with the names there are, for another word; empty is exact.
Result<interpreter::Arithmetic> chosen_arithmetic(const std::string& name);

// --backend, --recipe, --range and the number formats: what decides about quantization.
struct PlanOptions {
  std::string effort;
  std::string backend;
  std::string recipe;
  std::string range;
  // Number formats (compiler/plan/formats.h), as words; empty: the recipe's or the backend's own.
  std::string weights;
  std::string weight_granularity;
  std::string scales;
  std::string activations;
  std::string narrow_layers;
};
void add_plan_options(CLI::App& verb, PlanOptions& options);

// How much work goes into accuracy.
enum class Effort {
  kFast,     // ranges only: one pass over the samples
  kDefault,  // equalization, second-order rounding, bias correction
  kBest,     // and a search from there
};
// --effort: fast, default or best.
void add_effort_option(CLI::App& verb, PlanOptions& options);
// kUsage for another word, for `default` and `best` where only ranges are given, and for `best`
// without samples; kBadData for `default` of too few samples. When the option is absent: default
// where that can be, fast otherwise.
enum class Samples {
  kReal,
  kMadeUp,
  kNone,         // a statistics file of ranges
  kAbsent,       // --data none
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
// The description, with the number formats of the options and the recipe in it.
Result<plan::BackendSpec> chosen_backend(const PlanOptions& options);
// The recipe file with --range and the number formats on top.
Result<plan::Recipe> chosen_recipe(const PlanOptions& options);

}  // namespace octet::tools
