// Equalization of channels: the float function stays, the channels of what gets quantized come
// nearer to each other, so that one scale serves them all.
//
// For a class of channels (channels.h) with greatest magnitude x_c wherever it is quantized, and
// w_c the greatest share a reader's weight slice has in its row's magnitude:
//   depthwise readers only    factor X / x_c: every channel gets the range X of its tensor. A row
//                             of its own has a scale of its own, so it costs nothing;
//   any dense reader          factor ~ x_c^-alpha w_c^(alpha - 1), alpha 0.5, and 0.8 in front of a
//                             MatMul (SmoothQuant, Xiao et al. 2022, arXiv:2211.10438); the
//                             greatest channel of the tensor keeps its magnitude.
// What convolutions read keeps a headroom in amplified channels, 1.2 and 1.5 where few samples
// speak for some output (effective_samples.h): unseen samples go further. Factors lie within 1/256
// and 256; dead channels keep theirs. Behind a Clip a channel saturates at what calibration saw, so
// dense readers are left alone there.
//
// Where the data of a MatMul is tied to something that cannot be scaled (a residual), a Mul in
// front of it does the same (plan::Scaling), if the channels differ enough to pay for it.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "compiler/accuracy/channel_ranges.h"
#include "compiler/accuracy/channels.h"
#include "compiler/accuracy/layers.h"
#include "compiler/plan/quant_plan.h"

namespace octet::accuracy {

// What equalization will ask for: of `quantized` (the values that get a quantizer) and the data of
// every layer, those whose channels can be scaled.
std::vector<ChannelRanges::Axis> values_to_range(const ir::Graph& graph,
                                                 const ChannelClasses& classes,
                                                 const std::vector<Layer>& layers,
                                                 const std::set<ir::ValueId>& quantized);

struct Equalization {
  std::map<ir::ValueId, ir::Tensor> constants;  // new numbers, by constant
  std::vector<plan::Scaling> scalings;
  // Of what linear operators compute, by value; only those that are not all 1.
  std::map<ir::ValueId, std::vector<float>> value_factors;
  size_t channels = 0;              // whose factor is not 1
  size_t tensors = 0;               // layer inputs that changed
  std::vector<float> factors = {};  // by class of channels (channels.h)
};

struct EqualizeOptions {
  double dense_alpha = 0.5;   // in front of dense convolutions and Gemm
  double matmul_alpha = 0.8;  // in front of a MatMul
  // A few samples show less of a channel than it has. As it is, that costs only where the channel
  // is the greatest of its tensor; amplified to the tensor's range, every channel would saturate.
  double headroom = 1.2;
  bool operator==(const EqualizeOptions&) const = default;
};

Equalization equalize(const ir::Graph& graph, const ChannelClasses& classes,
                      const std::vector<Layer>& layers, const ChannelRanges& ranges,
                      const EqualizeOptions& options = {});

// Writes given factors (by class of channels, positive) into the constants, starting from
// `constants` where they hold new numbers already.
Equalization apply_factors(const ir::Graph& graph, const ChannelClasses& classes,
                           const std::vector<Layer>& layers, std::vector<float> factors,
                           std::map<ir::ValueId, ir::Tensor> constants);

}  // namespace octet::accuracy
