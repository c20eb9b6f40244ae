#include "compiler/plan/parameters.h"

#include <algorithm>
#include <cmath>

#include "compiler/numerics/affine.h"

namespace octet::plan {

using ir::Granularity;
using ir::QuantParams;

namespace {

QuantParams::Spec empty_spec(const Space& space, Granularity granularity, int64_t axis) {
  QuantParams::Spec spec;
  spec.storage = space.dtype;
  spec.granularity = granularity;
  spec.axis = axis;
  spec.qmin = space.qmin;
  spec.qmax = space.qmax;
  return spec;
}

void append(QuantParams::Spec& spec, const numerics::ScaleZeroPoint& chosen) {
  spec.scales.push_back(chosen.scale);
  spec.zero_points.push_back(chosen.zero_point);
}

// Least and greatest value of each slice along `axis`.
std::vector<calibration::Range> channel_ranges(const ir::Tensor& tensor, int64_t axis) {
  const std::vector<float> values = tensor.to_floats();
  const auto channels = static_cast<size_t>(tensor.shape()[static_cast<size_t>(axis)]);
  size_t inner = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < tensor.rank(); ++i) {
    inner *= static_cast<size_t>(tensor.shape()[i]);
  }
  std::vector<calibration::Range> out(channels);
  for (size_t i = 0; i < values.size(); ++i) {
    calibration::Range& range = out[(i / inner) % channels];
    range.min = std::min(range.min, values[i]);
    range.max = std::max(range.max, values[i]);
  }
  return out;
}

}  // namespace

Result<QuantParams> params_for_range(const Space& space, const calibration::Range& range) {
  QuantParams::Spec spec = empty_spec(space, Granularity::kPerTensor, 0);
  append(spec,
         numerics::choose_scale(range.min, range.max, space.qmin, space.qmax, space.symmetry));
  return QuantParams::make(std::move(spec));
}

Result<QuantParams> params_for_constant(const Space& space, const ir::Tensor& tensor, int64_t axis,
                                        std::span<const float> least_scales) {
  if (space.granularity != Granularity::kPerAxis) {
    calibration::Range range;
    for (float value : tensor.to_floats()) {
      range.min = std::min(range.min, value);
      range.max = std::max(range.max, value);
    }
    return params_for_range(space, range);
  }
  if (axis < 0 || axis >= static_cast<int64_t>(tensor.rank())) {
    return internal_error("channel axis ", axis, " for a constant of rank ", tensor.rank());
  }
  QuantParams::Spec spec = empty_spec(space, Granularity::kPerAxis, axis);
  for (const calibration::Range& range : channel_ranges(tensor, axis)) {
    append(spec,
           numerics::choose_scale(range.min, range.max, space.qmin, space.qmax, space.symmetry));
  }
  for (size_t c = 0; c < spec.scales.size() && c < least_scales.size(); ++c) {
    spec.scales[c] = std::max(spec.scales[c], least_scales[c]);
  }
  return QuantParams::make(std::move(spec));
}

std::vector<float> bias_scale_floor(const ir::Tensor& bias, float x_scale) {
  std::vector<float> floors = bias.to_floats();
  for (float& value : floors) value = std::abs(value) / x_scale / 536870912.0F;
  return floors;
}

}  // namespace octet::plan
