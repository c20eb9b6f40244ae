// Reaching an accuracy target: layers that cost the outputs most are raised to 16-bit activations,
// where the backend has them for single layers (plan::OpRule::wide_data_space), or to float; those
// first that buy most per multiply-add taken out of 8-bit arithmetic. A product of 16-bit data
// counts as half of one in float: it takes two of 8 bits.
//
// Effects are measured, not guessed: a step's effect is how much less noise the outputs have (in
// the interpreter, integer arithmetic) with that layer alone raised further. After every few raised
// layers all that remain are measured again, because neighbours change each other. In the end each
// raised layer is tried back at less precision where a check is cheap.
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
  // Of all multiply-adds of products, in percent: the share that may end up in float. What has
  // 16-bit data is integer arithmetic and does not count.
  double max_float_macs = 100.0;
  enum class Lowering { kTry, kNever } lowering = Lowering::kTry;
  std::function<void(const std::string&, size_t, size_t)> progress = nullptr;
};

enum class Level { kInteger, kWide, kFloat };  // 8-bit data, 16-bit data, float

struct LayerEffect {
  std::string node;
  std::string op_type;
  double effect_db = 0.0;     // what the outputs gained, or would gain, when it was last measured
  double macs_percent = 0.0;  // of all multiply-adds
  Level level = Level::kInteger;

  bool raised() const { return level != Level::kInteger; }
};

struct TargetResult {
  plan::QuantPlan plan;  // of the canonical graph
  bool met = false;
  std::string before;  // what the check found at first and in the end
  std::string after;
  double float_macs_percent = 0.0;  // of all multiply-adds, what was float before included
  double wide_macs_percent = 0.0;   // of all multiply-adds, those of 16-bit data
  // What was raised, in that order, then what would have bought most.
  std::vector<LayerEffect> layers;
};

// `costs`: of the canonical graph's products. `judge` is of the canonical graph. At least one
// product stays in integers: a model in float is no answer. Not met is no error.
Result<TargetResult> meet_target(const Draft& draft, const Judge& judge,
                                 const std::vector<ProductCost>& costs,
                                 const plan::BackendSpec& spec, const TargetOptions& options);

}  // namespace octet::accuracy
