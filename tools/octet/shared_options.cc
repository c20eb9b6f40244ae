#include "tools/octet/shared_options.h"

#include <array>
#include <utility>

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

void add_arithmetic_option(CLI::App& verb, std::string& name) {
  verb.add_option("--arithmetic", name,
                  "What integer operators compute with: exact (ONNX Runtime on x86 with VNNI; the "
                  "default), saturating-pairs (x86 without VNNI), neon (ONNX Runtime on ARM64), "
                  "fixed-point (TensorFlow Lite, CMSIS-NN) or as-written (on floats); see "
                  "docs/arithmetic.md");
}

Result<interpreter::Arithmetic> chosen_arithmetic(const std::string& name) {
  using interpreter::Arithmetic;
  static constexpr std::array<std::pair<std::string_view, Arithmetic>, 5> kNames = {
      {{"exact", Arithmetic::kInteger},
       {"saturating-pairs", Arithmetic::kSaturatingPairs},
       {"neon", Arithmetic::kNeon},
       {"fixed-point", Arithmetic::kFixedPoint},
       {"as-written", Arithmetic::kAsWritten}}};
  if (name.empty()) return Arithmetic::kInteger;
  for (const auto& [known, arithmetic] : kNames) {
    if (name == known) return arithmetic;
  }
  return usage_error("--arithmetic ", quote_name(name),
                     ": give exact, saturating-pairs, neon, fixed-point or as-written");
}

void add_plan_options(CLI::App& verb, PlanOptions& options) {
  verb.add_option("-b,--backend", options.backend,
                  "Target: a name of `octet backends`, or a description file (.textproto); the "
                  "one for this machine's CPU when absent");
  verb.add_option("--recipe", options.recipe,
                  "Overrides by node name, glob or op type (compiler/plan/recipe.proto)");
  verb.add_option("--range", options.range,
                  "How activation ranges are chosen: min-max, average, percentile[:P], kl, mse");
  verb.add_option(
      "--weights", options.weights,
      "Integers of weights: int8, or int4 (operator set 21) with the first and the last "
      "layer at int8; the backend's own when absent");
  verb.add_option(
      "--narrow-layers", options.narrow_layers,
      "Which layers have 4-bit weights: inner (all but the first and the last), all, or "
      "named (those that overrides of the recipe name)");
  verb.add_option(
      "--weight-granularity", options.weight_granularity,
      "What shares a scale: per-channel, per-tensor, or block:SIZE, as block:32 (so many "
      "input channels of an output channel; operator set 21)");
  verb.add_option("--scales", options.scales,
                  "any, or power-of-two for targets that rescale by a shift");
  verb.add_option("--activations", options.activations,
                  "Integers of activations: int8 or int16 (operator set 21), signed as the "
                  "backend's own; the backend's own when absent");
}

void add_effort_option(CLI::App& verb, PlanOptions& options) {
  verb.add_option(
      "--effort", options.effort,
      "What to do for accuracy: fast (ranges only, one pass over the samples), default (channels "
      "equalized, weights rounded by second order, biases corrected) or best (then changes are "
      "tried for a minute or two, and kept where outputs on samples kept apart get better)");
}

Result<ChosenEffort> chosen_effort(const PlanOptions& options, Samples samples) {
  const std::string& effort = options.effort;
  if (effort == "fast") return ChosenEffort{Effort::kFast, "--effort fast"};
  if (!effort.empty() && effort != "default" && effort != "best") {
    return usage_error("--effort ", quote_name(effort), ": give fast, default or best");
  }
  if (samples == Samples::kReal) {
    return ChosenEffort{effort == "best" ? Effort::kBest : Effort::kDefault, ""};
  }
  if (samples == Samples::kSecondOrder && effort != "best") {
    return ChosenEffort{Effort::kDefault, ""};
  }
  if (samples == Samples::kTooFew) {
    const std::string why = cat("second-order statistics need ", accuracy::kLeastStatisticsSamples,
                                " samples or more, and the file has fewer");
    if (!effort.empty()) return bad_data("--effort ", effort, ": ", why);
    return ChosenEffort{Effort::kFast, why};
  }
  const std::string_view why =
      samples == Samples::kMadeUp ? "made-up samples say nothing about rounding"
      : samples == Samples::kSecondOrder
          ? "changes are judged on them, and a statistics file has none"
      : samples == Samples::kNone ? "a statistics file of ranges tells nothing of rounding; octet "
                                    "calibrate --second-order makes one that does"
                                  : "there are none";
  if (!effort.empty())
    return usage_error("--effort ", effort,
                       samples == Samples::kNone ? " needs samples or their second order: "
                                                 : " needs real samples: ",
                       why);
  return ChosenEffort{Effort::kFast, std::string(why)};
}

namespace {

Status put_formats(const PlanOptions& options, plan::Formats& formats) {
  struct Choice {
    std::string_view option;
    std::string_view field;
    const std::string& word;
  };
  for (const Choice& choice :
       {Choice{"--weights", "weights", options.weights},
        Choice{"--weight-granularity", "weight_granularity", options.weight_granularity},
        Choice{"--scales", "scales", options.scales},
        Choice{"--activations", "activations", options.activations},
        Choice{"--narrow-layers", "narrow_layers", options.narrow_layers}}) {
    if (choice.word.empty()) continue;
    OCTET_TRY(plan::set_format(formats, choice.field, choice.word).in(choice.option));
  }
  if (!options.narrow_layers.empty() && formats.weights != plan::WeightWidth::kInt4) {
    return usage_error("--narrow-layers says which layers have 4-bit weights; give --weights int4");
  }
  return {};
}

}  // namespace

std::string default_backend() {
#if defined(__aarch64__)
  return "arm";
#else
  return "x86";
#endif
}

Result<plan::BackendSpec> chosen_backend(const PlanOptions& options) {
  OCTET_ASSIGN(
      plan::BackendSpec spec,
      backends::load_backend(options.backend.empty() ? default_backend() : options.backend));
  OCTET_ASSIGN(const plan::Recipe recipe, chosen_recipe(options));
  return plan::with_formats(std::move(spec), recipe.formats);
}

Result<plan::Recipe> chosen_recipe(const PlanOptions& options) {
  plan::Recipe recipe;
  if (!options.recipe.empty()) {
    OCTET_ASSIGN(recipe, plan::load_recipe(options.recipe));
  }
  if (!options.range.empty()) {
    OCTET_ASSIGN(recipe.range, calibration::parse_range_method(options.range));
  }
  OCTET_TRY(put_formats(options, recipe.formats));
  const Status settled = plan::settle_formats(recipe);
  if (!settled.ok() && !options.recipe.empty()) return settled.error().in(options.recipe);
  OCTET_TRY(settled);
  return recipe;
}

}  // namespace octet::tools
