#include "compiler/plan/effective_formats.h"

#include <algorithm>

#include "compiler/numerics/dtype.h"
#include "compiler/plan/formats.h"

namespace octet::plan {
namespace {

// Types and granularities of operator set 13 to 20.
bool is_plain(const ir::QuantParams& params) {
  return numerics::bit_width(params.storage()) == 8 &&
         params.granularity() != ir::Granularity::kBlocked;
}

}  // namespace

int64_t narrow_layer_count(const QuantPlan& plan) {
  int64_t out = 0;
  for (const ConstantQuantizer& constant : plan.constants) {
    if (numerics::bit_width(constant.params.storage()) == 4) {
      out += static_cast<int64_t>(constant.uses.size());
    }
  }
  return out;
}

std::string effective_formats(const QuantPlan& plan) {
  auto formats = parse_formats(plan.formats);
  if (!formats.ok() || formats->weights != WeightWidth::kInt4 || narrow_layer_count(plan) > 0) {
    return plan.formats;
  }
  formats->weights = WeightWidth::kAsBackend;
  formats->narrow_layers = NarrowLayers::kInner;
  return to_string(*formats);
}

int64_t needed_opset(const BackendSpec& spec, const QuantPlan& plan) {
  const bool plain =
      std::all_of(plan.activations.begin(), plan.activations.end(),
                  [](const ActivationQuantizer& each) { return is_plain(each.params); }) &&
      std::all_of(plan.constants.begin(), plan.constants.end(),
                  [](const ConstantQuantizer& each) { return is_plain(each.params); });
  return plain && spec.own_opset > 0 ? spec.own_opset : spec.opset;
}

}  // namespace octet::plan
