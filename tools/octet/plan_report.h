// What summaries and --json say of a plan.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tools/octet/stages.h"

namespace octet::tools {

// What the summary says of the samples: "calibrated on 100 samples".
std::string samples_text(const MadePlan& made);
// What the summary says of accuracy.
Json accuracy_json(const MadePlan& made);
std::string accuracy_text(const MadePlan& made);

// What ran in integers and what stayed float.
struct PlanSummary {
  int64_t linear = 0;  // operators with a weight operand
  int64_t linear_integer = 0;
  int64_t nodes = 0;
  int64_t nodes_integer = 0;
  std::map<std::string, int64_t> float_reasons;  // "Softmax: reason" -> nodes
};
PlanSummary summarize(const ir::Graph& canonical, const plan::QuantPlan& plan);
Json to_json(const PlanSummary& summary);
std::string to_text(const PlanSummary& summary);

}  // namespace octet::tools
