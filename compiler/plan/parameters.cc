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

float in_form(float scale, ScaleForm form) {
  return form == ScaleForm::kPowerOfTwo && std::isnormal(scale)
             ? numerics::power_of_two_at_least(scale)
             : scale;
}

}  // namespace

Result<QuantParams> params_for_range(const Space& space, const calibration::Range& range) {
  QuantParams::Spec spec = empty_spec(space, Granularity::kPerTensor, 0);
  append(spec, numerics::choose_scale(range.min, range.max, space.qmin, space.qmax, space.symmetry,
                                      space.scales));
  return QuantParams::make(std::move(spec));
}

bool fills_a_block(const Space& space, const ir::Tensor& tensor, int64_t channel_axis) {
  const int64_t axis = block_axis(channel_axis);
  return space.granularity == Granularity::kBlocked && tensor.rank() >= 2 && axis >= 0 &&
         axis < static_cast<int64_t>(tensor.rank()) &&
         tensor.shape()[static_cast<size_t>(axis)] >= space.block_size;
}

int64_t block_axis(int64_t channel_axis) { return channel_axis == 0 ? 1 : channel_axis - 1; }

Result<QuantParams> params_for_blocks(const Space& space, const ir::Tensor& tensor, int64_t axis) {
  QuantParams::Spec spec = empty_spec(space, Granularity::kBlocked, axis);
  spec.block_size = space.block_size;
  const std::vector<size_t> block_of = scale_of_element(spec, tensor.shape());
  std::vector<calibration::Range> ranges;
  const std::vector<float> values = tensor.to_floats();
  for (size_t i = 0; i < values.size(); ++i) {
    ranges.resize(std::max(ranges.size(), block_of[i] + 1));
    calibration::Range& range = ranges[block_of[i]];
    range.min = std::min(range.min, values[i]);
    range.max = std::max(range.max, values[i]);
  }
  for (const calibration::Range& range : ranges) {
    append(spec, numerics::choose_scale(range.min, range.max, space.qmin, space.qmax,
                                        space.symmetry, space.scales));
  }
  return QuantParams::make(std::move(spec));
}

std::vector<size_t> scale_of_element(const QuantParams::Spec& spec,
                                     const std::vector<int64_t>& shape) {
  size_t count = 1;
  for (const int64_t extent : shape) count *= static_cast<size_t>(extent);
  std::vector<size_t> out(count);
  const auto axis = static_cast<size_t>(spec.axis);
  if (spec.granularity == Granularity::kPerTensor || axis >= shape.size()) return out;
  size_t inner = 1;
  for (size_t a = axis + 1; a < shape.size(); ++a) inner *= static_cast<size_t>(shape[a]);
  const auto extent = static_cast<size_t>(shape[axis]);
  if (spec.granularity == Granularity::kPerAxis) {
    for (size_t i = 0; i < count; ++i) out[i] = i / inner % extent;
    return out;
  }
  const auto size = static_cast<size_t>(spec.block_size);
  const size_t blocks = (extent + size - 1) / size;
  for (size_t i = 0; i < count; ++i) {
    const size_t outer = i / inner / extent;
    out[i] = (outer * blocks + i / inner % extent / size) * inner + i % inner;
  }
  return out;
}

Result<QuantParams> params_for_constant(const Space& space, const ir::Tensor& tensor, int64_t axis,
                                        std::span<const float> least_scales) {
  if (space.granularity == Granularity::kBlocked && fills_a_block(space, tensor, axis)) {
    return params_for_blocks(space, tensor, block_axis(axis));
  }
  if (space.granularity == Granularity::kPerTensor) {
    calibration::Range range;
    for (float value : tensor.to_floats()) {
      range.min = std::min(range.min, value);
      range.max = std::max(range.max, value);
    }
    if (!least_scales.empty()) {
      // All channels have one scale, so the most demanding bias speaks for all.
      const float least = *std::max_element(least_scales.begin(), least_scales.end());
      OCTET_ASSIGN(const QuantParams params, params_for_range(space, range));
      QuantParams::Spec spec = params.spec();
      if (std::isfinite(least) && spec.scales.front() < least) {
        spec.scales.front() = in_form(least, space.scales);
      }
      return QuantParams::make(std::move(spec));
    }
    return params_for_range(space, range);
  }
  if (axis < 0 || axis >= static_cast<int64_t>(tensor.rank())) {
    return internal_error("channel axis ", axis, " for a constant of rank ", tensor.rank());
  }
  QuantParams::Spec spec = empty_spec(space, Granularity::kPerAxis, axis);
  for (const calibration::Range& range : channel_ranges(tensor, axis)) {
    append(spec, numerics::choose_scale(range.min, range.max, space.qmin, space.qmax,
                                        space.symmetry, space.scales));
  }
  for (size_t c = 0; c < spec.scales.size() && c < least_scales.size(); ++c) {
    if (spec.scales[c] < least_scales[c]) spec.scales[c] = in_form(least_scales[c], space.scales);
  }
  return QuantParams::make(std::move(spec));
}

std::vector<float> bias_scale_floor(const ir::Tensor& bias, float x_scale) {
  std::vector<float> floors = bias.to_floats();
  for (float& value : floors) value = std::abs(value) / x_scale / 536870912.0F;
  return floors;
}

}  // namespace octet::plan
