// Means, deviations and ranges of a graph's values, worked out from its batch norms and inputs
// without running it.
//
// A channel is taken to be normal, cut off at its range. Elementwise functions act on it by
// numerical integration; for Relu and Clip that is E[x] = s phi(-m/s) + m (1 - Phi(-m/s)) and its
// kin. Linear operators with a constant weight: means exactly, variances with channels independent
// of each other and taps of one channel correlated by one half. Additions add variances. Pooling,
// Concat, Split and what moves elements keep what they can; where channels mix, all of a value
// becomes one channel.
#pragma once

#include <map>
#include <vector>

#include "compiler/accuracy/norm_facts.h"
#include "compiler/ir/graph.h"

namespace octet::accuracy {

// How far a normal channel is taken to reach, in deviations (DFQ: 6).
inline constexpr double kReach = 6.0;

struct ChannelMoments {
  double mean = 0.0;
  double deviation = 0.0;
  double low = 0.0;
  double high = 0.0;
};

struct ValueMoments {
  std::vector<ChannelMoments> channels;  // one: of the whole value
  size_t axis = 1;                       // of more than one
};

// A channel of mean m and deviation s over [m - 6 s, m + 6 s].
ChannelMoments normal_channel(double mean, double deviation);

// `facts` win over what is computed. Values of which nothing can be said are not in the result.
std::map<ir::ValueId, ValueMoments> propagate_moments(
    const ir::Graph& graph, const NormFacts& facts,
    const std::map<ir::ValueId, ValueMoments>& inputs);

// The pixels of natural pictures as the model's input sees them, from its first batch norm (folded
// or not): the input channels' means by least squares from the channels' means, their deviation as
// the median of what the channels' deviations say, with neighbouring pixels correlated as those of
// pictures are (0.95 a pixel, 0.9 between channels), ranges of 4 deviations. Empty where no
// convolution with a batch norm reads the input.
ValueMoments guess_input(const ir::Graph& graph, const NormFacts& facts, ir::ValueId input);

}  // namespace octet::accuracy
