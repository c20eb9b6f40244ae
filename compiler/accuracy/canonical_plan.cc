#include "compiler/accuracy/canonical_plan.h"

#include <algorithm>
#include <set>

#include "compiler/calibration/fingerprint.h"
#include "compiler/plan/apply.h"

namespace octet::accuracy {

Status to_canonical(const ir::Graph& canonical, const plan::QuantPlan& edits,
                    plan::QuantPlan& plan) {
  std::set<std::string> said;
  for (const plan::ReplacedConstant& replaced : plan.replaced) said.insert(replaced.value);
  for (const plan::ReplacedConstant& edit : edits.replaced) {
    const auto it =
        std::find_if(plan.constants.begin(), plan.constants.end(),
                     [&](const auto& quantizer) { return quantizer.value == edit.value; });
    if (it != plan.constants.end()) {
      if (it->integers) continue;
      OCTET_ASSIGN(it->integers, plan::quantize_constant(edit.tensor, it->params));
    } else if (!said.contains(edit.value)) {
      plan.replaced.push_back(edit);
    }
  }
  plan.scalings = edits.scalings;
  std::sort(plan.replaced.begin(), plan.replaced.end(),
            [](const auto& a, const auto& b) { return a.value < b.value; });
  plan.fingerprint = calibration::fingerprint(canonical);
  // Remarks go by the nodes of the canonical graph, in its order.
  std::set<std::string> added;
  for (const plan::Scaling& scaling : plan.scalings) added.insert(scaling.result);
  plan.remarks.erase(std::remove_if(plan.remarks.begin(), plan.remarks.end(),
                                    [&](const plan::Remark& remark) {
                                      return remark.op_type == "Mul" && added.contains(remark.node);
                                    }),
                     plan.remarks.end());
  return {};
}

}  // namespace octet::accuracy
