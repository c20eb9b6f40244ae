#include "compiler/accuracy/cross_layer.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "compiler/accuracy/dead_channels.h"

namespace octet::accuracy {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

namespace {

constexpr double kGreatestFactor = 256.0;
constexpr int kSweeps = 60;
// All classes move at once; a whole step would let neighbours swing about each other.
constexpr double kStep = 0.4;
constexpr double kStill = 1e-3;  // relative change of a factor that is none

class CrossLayerWalk {
 public:
  using Linear = ChannelClasses::Linear;

  CrossLayerWalk(const Graph& graph, const ChannelClasses& classes,
                 const std::vector<Layer>& layers, const std::map<ValueId, ChannelReach>& reach,
                 const CrossLayerOptions& options)
      : graph_(graph),
        classes_(classes),
        layers_(layers),
        reach_(reach),
        options_(options),
        numbers_(graph, classes) {
    for (const Layer& layer : layers_) integer_.insert(layer.node);
  }

  CrossLayer run() {
    dead_ = absorb_dead_channels(graph_, classes_, numbers_);
    out_.dead = dead_.count;
    find_movable();
    choose();
    write();
    absorb_high_biases();
    return std::move(out_);
  }

 private:
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
    for (const auto& [value, known] : dead_.constants) {
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
          const auto row = std::span(numbers_.rows(linear.node))
                               .subspan(static_cast<size_t>(r) * columns, columns);
          note_produced(classes_.class_of(y.first + r), greatest_magnitude(row));
        }
        continue;
      }
      const ChannelClasses::Channels& x = classes_.of(linear.x);
      numbers_.for_slices(linear, [&](size_t r, size_t channel, std::span<float> weights) {
        const size_t out = classes_.class_of(y.first + static_cast<int64_t>(r));
        const size_t in = classes_.class_of(x.first + static_cast<int64_t>(channel));
        const double w = static_cast<double>(greatest_magnitude(weights)) / factors_[in];
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
      if (!dead_.changed.contains(linear.node)) continue;
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
      out_.bounds.push_back({graph_.value(clip.output()).name, Tensor::of<float>({count}, bounds)});
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

  void put(const Linear& linear, std::map<ValueId, Tensor>& constants) {
    const auto& shape = graph_.constant(linear.weight)->shape();
    constants.insert_or_assign(
        linear.weight, Tensor::of<float>(shape, from_weight_rows<float>(
                                                    linear.layout, numbers_.rows(linear.node))));
    if (!linear.bias.valid()) return;
    constants.insert_or_assign(linear.bias, Tensor::of<float>(graph_.constant(linear.bias)->shape(),
                                                              numbers_.bias(linear.node)));
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
      const auto known = dead_.constants.find(value);
      const bool dead = known != dead_.constants.end() && known->second.contains(c);
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
    numbers_.rows(reader.node) = weight_rows(reader.layout, floats(reader.weight));
    std::vector<float> bias = floats(reader.bias);
    std::vector<double> sums(bias.size(), 0.0);
    numbers_.for_slices(reader, [&](size_t r, size_t channel, std::span<float> weights) {
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
  LinearNumbers numbers_;
  DeadChannels dead_;
  std::set<NodeId> integer_;
  std::vector<bool> movable_;      // by class
  std::vector<size_t> component_;  // by class
  std::vector<NodeId> clips_;      // whose bound may become per channel
  std::vector<double> produced_;   // by class
  std::vector<double> read_;       // by class
  std::vector<float> factors_;     // by class
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
