// Equalization for weights of one scale per tensor: the rows of one layer and the slices of the
// next that read them are brought to equal ranges, channel by channel (Nagel et al. 2019,
// arXiv:1906.04721, section 4.1).
//
// In order:
//   1. dead channels: a channel whose row of weights is nothing (its greatest magnitude within
//      1e-6 of the tensor's) has one value v everywhere. Readers take it into their bias and set
//      their weights on it to zero, where v is 0 or they have no padding; a depthwise reader's
//      channel is then dead itself, and so on down the graph;
//   2. factors: for a class of channels (channels.h) with greatest row magnitude r1 in its
//   producers
//      and greatest slice magnitude r2 in its readers, rows are multiplied by f = sqrt(r2 / r1) and
//      slices divided by it; over and over until nothing moves, each component of the graph held at
//      a geometric mean of 1, factors within 1/256 and 256 of it;
//   3. a Clip from 0 whose channels got factors keeps its function: each channel its own bound
//      (plan::ChannelBound); none where the channel reached the old one in no sample;
//   4. high biases: where a channel behind a Relu or such a Clip is never below c > 0, the
//   producer's
//      bias gives c up and readers without padding take W c into theirs.
// Everything is exact for what the ranges saw.
#pragma once

#include <map>
#include <vector>

#include "compiler/accuracy/equalize.h"

namespace octet::accuracy {

// How far each channel of some values reaches, as ChannelRanges knows it, and the least value.
struct ChannelReach {
  std::vector<float> greatest;  // magnitude
  std::vector<float> least;     // value; empty: unknown
};

struct CrossLayerOptions {
  // Whether the target fuses a Min by a constant behind a layer; without, channels behind a Clip
  // that acts keep their factor of 1.
  enum class Bounds { kAllowed, kNone } bounds = Bounds::kAllowed;
};

struct CrossLayer {
  Equalization equalization;
  std::vector<plan::ChannelBound> bounds;
  // Of what linear operators compute: what readers took over of each channel's bias, after factors.
  std::map<ir::ValueId, std::vector<float>> absorbed;
  size_t dead = 0;         // channels
  size_t high_biases = 0;  // channels
};

CrossLayer equalize_across_layers(const ir::Graph& graph, const ChannelClasses& classes,
                                  const std::vector<Layer>& layers,
                                  const std::map<ir::ValueId, ChannelReach>& reach,
                                  const CrossLayerOptions& options = {});

// Bounds are allowed where a Min fuses behind layers.
CrossLayerOptions bounds_of(const plan::BackendSpec& spec);

// True where the weights of the backend's linear operators have one scale per tensor.
bool has_per_tensor_weights(const plan::BackendSpec& spec);

}  // namespace octet::accuracy
