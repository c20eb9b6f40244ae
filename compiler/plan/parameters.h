// From ranges to quantization parameters.
#pragma once

#include <span>
#include <vector>

#include "compiler/calibration/range.h"
#include "compiler/ir/graph.h"
#include "compiler/plan/backend_spec.h"

namespace octet::plan {

// Per-tensor parameters of `space` for values in `range`.
Result<ir::QuantParams> params_for_range(const Space& space, const calibration::Range& range);

// Parameters of a constant: per-axis about 0 from the greatest magnitude of each channel where the
// space is per-axis, of each block where it is blocked and fills_a_block holds, per-tensor
// otherwise. `least_scales` (one per channel, or empty) is a floor of per-axis and per-tensor
// scales: see bias_scale_floor.
Result<ir::QuantParams> params_for_constant(const Space& space, const ir::Tensor& tensor,
                                            int64_t axis, std::span<const float> least_scales);

// The axis of input channels of a weight whose output channels lie on `channel_axis`: what blocks
// run along.
int64_t block_axis(int64_t channel_axis);

// True when the space is blocked and the weight has at least a block of input channels; one of
// fewer (a depthwise kernel) has a scale per channel.
bool fills_a_block(const Space& space, const ir::Tensor& tensor, int64_t channel_axis);

// For each element of a tensor of this shape, row-major, which of the scales it has.
std::vector<size_t> scale_of_element(const ir::QuantParams::Spec& spec,
                                     const std::vector<int64_t>& shape);

// The least weight scale that keeps |bias| / (x_scale * w_scale) within int32 with two bits to
// spare for the accumulator: |bias| / (x_scale * 2^29). A dead channel (all weights near zero, a
// bias left) overflows without it.
std::vector<float> bias_scale_floor(const ir::Tensor& bias, float x_scale);

}  // namespace octet::plan
