#include "compiler/accuracy/dead_channels.h"

#include <algorithm>
#include <cmath>

namespace octet::accuracy {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

namespace {

constexpr float kDead = 1e-6F;  // of a tensor's greatest magnitude

class DeadWalk {
 public:
  using Linear = ChannelClasses::Linear;

  DeadWalk(const Graph& graph, const ChannelClasses& classes, LinearNumbers& numbers)
      : graph_(graph), classes_(classes), numbers_(numbers) {}

  DeadChannels run() {
    for (NodeId id : graph_.order()) {
      const auto linear = std::find_if(classes_.linears().begin(), classes_.linears().end(),
                                       [&](const Linear& l) { return l.node == id; });
      if (linear != classes_.linears().end()) {
        if (linear->x.valid()) absorb_constants(*linear);
        find_dead_rows(*linear);
      } else {
        follow_constants(graph_.node(id));
      }
    }
    return std::move(out_);
  }

 private:
  void find_dead_rows(const Linear& linear) {
    const auto columns = static_cast<size_t>(linear.layout.columns);
    const std::vector<float>& rows = numbers_.rows(linear.node);
    const float all = greatest_magnitude(rows);
    for (size_t r = 0; r < static_cast<size_t>(linear.layout.channels()); ++r) {
      const float own = greatest_magnitude(std::span(rows).subspan(r * columns, columns));
      if (!(own <= kDead * all)) continue;
      out_.constants[linear.y][r] = linear.bias.valid() ? numbers_.bias(linear.node)[r] : 0.0F;
      ++out_.count;
    }
  }

  // What an activation makes of constants. Anything else forgets them.
  void follow_constants(const Node& node) {
    const auto it =
        node.input(0).valid() ? out_.constants.find(node.input(0)) : out_.constants.end();
    if (it == out_.constants.end() || !node.domain.empty()) return;
    const auto height = clip_height(graph_, node);
    const bool relu = node.is("Relu");
    if (!relu && !(height && starts_at_zero(node))) return;
    std::map<size_t, float> known;
    for (const auto& [channel, value] : it->second) {
      known[channel] = std::clamp(value, 0.0F, height.value_or(HUGE_VALF));
    }
    out_.constants[node.output()] = std::move(known);
  }

  bool starts_at_zero(const Node& node) const {
    const Tensor* low = graph_.constant(node.input(1));
    return low != nullptr && low->element_count() == 1 && low->at_as_double(0) == 0.0;
  }

  void absorb_constants(const Linear& linear) {
    const auto it = out_.constants.find(linear.x);
    if (it == out_.constants.end()) return;
    const bool padded = has_padding(graph_.node(linear.node));
    numbers_.for_slices(linear, [&](size_t r, size_t channel, std::span<float> weights) {
      const auto known = it->second.find(channel);
      if (known == it->second.end()) return;
      const float value = known->second;
      if (value != 0.0F && (padded || !linear.bias.valid())) return;
      double sum = 0.0;
      for (float& w : weights) {
        sum += static_cast<double>(w) * static_cast<double>(value);
        w = 0.0F;
      }
      if (value != 0.0F) numbers_.bias(linear.node)[r] += static_cast<float>(sum);
      out_.changed.insert(linear.node);
    });
  }

  const Graph& graph_;
  const ChannelClasses& classes_;
  LinearNumbers& numbers_;
  DeadChannels out_;
};

}  // namespace

LinearNumbers::LinearNumbers(const Graph& graph, const ChannelClasses& classes)
    : classes_(classes) {
  for (const Linear& linear : classes.linears()) {
    rows_[linear.node] = weight_rows(linear.layout, graph.constant(linear.weight)->data<float>());
    if (linear.bias.valid()) biases_[linear.node] = graph.constant(linear.bias)->to_floats();
  }
}

size_t LinearNumbers::taps_of(const Linear& linear) const {
  const int64_t inputs = classes_.of(linear.x).count;
  const int64_t per_group = inputs / linear.layout.groups;
  return static_cast<size_t>(linear.layout.columns / std::max<int64_t>(per_group, 1));
}

DeadChannels absorb_dead_channels(const Graph& graph, const ChannelClasses& classes,
                                  LinearNumbers& numbers) {
  return DeadWalk(graph, classes, numbers).run();
}

// A Clip from 0 to a constant, and the height.
std::optional<float> clip_height(const Graph& graph, const Node& node) {
  if (!node.is("Clip") || !node.input(2).valid()) return std::nullopt;
  const Tensor* high = graph.constant(node.input(2));
  if (high == nullptr || high->element_count() != 1) return std::nullopt;
  const auto height = static_cast<float>(high->at_as_double(0));
  return std::isfinite(height) && height > 0.0F ? std::optional(height) : std::nullopt;
}

bool has_padding(const Node& node) {
  if (ir::string_attribute(node, "auto_pad", "NOTSET") != "NOTSET") return true;
  const auto pads = ir::ints_attribute(node, "pads");
  return std::any_of(pads.begin(), pads.end(), [](int64_t pad) { return pad != 0; });
}

float greatest_magnitude(std::span<const float> values) {
  float out = 0.0F;
  for (const float value : values) out = std::max(out, std::abs(value));
  return out;
}

}  // namespace octet::accuracy
