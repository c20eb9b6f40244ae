// Channels that are one number everywhere: taken into the biases of what reads them.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "compiler/accuracy/channels.h"

namespace octet::accuracy {

// The weights of the linear operators of a graph as rows, and their biases, to be changed.
class LinearNumbers {
 public:
  using Linear = ChannelClasses::Linear;

  LinearNumbers(const ir::Graph& graph, const ChannelClasses& classes);

  std::vector<float>& rows(ir::NodeId node) { return rows_[node]; }
  std::vector<float>& bias(ir::NodeId node) { return biases_[node]; }

  // Calls f(row, input channel, the row's weights on it) for an operator whose data has channels.
  template <typename Visit>
  void for_slices(const Linear& linear, Visit&& visit) {
    const auto columns = static_cast<size_t>(linear.layout.columns);
    const size_t taps = taps_of(linear);
    const size_t per_group = columns / taps;
    std::vector<float>& rows = rows_[linear.node];
    for (size_t r = 0; r < static_cast<size_t>(linear.layout.channels()); ++r) {
      const size_t first = r / static_cast<size_t>(linear.layout.rows) * per_group;
      for (size_t i = 0; i < per_group; ++i) {
        visit(r, first + i, std::span(rows).subspan(r * columns + i * taps, taps));
      }
    }
  }

 private:
  size_t taps_of(const Linear& linear) const;

  const ChannelClasses& classes_;
  std::map<ir::NodeId, std::vector<float>> rows_;
  std::map<ir::NodeId, std::vector<float>> biases_;
};

struct DeadChannels {
  std::map<ir::ValueId, std::map<size_t, float>> constants;  // value, channel: what it always is
  std::set<ir::NodeId> changed;                              // linear operators with new numbers
  size_t count = 0;                                          // dead rows
};

// A row is dead when its greatest magnitude lies within 1e-6 of its tensor's: its channel is its
// bias. Behind Relu and a Clip from 0 it is a constant v still. Readers without padding, or any
// where v is 0, add v times their weights on it to their bias and set those to zero; a row that
// loses all it reads is dead in its turn. What has channels is the business of `classes`.
DeadChannels absorb_dead_channels(const ir::Graph& graph, const ChannelClasses& classes,
                                  LinearNumbers& numbers);

// The height of a Clip to a finite constant above 0.
std::optional<float> clip_height(const ir::Graph& graph, const ir::Node& node);
bool has_padding(const ir::Node& node);
float greatest_magnitude(std::span<const float> values);

}  // namespace octet::accuracy
