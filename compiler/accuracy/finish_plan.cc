#include "compiler/accuracy/finish_plan.h"

#include <algorithm>
#include <set>
#include <string>

#include "compiler/calibration/fingerprint.h"
#include "compiler/plan/apply.h"

namespace octet::accuracy {

Status finish_plan(const ir::Graph& canonical, const ir::Graph& edited,
                   const plan::QuantPlan& edits, plan::QuantPlan& plan) {
  std::set<std::string> said;
  for (const plan::ReplacedConstant& replaced : plan.replaced) said.insert(replaced.value);
  for (const plan::ReplacedConstant& edit : edits.replaced) {
    const auto it = std::find_if(plan.constants.begin(), plan.constants.end(),
                                 [&](const auto& entry) { return entry.value == edit.value; });
    if (it != plan.constants.end()) {
      if (it->integers) continue;
      OCTET_ASSIGN(it->integers, plan::quantize_constant(edit.tensor, it->params));
    } else if (!said.contains(edit.value)) {
      plan.replaced.push_back(edit);
    }
  }
  plan.scalings = edits.scalings;
  plan.bounds = edits.bounds;
  std::sort(plan.replaced.begin(), plan.replaced.end(),
            [](const auto& a, const auto& b) { return a.value < b.value; });
  plan.fingerprint = calibration::fingerprint(canonical);
  plan.remarks = remarks_of(canonical, edited, plan.remarks);
  return {};
}

}  // namespace octet::accuracy
