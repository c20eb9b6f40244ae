#include "compiler/accuracy/cross_layer.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

namespace octet::accuracy {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

namespace {

constexpr float kDead = 1e-6F;  // of a tensor's greatest magnitude
constexpr double kGreatestFactor = 256.0;
constexpr int kSweeps = 60;
// All classes move at once; a whole step would let neighbours swing about each other.
constexpr double kStep = 0.4;
constexpr double kStill = 1e-3;  // relative change of a factor that is none

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

float greatest_of(std::span<const float> values) {
  float out = 0.0F;
  for (const float value : values) out = std::max(out, std::abs(value));
  return out;
}

class CrossLayerWalk {
 public:
  using Linear = ChannelClasses::Linear;

  CrossLayerWalk(const Graph& graph, const ChannelClasses& classes,
                 const std::vector<Layer>& layers, const std::map<ValueId, ChannelReach>& reach,
                 const CrossLayerOptions& options)
      : graph_(graph), classes_(classes), layers_(layers), reach_(reach), options_(options) {
    for (const Layer& layer : layers_) integer_.insert(layer.node);
    for (const Linear& linear : classes_.linears()) {
      rows_[linear.node] = weight_rows(linear.layout, graph_.constant(linear.weight)->data<float>());
      if (linear.bias.valid()) biases_[linear.node] = graph_.constant(linear.bias)->to_floats();
    }
  }

  CrossLayer run() {
    absorb_dead();
    find_movable();
    choose();
    write();
    absorb_high_biases();
    return std::move(out_);
  }

 private:
  size_t taps_of(const Linear& linear) const {
    const int64_t inputs = classes_.of(linear.x).count;
    const int64_t per_group = inputs / linear.layout.groups;
    return static_cast<size_t>(linear.layout.columns / std::max<int64_t>(per_group, 1));
  }

  // f(row, input channel, the weights of the row on it).
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

  // 1. Values of which some channels are one number everywhere, in graph order.
  void absorb_dead() {
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
  }

  void find_dead_rows(const Linear& linear) {
    const auto columns = static_cast<size_t>(linear.layout.columns);
    const std::vector<float>& rows = rows_[linear.node];
    const float all = greatest_of(rows);
    for (size_t r = 0; r < static_cast<size_t>(linear.layout.channels()); ++r) {
      const float own = greatest_of(std::span(rows).subspan(r * columns, columns));
      if (!(own <= kDead * all)) continue;
      constants_[linear.y][r] = linear.bias.valid() ? biases_[linear.node][r] : 0.0F;
      ++out_.dead;
    }
  }

  // What an activation makes of constants. Anything else forgets them.
  void follow_constants(const Node& node) {
    const auto it = node.input(0).valid() ? constants_.find(node.input(0)) : constants_.end();
    if (it == constants_.end() || !node.domain.empty()) return;
    const auto height = clip_height(graph_, node);
    const bool relu = node.is("Relu");
    if (!relu && !(height && starts_at_zero(node))) return;
    std::map<size_t, float> known;
    for (const auto& [channel, value] : it->second) {
      known[channel] = std::clamp(value, 0.0F, height.value_or(HUGE_VALF));
    }
    constants_[node.output()] = std::move(known);
  }

  bool starts_at_zero(const Node& node) const {
    const Tensor* low = graph_.constant(node.input(1));
    return low != nullptr && low->element_count() == 1 && low->at_as_double(0) == 0.0;
  }

  void absorb_constants(const Linear& linear) {
    const auto it = constants_.find(linear.x);
    if (it == constants_.end()) return;
    const bool padded = has_padding(graph_.node(linear.node));
    for_slices(linear, [&](size_t r, size_t channel, std::span<float> weights) {
      const auto known = it->second.find(channel);
      if (known == it->second.end()) return;
      const float value = known->second;
      if (value != 0.0F && (padded || !linear.bias.valid())) return;
      double sum = 0.0;
      for (float& w : weights) {
        sum += static_cast<double>(w) * static_cast<double>(value);
        w = 0.0F;
      }
      if (value != 0.0F) biases_[linear.node][r] += static_cast<float>(sum);
      changed_.insert(linear.node);
    });
  }

  // Classes that a factor may move: read by integers, fixed by nothing, and where a Clip acts only
  // if its bound may be the channel's own.
  void find_movable() {
    movable_.assign(classes_.class_count(), false);
    for (const Linear& linear : classes_.linears()) {
      if (!linear.x.valid() || !integer_.contains(linear.node)) continue;
      const ChannelClasses::Channels& channels = classes_.of(linear.x);
      for (int64_t i = 0; i < channels.count; ++i) {
        const size_t c = classes_.class_of(channels.first + i);
        movable_[c] = !classes_.fixed(c);
        component_.resize(classes_.class_count());
        component_[c] = classes_.component_of(linear.x);
      }
    }
    for (NodeId id : graph_.order()) {
      const Node& node = graph_.node(id);
      if (!node.is("Clip") || !node.input(2).valid()) continue;
      const ChannelClasses::Channels& channels = classes_.of(node.output());
      if (channels.first < 0) continue;
      const bool ours = clip_height(graph_, node) && channels.axis == 1 &&
                        (options_.bounds == CrossLayerOptions::Bounds::kAllowed || !acts(node));
      if (ours) {
        clips_.push_back(id);
        continue;
      }
      for (int64_t i = 0; i < channels.count; ++i) {
        movable_[classes_.class_of(channels.first + i)] = false;
      }
    }
    // The weights of a dead channel are no measure of anything.
    for (const auto& [value, known] : constants_) {
      const ChannelClasses::Channels& channels = classes_.of(value);
      if (channels.first < 0) continue;
      for (const auto& [channel, constant] : known) {
        movable_[classes_.class_of(channels.first + static_cast<int64_t>(channel))] = false;
      }
    }
  }

  // Whether some channel was seen at the height of the Clip, or nothing is known.
  bool acts(const Node& clip) const {
    const auto it = reach_.find(clip.output());
    if (it == reach_.end()) return true;
    const float height = *clip_height(graph_, clip);
    return std::any_of(it->second.greatest.begin(), it->second.greatest.end(),
                       [&](float reached) { return !(reached < height * (1.0F - 1e-6F)); });
  }

  // 2. Sweeps over all classes at once: each takes the square root of what it lacks.
  void choose() {
    factors_.assign(classes_.class_count(), 1.0F);
    std::vector<double> logs(classes_.class_count(), 0.0);
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
      find_magnitudes();
      double most = 0.0;
      for (size_t c = 0; c < logs.size(); ++c) {
        if (!movable_[c] || !(produced_[c] > 0.0) || !(read_[c] > 0.0)) continue;
        const double step = kStep * std::log(read_[c] / produced_[c]);
        if (!std::isfinite(step)) continue;
        logs[c] += step;
      }
      centre(logs);
      for (size_t c = 0; c < logs.size(); ++c) {
        const auto factor = static_cast<float>(std::exp(logs[c]));
        most = std::max(most, std::abs(static_cast<double>(factor / factors_[c]) - 1.0));
        factors_[c] = factor;
      }
      if (most < kStill) break;
    }
    for (const float factor : factors_) {
      if (factor != 1.0F) ++moved_;
    }
  }

  // Greatest magnitudes with the factors so far in them.
  void find_magnitudes() {
    produced_.assign(classes_.class_count(), 0.0);
    read_.assign(classes_.class_count(), 0.0);
    for (const Linear& linear : classes_.linears()) {
      if (!integer_.contains(linear.node)) continue;
      const ChannelClasses::Channels& y = classes_.of(linear.y);
      if (!linear.x.valid()) {
        const auto columns = static_cast<size_t>(linear.layout.columns);
        for (int64_t r = 0; r < y.count; ++r) {
          const auto row =
              std::span(rows_[linear.node]).subspan(static_cast<size_t>(r) * columns, columns);
          note_produced(classes_.class_of(y.first + r), greatest_of(row));
        }
        continue;
      }
      const ChannelClasses::Channels& x = classes_.of(linear.x);
      for_slices(linear, [&](size_t r, size_t channel, std::span<float> weights) {
        const size_t out = classes_.class_of(y.first + static_cast<int64_t>(r));
        const size_t in = classes_.class_of(x.first + static_cast<int64_t>(channel));
        const double w = static_cast<double>(greatest_of(weights)) / factors_[in];
        note_produced(out, w);
        read_[in] = std::max(read_[in], w * factors_[out]);
      });
    }
  }
  void note_produced(size_t channel_class, double magnitude) {
    double& produced = produced_[channel_class];
    produced = std::max(produced, magnitude * factors_[channel_class]);
  }

  // A factor common to a component changes nothing: it is held at a geometric mean of 1.
  void centre(std::vector<double>& logs) const {
    std::map<size_t, std::pair<double, size_t>> sums;
    for (size_t c = 0; c < logs.size(); ++c) {
      if (!movable_[c]) continue;
      auto& [sum, count] = sums[component_[c]];
      sum += logs[c];
      ++count;
    }
    std::map<size_t, double> middle;
    for (const auto& [component, sum] : sums) {
      // Tied to a class that cannot move, the common factor is not free.
      middle[component] = sum.first / static_cast<double>(sum.second);
    }
    const double limit = std::log(kGreatestFactor);
    for (size_t c = 0; c < logs.size(); ++c) {
      if (!movable_[c]) continue;
      logs[c] = std::clamp(logs[c] - middle.at(component_[c]), -limit, limit);
    }
  }

  void write() {
    std::map<ValueId, Tensor> constants;
    for (const Linear& linear : classes_.linears()) {
      if (!changed_.contains(linear.node)) continue;
      put(linear, constants);
    }
    out_.equalization = apply_factors(graph_, classes_, layers_, factors_, std::move(constants));
    out_.equalization.channels = moved_;
    for (NodeId id : clips_) {
      const Node& clip = graph_.node(id);
      const std::vector<float> factors = factors_of(clip.output());
      if (std::all_of(factors.begin(), factors.end(), [](float f) { return f == 1.0F; })) continue;
      std::vector<float> bounds;
      const float height = *clip_height(graph_, clip);
      if (acts(clip)) {
        for (const float factor : factors) bounds.push_back(height * factor);
      }
      const auto count = static_cast<int64_t>(bounds.size());
      out_.bounds.push_back(
          {graph_.value(clip.output()).name, Tensor::of<float>({count}, bounds)});
    }
  }

  std::vector<float> factors_of(ValueId value) const {
    const ChannelClasses::Channels& channels = classes_.of(value);
    std::vector<float> out;
    for (int64_t c = 0; c < channels.count; ++c) {
      out.push_back(factors_[classes_.class_of(channels.first + c)]);
    }
    return out;
  }

  void put(const Linear& linear, std::map<ValueId, Tensor>& constants) const {
    const auto& shape = graph_.constant(linear.weight)->shape();
    constants.insert_or_assign(
        linear.weight,
        Tensor::of<float>(shape, from_weight_rows<float>(linear.layout, rows_.at(linear.node))));
    if (!linear.bias.valid()) return;
    constants.insert_or_assign(linear.bias, Tensor::of<float>(graph_.constant(linear.bias)->shape(),
                                                              biases_.at(linear.node)));
  }

  std::vector<float> floats(ValueId constant) const {
    const auto it = out_.equalization.constants.find(constant);
    return it != out_.equalization.constants.end() ? it->second.to_floats()
                                                   : graph_.constant(constant)->to_floats();
  }

  // 4. Producer -> Relu or Clip -> unpadded readers with a bias, and nothing else.
  void absorb_high_biases() {
    for (const Linear& producer : classes_.linears()) {
      if (!producer.bias.valid() || !graph_.has_single_use(producer.y)) continue;
      const NodeId reader = graph_.uses(producer.y).front().node;
      const Node& activation = graph_.node(reader);
      const bool clip = std::find(clips_.begin(), clips_.end(), reader) != clips_.end();
      if (!activation.is("Relu") && !clip) continue;
      const ValueId value = activation.output();
      const auto reach = reach_.find(value);
      if (reach == reach_.end() || reach->second.least.empty() || graph_.is_output(value)) continue;
      const std::vector<const Linear*> readers = readers_of(value);
      if (readers.empty() || !has_own_bound(value, clip)) continue;
      absorb(producer, value, reach->second.least, readers, clip);
    }
  }

  // All readers, or none when one of them cannot take a constant.
  std::vector<const Linear*> readers_of(ValueId value) const {
    std::vector<const Linear*> out;
    for (const ir::Use& use : graph_.uses(value)) {
      const auto it = std::find_if(classes_.linears().begin(), classes_.linears().end(),
                                   [&](const Linear& l) { return l.node == use.node; });
      const bool takes = it != classes_.linears().end() && it->x == value && it->bias.valid() &&
                         use.index == 0 && !has_padding(graph_.node(use.node));
      if (!takes) return {};
      out.push_back(&*it);
    }
    return out;
  }

  // A Clip with one bound for all cannot give up a different constant in each channel.
  bool has_own_bound(ValueId value, bool clip) const {
    if (!clip) return true;
    const std::string& name = graph_.value(value).name;
    return std::any_of(out_.bounds.begin(), out_.bounds.end(),
                       [&](const plan::ChannelBound& bound) { return bound.value == name; });
  }

  void absorb(const Linear& producer, ValueId value, const std::vector<float>& least,
              const std::vector<const Linear*>& readers, bool clip) {
    const std::vector<float> factors = factors_of(value);
    if (least.size() != factors.size()) return;
    std::vector<float> taken(least.size(), 0.0F);
    size_t count = 0;
    for (size_t c = 0; c < least.size(); ++c) {
      const auto known = constants_.find(value);
      const bool dead = known != constants_.end() && known->second.contains(c);
      if (dead || !(least[c] > 0.0F) || !std::isfinite(least[c])) continue;
      taken[c] = least[c] * factors[c];
      ++count;
    }
    if (count == 0) return;
    std::vector<float> bias = floats(producer.bias);
    for (size_t c = 0; c < bias.size(); ++c) bias[c] -= taken[c];
    replace(producer.bias, bias);
    if (clip) lower_bounds(value, taken);
    for (const Linear* reader : readers) add_to_bias(*reader, taken);
    out_.absorbed[producer.y] = std::move(taken);
    out_.high_biases += count;
  }

  void lower_bounds(ValueId value, const std::vector<float>& taken) {
    for (plan::ChannelBound& bound : out_.bounds) {
      if (bound.value != graph_.value(value).name || bound.bounds.element_count() == 0) continue;
      std::vector<float> bounds = bound.bounds.to_floats();
      for (size_t c = 0; c < bounds.size(); ++c) bounds[c] -= taken[c];
      bound.bounds = Tensor::of<float>(bound.bounds.shape(), bounds);
    }
  }

  void add_to_bias(const Linear& reader, const std::vector<float>& taken) {
    rows_[reader.node] = weight_rows(reader.layout, floats(reader.weight));
    std::vector<float> bias = floats(reader.bias);
    std::vector<double> sums(bias.size(), 0.0);
    for_slices(reader, [&](size_t r, size_t channel, std::span<float> weights) {
      for (const float w : weights) sums[r] += static_cast<double>(w) * taken[channel];
    });
    for (size_t r = 0; r < bias.size(); ++r) bias[r] += static_cast<float>(sums[r]);
    replace(reader.bias, bias);
  }

  void replace(ValueId constant, const std::vector<float>& values) {
    out_.equalization.constants.insert_or_assign(
        constant, Tensor::of<float>(graph_.constant(constant)->shape(), values));
  }

  const Graph& graph_;
  const ChannelClasses& classes_;
  const std::vector<Layer>& layers_;
  const std::map<ValueId, ChannelReach>& reach_;
  const CrossLayerOptions& options_;
  std::set<NodeId> integer_;
  std::map<NodeId, std::vector<float>> rows_;
  std::map<NodeId, std::vector<float>> biases_;
  std::set<NodeId> changed_;                              // by the dead channels
  std::map<ValueId, std::map<size_t, float>> constants_;  // value, channel: what it always is
  std::vector<bool> movable_;                             // by class
  std::vector<size_t> component_;                         // by class
  std::vector<NodeId> clips_;                             // whose bound may become per channel
  std::vector<double> produced_;                          // by class
  std::vector<double> read_;                              // by class
  std::vector<float> factors_;                            // by class
  size_t moved_ = 0;
  CrossLayer out_;
};

}  // namespace

CrossLayer equalize_across_layers(const Graph& graph, const ChannelClasses& classes,
                                  const std::vector<Layer>& layers,
                                  const std::map<ValueId, ChannelReach>& reach,
                                  const CrossLayerOptions& options) {
  return CrossLayerWalk(graph, classes, layers, reach, options).run();
}

CrossLayerOptions bounds_of(const plan::BackendSpec& spec) {
  const auto& fused = spec.fused_activations;
  const bool takes_min = std::find(fused.begin(), fused.end(), "Min") != fused.end();
  return {takes_min ? CrossLayerOptions::Bounds::kAllowed : CrossLayerOptions::Bounds::kNone};
}

bool has_per_tensor_weights(const plan::BackendSpec& spec) {
  bool any = false;
  for (const plan::OpRule& rule : spec.ops) {
    const plan::Space* space = spec.find_space(rule.weight_space);
    if (space == nullptr) continue;
    if (space->granularity != ir::Granularity::kPerTensor) return false;
    any = true;
  }
  return any;
}

}  // namespace octet::accuracy
