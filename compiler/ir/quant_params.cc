#include "compiler/ir/quant_params.h"

#include <algorithm>
#include <cmath>

namespace octet::ir {

Result<QuantParams> QuantParams::make(Spec spec) {
  if (spec.scales.empty()) return malformed("no scale [Q1]");
  for (size_t i = 0; i < spec.scales.size(); ++i) {
    if (!std::isnormal(spec.scales[i]) || spec.scales[i] < 0.0F) {
      return malformed("scale ", i, " is ", spec.scales[i],
                       ", not a finite normal number above zero [Q2]");
    }
  }
  if (spec.zero_points.size() != spec.scales.size()) {
    return malformed(spec.zero_points.size(), " zero points for ", spec.scales.size(),
                     " scales [Q3]");
  }
  if (spec.granularity == Granularity::kPerTensor && spec.scales.size() != 1) {
    return malformed(spec.scales.size(), " scales for a per-tensor quantization [Q4]");
  }
  if (!numerics::is_integer(spec.storage) || numerics::bit_width(spec.storage) > 32) {
    return malformed("storage type ", numerics::dtype_name(spec.storage),
                     " is not an integer type of at most 32 bits [Q7]");
  }
  const numerics::IntegerRange range = numerics::integer_range(spec.storage);
  if (spec.qmin >= spec.qmax || spec.qmin < range.min || spec.qmax > range.max) {
    return malformed("range [", spec.qmin, ", ", spec.qmax, "] does not fit ",
                     numerics::dtype_name(spec.storage), " [Q5]");
  }
  for (int32_t zero_point : spec.zero_points) {
    if (zero_point < range.min || zero_point > range.max) {
      return malformed("zero point ", zero_point, " does not fit ",
                       numerics::dtype_name(spec.storage), " [Q6]");
    }
  }
  if (spec.granularity == Granularity::kBlocked && spec.block_size < 1) {
    return malformed("block size ", spec.block_size, " [Q8]");
  }
  // What does not apply must not tell equal parameters apart.
  if (spec.granularity == Granularity::kPerTensor) spec.axis = 0;
  if (spec.granularity != Granularity::kBlocked) spec.block_size = 0;
  if (spec.axis < 0) return malformed("axis ", spec.axis, " is negative [Q8]");
  return QuantParams(std::move(spec));
}

Status QuantParams::check_against(const Shape& shape) const {
  if (per_tensor() || !shape.has_rank()) return {};
  const auto axis = static_cast<size_t>(spec_->axis);
  if (axis >= shape.rank()) {
    return malformed("axis ", axis, " for a rank of ", shape.rank(), " [Q8]");
  }
  if (!shape[axis].is_static()) return {};
  const auto extent = static_cast<size_t>(shape[axis].extent());
  if (granularity() == Granularity::kPerAxis && spec_->scales.size() != extent) {
    return malformed(spec_->scales.size(), " scales for an axis of extent ", extent, " [Q4]");
  }
  return {};
}

bool QuantParams::symmetric() const {
  return std::all_of(spec_->zero_points.begin(), spec_->zero_points.end(),
                     [](int32_t zero_point) { return zero_point == 0; });
}

}  // namespace octet::ir
