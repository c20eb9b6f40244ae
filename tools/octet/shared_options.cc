#include "tools/octet/shared_options.h"

#include "backends/backends.h"
#include "compiler/accuracy/statistics_recipe.h"
#include "compiler/base/names.h"

namespace octet::tools {

void add_run_options(CLI::App& verb, Invocation& invocation) {
  verb.add_option("--threads", invocation.threads,
                  "Threads to use; all that the process may use when absent. Results do not "
                  "depend on it")
      ->check(CLI::Range(1, 1024));
  verb.add_option("--max-memory", invocation.max_memory,
                  "Memory that the model's tensors may take, as 2GiB; half of the machine's, at "
                  "most 8GiB, when absent");
}

void add_plan_options(CLI::App& verb, PlanOptions& options) {
  verb.add_option("-b,--backend", options.backend,
                  "Target: a name of `octet backends`, or a description file (.textproto); the "
                  "one for this machine's CPU when absent");
  verb.add_option("--recipe", options.recipe,
                  "Overrides by node name, glob or op type (compiler/plan/recipe.proto)");
  verb.add_option("--range", options.range,
                  "How activation ranges are chosen: min-max, average, percentile[:P], kl, mse");
}

void add_effort_option(CLI::App& verb, PlanOptions& options) {
  verb.add_option(
      "--effort", options.effort,
      "What to do for accuracy: fast (ranges only, one pass over the samples) or default "
      "(channels equalized, weights rounded by second order, biases corrected)");
}

Result<ChosenEffort> chosen_effort(const PlanOptions& options, Samples samples) {
  const std::string& effort = options.effort;
  if (effort == "fast") return ChosenEffort{Effort::kFast, "--effort fast"};
  if (!effort.empty() && effort != "default") {
    return usage_error("--effort ", quote_name(effort), ": give fast or default");
  }
  if (samples == Samples::kReal || samples == Samples::kSecondOrder) {
    return ChosenEffort{Effort::kDefault, ""};
  }
  if (samples == Samples::kTooFew) {
    const std::string why = cat("second-order statistics need ", accuracy::kLeastStatisticsSamples,
                                " samples or more, and the file has fewer");
    if (!effort.empty()) return bad_data("--effort default: ", why);
    return ChosenEffort{Effort::kFast, why};
  }
  const std::string_view why = samples == Samples::kNone
                                   ? "a statistics file holds ranges, not samples"
                                   : "made-up samples say nothing about rounding";
  if (!effort.empty()) return usage_error("--effort default needs real samples: ", why);
  return ChosenEffort{Effort::kFast, std::string(why)};
}

std::string default_backend() {
#if defined(__aarch64__)
  return "arm";
#else
  return "x86";
#endif
}

Result<plan::BackendSpec> chosen_backend(const PlanOptions& options) {
  return backends::load_backend(options.backend.empty() ? default_backend() : options.backend);
}

Result<plan::Recipe> chosen_recipe(const PlanOptions& options) {
  plan::Recipe recipe;
  if (!options.recipe.empty()) {
    OCTET_ASSIGN(recipe, plan::load_recipe(options.recipe));
  }
  if (!options.range.empty()) {
    OCTET_ASSIGN(recipe.range, calibration::parse_range_method(options.range));
  }
  return recipe;
}

}  // namespace octet::tools
