#include <set>

#include "backends/backends.h"
#include "compiler/base/names.h"

namespace octet::backends {
namespace {

using plan::BackendSpec;
using plan::Space;

bool holds(const Space& space, const ir::QuantParams& params) {
  if (space.dtype != params.storage()) return false;
  if (space.granularity == ir::Granularity::kPerTensor && !params.per_tensor()) return false;
  if (space.symmetry == numerics::Symmetry::kAsymmetric ||
      !numerics::is_signed_integer(space.dtype)) {
    return true;
  }
  for (int32_t zero_point : params.zero_points()) {
    if (zero_point != 0) return false;
  }
  return true;
}

std::set<std::string> activation_spaces(const BackendSpec& spec) {
  std::set<std::string> out;
  for (const auto& [name, space] : spec.spaces) {
    if (space.granularity == ir::Granularity::kPerTensor) out.insert(name);
  }
  return out;
}

// Constants are weights, or operands like any activation.
std::set<std::string> constant_spaces(const BackendSpec& spec) {
  std::set<std::string> out = activation_spaces(spec);
  for (const plan::OpRule& rule : spec.ops) {
    if (!rule.weight_space.empty()) out.insert(rule.weight_space);
    if (!rule.wide_weight_space.empty()) out.insert(rule.wide_weight_space);
  }
  return out;
}

Status check_entry(const ir::QuantParams& params, const BackendSpec& spec,
                   const std::set<std::string>& names) {
  std::set<std::string> allowed;
  const Space* other_range = nullptr;
  for (const std::string& name : names) {
    const Space& space = *spec.find_space(name);
    if (holds(space, params)) {
      if (space.qmin == params.qmin() && space.qmax == params.qmax()) return {};
      other_range = &space;
    }
    const bool zero = space.symmetry == numerics::Symmetry::kSymmetric &&
                      numerics::is_signed_integer(space.dtype);
    allowed.insert(cat(numerics::dtype_name(space.dtype), zero ? " with zero point 0" : ""));
  }
  if (other_range != nullptr) {
    return usage_error("qmin ", params.qmin(), " and qmax ", params.qmax(), ": backend ",
                       quote_name(spec.name), " has ", other_range->qmin, " and ",
                       other_range->qmax,
                       " here, which no plan changes; edit scales, zero points and operands");
  }
  std::string list;
  for (const std::string& text : allowed) list += (list.empty() ? "" : " or ") + text;
  return usage_error("backend ", quote_name(spec.name), " takes ", list, " here, not ",
                     numerics::dtype_name(params.storage()),
                     params.per_tensor() ? cat(" with zero point ", params.zero_points().front())
                                         : std::string(" per channel"));
}

}  // namespace

Status check_plan(const plan::QuantPlan& plan, const BackendSpec& spec) {
  const std::set<std::string> activations = activation_spaces(spec);
  for (const plan::ActivationQuantizer& entry : plan.activations) {
    OCTET_TRY(check_entry(entry.params, spec, activations)
                  .in(cat("activation ", quote_name(entry.value))));
  }
  const std::set<std::string> constants = constant_spaces(spec);
  for (const plan::ConstantQuantizer& entry : plan.constants) {
    OCTET_TRY(
        check_entry(entry.params, spec, constants).in(cat("constant ", quote_name(entry.value))));
  }
  if (!plan.biases.empty() && spec.bias != plan::BiasForm::kInt32) {
    return usage_error("bias of ", quote_name(plan.biases.front().linear_output), ": backend ",
                       quote_name(spec.name), " takes biases in float, not int32");
  }
  return {};
}

}  // namespace octet::backends
