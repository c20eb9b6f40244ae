#include "compiler/accuracy/equalize.h"

#include <algorithm>
#include <cmath>
namespace octet::accuracy {

using ir::Graph;
using ir::Node;
using ir::Tensor;
using ir::ValueId;

namespace {

constexpr float kGreatestFactor = 256.0F;
// A Mul costs time: only for data whose greatest channel is that many times its median one.
constexpr float kWorthAMul = 3.0F;

bool is_depthwise(const WeightLayout& layout, int64_t inputs) {
  return layout.groups > 1 && layout.groups == inputs;
}

int64_t input_channels(const Graph& graph, const Node& node, const WeightLayout& layout,
                       ValueId weight) {
  if (!node.is("Conv")) return layout.columns;
  return layout.groups * graph.constant(weight)->shape()[1];
}

// For each input channel, the greatest share that its slice has in the magnitude of a row.
std::vector<float> slice_shares(const WeightLayout& layout, int64_t inputs,
                                std::span<const float> weight) {
  const std::vector<float> rows = weight_rows(layout, weight);
  const auto columns = static_cast<size_t>(layout.columns);
  const auto per_group = static_cast<size_t>(inputs / layout.groups);
  const size_t taps = columns / per_group;
  std::vector<float> out(static_cast<size_t>(inputs), 0.0F);
  for (size_t r = 0; r < static_cast<size_t>(layout.channels()); ++r) {
    const float* row = rows.data() + r * columns;
    float greatest = 0.0F;
    for (size_t k = 0; k < columns; ++k) greatest = std::max(greatest, std::abs(row[k]));
    if (!(greatest > 0.0F) || !std::isfinite(greatest)) continue;
    const size_t first = r / static_cast<size_t>(layout.rows) * per_group;
    for (size_t k = 0; k < columns; ++k) {
      float& share = out[first + k / taps];
      share = std::max(share, std::abs(row[k]) / greatest);
    }
  }
  return out;
}

// What is known of one class of channels.
struct ClassFacts {
  double x = 0.0;  // greatest magnitude
  double w = 0.0;  // greatest share in a reader's row
  bool read = false;
  bool dense = false;
  bool matmul = false;
  size_t component = 0;
};

class Equalizer {
 public:
  Equalizer(const Graph& graph, const ChannelClasses& classes, const std::vector<Layer>& layers,
            const ChannelRanges& ranges, const EqualizeOptions& options)
      : graph_(graph), classes_(classes), layers_(layers), ranges_(ranges), options_(options) {}

  Equalization run() {
    for (const Layer& layer : layers_) integer_.insert(layer.node);
    gather();
    choose();
    rewrite();
    scale_in_front();
    out_.factors = factors_;
    return std::move(out_);
  }

  Equalization write(std::vector<float> factors, std::map<ValueId, Tensor> constants) {
    for (const Layer& layer : layers_) integer_.insert(layer.node);
    factors_ = std::move(factors);
    out_.constants = std::move(constants);
    rewrite();
    return std::move(out_);
  }

 private:
  // Visits the channels a linear operator reads: f(input channel, class).
  template <typename Visit>
  void for_inputs(const ChannelClasses::Linear& linear, Visit&& visit) const {
    if (!linear.x.valid()) return;
    const ChannelClasses::Channels& channels = classes_.of(linear.x);
    for (int64_t i = 0; i < channels.count; ++i) {
      visit(static_cast<size_t>(i), classes_.class_of(channels.first + i));
    }
  }

  void gather() {
    facts_.resize(classes_.class_count());
    for (const ChannelClasses::Linear& linear : classes_.linears()) {
      if (!linear.x.valid()) continue;
      const Node& node = graph_.node(linear.node);
      const int64_t inputs = classes_.of(linear.x).count;
      const std::vector<float> shares =
          slice_shares(linear.layout, inputs, graph_.constant(linear.weight)->data<float>());
      const bool integer = integer_.contains(linear.node);
      for_inputs(linear, [&](size_t i, size_t channel_class) {
        ClassFacts& facts = facts_[channel_class];
        facts.component = classes_.component_of(linear.x);
        facts.w = std::max(facts.w, static_cast<double>(shares[i]));
        facts.dense = facts.dense || !is_depthwise(linear.layout, inputs);
        facts.matmul = facts.matmul || node.is("MatMul");
        facts.read = facts.read || integer;
      });
    }
    for (ValueId value : ranges_.values()) {
      const ChannelClasses::Channels& channels = classes_.of(value);
      const std::vector<float>& magnitudes = ranges_.of(value);
      if (channels.count != static_cast<int64_t>(magnitudes.size())) continue;
      double& greatest = greatest_[classes_.component_of(value)];
      for (size_t i = 0; i < magnitudes.size(); ++i) {
        ClassFacts& facts = facts_[classes_.class_of(channels.first + static_cast<int64_t>(i))];
        facts.x = std::max(facts.x, static_cast<double>(magnitudes[i]));
        greatest = std::max(greatest, static_cast<double>(magnitudes[i]));
      }
    }
  }

  bool can_scale(size_t channel_class) const {
    const ClassFacts& facts = facts_[channel_class];
    return facts.read && !classes_.fixed(channel_class) && facts.x > 0.0 && facts.w > 0.0 &&
           !(facts.dense && classes_.clipped(channel_class));
  }

  // The magnitude the channel is to have, up to a factor common to its component.
  double wanted(const ClassFacts& facts) const {
    const double alpha = facts.matmul ? options_.matmul_alpha : options_.dense_alpha;
    return std::pow(facts.x, 1.0 - alpha) * std::pow(facts.w, 1.0 - alpha);
  }

  void choose() {
    std::map<size_t, double> greatest_wanted;  // by component
    for (size_t c = 0; c < facts_.size(); ++c) {
      if (!can_scale(c) || !facts_[c].dense) continue;
      double& greatest = greatest_wanted[facts_[c].component];
      greatest = std::max(greatest, wanted(facts_[c]));
    }
    factors_.assign(facts_.size(), 1.0F);
    for (size_t c = 0; c < facts_.size(); ++c) {
      if (!can_scale(c)) continue;
      const ClassFacts& facts = facts_[c];
      const double all = greatest_[facts.component];
      double factor = all / facts.x;
      if (facts.dense) factor *= wanted(facts) / greatest_wanted[facts.component];
      if (!facts.matmul && factor > 1.0) factor = std::max(1.0, factor / options_.headroom);
      factors_[c] = std::clamp(static_cast<float>(factor), 1.0F / kGreatestFactor, kGreatestFactor);
      if (factors_[c] != 1.0F) ++out_.channels;
    }
  }

  std::vector<float> factors_of(ValueId value) const {
    const ChannelClasses::Channels& channels = classes_.of(value);
    std::vector<float> out;
    for (int64_t i = 0; i < channels.count; ++i) {
      out.push_back(factors_[classes_.class_of(channels.first + i)]);
    }
    return out;
  }

  static bool all_one(const std::vector<float>& factors) {
    return std::all_of(factors.begin(), factors.end(), [](float f) { return f == 1.0F; });
  }

  std::vector<float> current(ValueId constant) const {
    const auto it = out_.constants.find(constant);
    return it != out_.constants.end() ? it->second.to_floats()
                                      : graph_.constant(constant)->to_floats();
  }
  void put(ValueId constant, const std::vector<float>& values) {
    out_.constants.insert_or_assign(constant,
                                    Tensor::of<float>(graph_.constant(constant)->shape(), values));
  }
  // The last index of the constant runs over channels, or it is shaped [C, 1, 1]: either way the
  // elements are the channels in order.
  void follow(ValueId constant, const std::vector<float>& factors) {
    std::vector<float> values = current(constant);
    for (size_t c = 0; c < values.size(); ++c) values[c] *= factors[c % factors.size()];
    put(constant, values);
  }

  void rewrite() {
    for (const ChannelClasses::Linear& linear : classes_.linears()) {
      const std::vector<float> produced = factors_of(linear.y);
      std::vector<float> read;
      if (linear.x.valid()) read = factors_of(linear.x);
      if (!all_one(read) && integer_.contains(linear.node)) ++out_.tensors;
      if (all_one(produced) && all_one(read)) continue;
      put(linear.weight, scaled_weight(linear, produced, read));
      if (linear.bias.valid() && !all_one(produced)) follow(linear.bias, produced);
      if (!all_one(produced)) out_.value_factors[linear.y] = produced;
    }
    for (const ChannelClasses::Follower& follower : classes_.followers()) {
      const std::vector<float> factors = factors_of(follower.value);
      if (!all_one(factors)) follow(follower.constant, factors);
    }
  }

  // Rows times what their channel takes, slices by what was put into what they read.
  std::vector<float> scaled_weight(const ChannelClasses::Linear& linear,
                                   const std::vector<float>& produced,
                                   const std::vector<float>& read) const {
    const WeightLayout& layout = linear.layout;
    std::vector<float> rows = weight_rows(layout, current(linear.weight));
    const auto columns = static_cast<size_t>(layout.columns);
    const auto inputs = static_cast<size_t>(
        input_channels(graph_, graph_.node(linear.node), layout, linear.weight));
    const size_t per_group = inputs / static_cast<size_t>(layout.groups);
    const size_t taps = columns / per_group;
    for (size_t r = 0; r < produced.size(); ++r) {
      const size_t first = r / static_cast<size_t>(layout.rows) * per_group;
      for (size_t k = 0; k < columns; ++k) {
        float& w = rows[r * columns + k];
        w *= produced[r];
        if (!read.empty()) w /= read[first + k / taps];
      }
    }
    return from_weight_rows<float>(layout, rows);
  }

  void scale_in_front() {
    std::map<ValueId, std::vector<const Layer*>> readers;  // MatMuls by their data
    for (const Layer& layer : layers_) {
      if (graph_.node(layer.node).is("MatMul")) readers[layer.x].push_back(&layer);
    }
    for (const auto& [x, layers] : readers) {
      const std::vector<float>& magnitudes = ranges_.of(x);
      if (magnitudes.empty() || tied_to_factors(x)) continue;
      const std::vector<float> factors = smoothing(magnitudes, layers);
      if (factors.empty()) continue;
      plan::Scaling scaling;
      scaling.value = graph_.value(x).name;
      scaling.result = graph_.unique_value_name(scaling.value + "_smoothed");
      scaling.factors = Tensor::of<float>({static_cast<int64_t>(factors.size())}, factors);
      for (const Layer* layer : layers) {
        scaling.operands.push_back({graph_.value(graph_.node(layer->node).output()).name, 0});
        std::vector<float> rows = weight_rows(layer->layout, current(layer->weight));
        for (size_t i = 0; i < rows.size(); ++i) rows[i] /= factors[i % factors.size()];
        put(layer->weight, from_weight_rows<float>(layer->layout, rows));
      }
      out_.scalings.push_back(std::move(scaling));
      out_.channels += factors.size();
      ++out_.tensors;
    }
  }

  // True when equalization has done what it could for the value already.
  bool tied_to_factors(ValueId x) const {
    const ChannelClasses::Channels& channels = classes_.of(x);
    if (channels.first < 0) return false;
    return !all_one(factors_of(x));
  }

  std::vector<float> smoothing(const std::vector<float>& magnitudes,
                               const std::vector<const Layer*>& layers) const {
    std::vector<float> shares(magnitudes.size(), 0.0F);
    for (const Layer* layer : layers) {
      if (layer->layout.columns != static_cast<int64_t>(magnitudes.size())) return {};
      const std::vector<float> own =
          slice_shares(layer->layout, layer->layout.columns, current(layer->weight));
      for (size_t c = 0; c < own.size(); ++c) shares[c] = std::max(shares[c], own[c]);
    }
    std::vector<float> sorted = magnitudes;
    std::sort(sorted.begin(), sorted.end());
    const float all = sorted.back();
    if (!(all > kWorthAMul * sorted[sorted.size() / 2])) return {};
    std::vector<double> want(magnitudes.size(), 0.0);
    double greatest = 0.0;
    for (size_t c = 0; c < magnitudes.size(); ++c) {
      if (!(magnitudes[c] > 0.0F) || !(shares[c] > 0.0F)) continue;
      want[c] = wanted({magnitudes[c], shares[c], true, true, true, 0});
      greatest = std::max(greatest, want[c]);
    }
    if (greatest <= 0.0) return {};
    std::vector<float> out(magnitudes.size(), 1.0F);
    for (size_t c = 0; c < magnitudes.size(); ++c) {
      if (want[c] <= 0.0) continue;
      const double factor = want[c] / greatest * static_cast<double>(all / magnitudes[c]);
      out[c] = std::clamp(static_cast<float>(factor), 1.0F / kGreatestFactor, kGreatestFactor);
    }
    return out;
  }

  const Graph& graph_;
  const ChannelClasses& classes_;
  const std::vector<Layer>& layers_;
  const ChannelRanges& ranges_;
  const EqualizeOptions& options_;
  std::set<ir::NodeId> integer_;
  std::vector<ClassFacts> facts_;      // by class
  std::map<size_t, double> greatest_;  // magnitude, by component
  std::vector<float> factors_;         // by class
  Equalization out_;
};

}  // namespace

std::vector<ChannelRanges::Axis> values_to_range(const Graph& graph, const ChannelClasses& classes,
                                                 const std::vector<Layer>& layers,
                                                 const std::set<ValueId>& quantized) {
  std::vector<ChannelRanges::Axis> out;
  for (ValueId value : quantized) {
    const ChannelClasses::Channels& channels = classes.of(value);
    if (channels.first >= 0) out.push_back({value, channels.axis});
  }
  for (const Layer& layer : layers) {
    const ChannelClasses::Channels& channels = classes.of(layer.x);
    const ir::Shape& shape = graph.value(layer.x).type.shape;
    if (channels.first >= 0) {
      out.push_back({layer.x, channels.axis});
    } else if (graph.node(layer.node).is("MatMul") && shape.has_rank() && shape.rank() >= 2) {
      out.push_back({layer.x, shape.rank() - 1});
    }
  }
  return out;
}

Equalization equalize(const Graph& graph, const ChannelClasses& classes,
                      const std::vector<Layer>& layers, const ChannelRanges& ranges,
                      const EqualizeOptions& options) {
  return Equalizer(graph, classes, layers, ranges, options).run();
}

Equalization apply_factors(const Graph& graph, const ChannelClasses& classes,
                           const std::vector<Layer>& layers, std::vector<float> factors,
                           std::map<ValueId, Tensor> constants) {
  const ChannelRanges none({});
  return Equalizer(graph, classes, layers, none, {})
      .write(std::move(factors), std::move(constants));
}

}  // namespace octet::accuracy
