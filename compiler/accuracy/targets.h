// Reaching an accuracy target: layers that cost the outputs most are kept in float, those first
// that buy most per multiply-add taken out of integer arithmetic.
//
// Effects are measured, not guessed: a layer's effect is how much less noise the outputs have (in
// the interpreter, integer arithmetic) with that layer alone raised further. After every few raised
// layers all that remain are measured again, because neighbours change each other. In the end each
// raised layer is tried back in integers where a check is cheap.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/accuracy/draft.h"
#include "compiler/accuracy/judge.h"
#include "compiler/base/result.h"
#include "compiler/plan/backend_spec.h"
#include "compiler/plan/quant_plan.h"

namespace octet::accuracy {

// Whether a plan holds the target.
enum class Grade {
  kMissed,
  kBarely,  // it holds on these samples, with less in hand than others may cost
  kHolds,
};
struct Check {
  Grade grade = Grade::kMissed;
  std::string found;  // for people: "24.7 dB"
};

struct TargetOptions {
  // Of a plan of the canonical graph.
  std::function<Result<Check>(const plan::QuantPlan&)> check;
  std::string target;  // for remarks: "--min-sqnr 30"
  // In dB, where the target is one: says how many layers are worth raising at once.
  std::optional<double> sqnr;
  // Of all multiply-adds of products, in percent: the share that may end up in float.
  double max_float_macs = 100.0;
  enum class Lowering { kTry, kNever } lowering = Lowering::kTry;
  std::function<void(const std::string&, size_t, size_t)> progress = nullptr;
};

struct LayerEffect {
  std::string node;
  std::string op_type;
  double effect_db = 0.0;     // what the outputs gained, or would gain, when it was last measured
  double macs_percent = 0.0;  // of all multiply-adds
  bool raised = false;
};

struct TargetResult {
  plan::QuantPlan plan;  // of the canonical graph
  bool met = false;
  std::string before;  // what the check found at first and in the end
  std::string after;
  double float_macs_percent = 0.0;  // of all multiply-adds, what was float before included
  // What was raised, in that order, then what would have bought most.
  std::vector<LayerEffect> layers;
};

// `costs`: of the canonical graph's products. `judge` is of the canonical graph. At least one
// product stays in integers: a model in float is no answer. Not met is no error.
Result<TargetResult> meet_target(const Draft& draft, const Judge& judge,
                                 const std::vector<ProductCost>& costs,
                                 const plan::BackendSpec& spec, const TargetOptions& options);

}  // namespace octet::accuracy
