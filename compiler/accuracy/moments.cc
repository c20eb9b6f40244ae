#include "compiler/accuracy/moments.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "compiler/accuracy/columns.h"
#include "compiler/accuracy/moment_functions.h"

namespace octet::accuracy {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

namespace {

constexpr double kTapCorrelation = 0.5;

class Propagation {
 public:
  Propagation(const Graph& graph, const NormFacts& facts,
              const std::map<ValueId, ValueMoments>& inputs)
      : graph_(graph), facts_(facts), known_(inputs) {}

  std::map<ValueId, ValueMoments> run() {
    for (NodeId id : graph_.order()) {
      const Node& node = graph_.node(id);
      if (node.output().valid() && take_fact(node.output())) continue;
      if (node.domain.empty() && node.implicit_inputs.empty()) visit(node);
    }
    return std::move(known_);
  }

 private:
  bool take_fact(ValueId value) {
    const auto fact = facts_.find(graph_.value(value).name);
    if (fact == facts_.end()) return false;
    ValueMoments out;
    for (size_t c = 0; c < fact->second.mean.size(); ++c) {
      out.channels.push_back(normal_channel(fact->second.mean[c], fact->second.deviation[c]));
    }
    known_[value] = std::move(out);
    return true;
  }

  const ValueMoments* of(ValueId value) const {
    const auto it = value.valid() ? known_.find(value) : known_.end();
    return it == known_.end() ? nullptr : &it->second;
  }

  void visit(const Node& node) {
    if (const auto f = unary_function(graph_, node)) return apply(node, *f);
    if (node.is("PRelu")) return leak(node);
    if (node.is("Min") || node.is("Max")) return bound(node);
    if (node.is("Conv") || node.is("Gemm") || node.is("MatMul")) return linear(node);
    if (node.is("Add") || node.is("Sub")) return add(node);
    if (node.is("Mul") || node.is("Div")) return multiply(node);
    if (node.is("Concat")) return concat(node);
    if (node.is("Split")) return split(node);
    if (node.is("MaxPool") || node.is("AveragePool") || node.is("GlobalAveragePool") ||
        node.is("GlobalMaxPool") || node.is("Resize")) {
      return keep(node);
    }
    if (node.is("Flatten") || node.is("Squeeze") || node.is("Unsqueeze") || node.is("Reshape") ||
        node.is("Transpose") || node.is("Slice") || node.is("Gather") || node.is("DepthToSpace") ||
        node.is("SpaceToDepth") || node.is("ReduceMean") || node.is("ReduceMax") ||
        node.is("Expand") || node.is("Tile")) {
      return move(node);
    }
    if (node.is("Pad")) return pad(node);
    if (node.is("Softmax")) return put(node.output(), {{{0.5, 0.25, 0.0, 1.0}}, 1});
  }

  void put(ValueId value, ValueMoments moments) {
    const bool finite =
        std::all_of(moments.channels.begin(), moments.channels.end(), [](const ChannelMoments& c) {
          return std::isfinite(c.mean) && std::isfinite(c.deviation) && std::isfinite(c.low) &&
                 std::isfinite(c.high);
        });
    if (value.valid() && finite && !moments.channels.empty()) known_[value] = std::move(moments);
  }

  void keep(const Node& node) {
    if (const ValueMoments* x = of(node.input(0))) put(node.output(), *x);
  }

  void apply(const Node& node, const ChannelFunction& f) {
    const ValueMoments* x = of(node.input(0));
    if (x == nullptr) return;
    ValueMoments out{{}, x->axis};
    for (size_t c = 0; c < x->channels.size(); ++c) {
      out.channels.push_back(integrate(x->channels[c], c, f));
    }
    put(node.output(), std::move(out));
  }

  // One number, or one per channel of axis 1.
  std::optional<std::vector<double>> per_channel(ValueId id) const {
    const Tensor* tensor = graph_.constant(id);
    if (tensor == nullptr || tensor->element_count() == 0 ||
        !numerics::is_floating_point(tensor->dtype())) {
      return std::nullopt;
    }
    size_t longer = 0;
    for (const int64_t extent : tensor->shape()) longer += extent != 1 ? 1 : 0;
    if (longer > 1) return std::nullopt;
    std::vector<double> out;
    for (const float value : tensor->to_floats()) out.push_back(static_cast<double>(value));
    return out;
  }

  void leak(const Node& node) {
    const auto slopes = per_channel(node.input(1));
    if (!slopes) return;
    apply(node,
          [&](double x, size_t c) { return x < 0.0 ? x * (*slopes)[c % slopes->size()] : x; });
  }

  void bound(const Node& node) {
    if (node.inputs.size() != 2) return;
    const auto bounds = per_channel(node.input(1));
    if (!bounds) return;
    const bool least = node.is("Min");
    apply(node, [&](double x, size_t c) {
      const double other = (*bounds)[c % bounds->size()];
      return least ? std::min(x, other) : std::max(x, other);
    });
  }

  void linear(const Node& node) {
    const ValueMoments* x = of(node.input(0));
    const Tensor* weight = graph_.constant(node.input(1));
    if (x == nullptr || weight == nullptr || weight->dtype() != ir::DType::kFloat32) return;
    const auto layout = weight_layout(node, *weight);
    if (!layout) return;
    const std::vector<float> rows = weight_rows(*layout, weight->data<float>());
    const auto columns = static_cast<size_t>(layout->columns);
    size_t taps = 1;
    if (node.is("Conv")) {
      taps =
          static_cast<size_t>(weight->element_count() / (weight->shape()[0] * weight->shape()[1]));
    }
    const size_t per_group = columns / taps;
    const Tensor* bias = node.is("MatMul") ? nullptr : graph_.constant(node.input(2));
    ValueMoments out;
    if (node.is("MatMul")) {
      const ir::Shape& shape = graph_.value(node.output()).type.shape;
      out.axis = shape.has_rank() && shape.rank() > 0 ? shape.rank() - 1 : 1;
    }
    for (size_t r = 0; r < static_cast<size_t>(layout->channels()); ++r) {
      const size_t first = r / static_cast<size_t>(layout->rows) * per_group;
      double mean = 0.0;
      double variance = 0.0;
      for (size_t i = 0; i < per_group; ++i) {
        double sum = 0.0;
        double squares = 0.0;
        for (size_t t = 0; t < taps; ++t) {
          const auto w = static_cast<double>(rows[r * columns + i * taps + t]);
          sum += w;
          squares += w * w;
        }
        const size_t count = x->channels.size();
        const ChannelMoments& channel = x->channels[count == 1 ? 0 : (first + i) % count];
        mean += sum * channel.mean;
        variance += channel.deviation * channel.deviation *
                    (kTapCorrelation * sum * sum + (1.0 - kTapCorrelation) * squares);
      }
      if (bias != nullptr && bias->element_count() > 0) {
        mean += bias->at_as_double(static_cast<int64_t>(r) % bias->element_count());
      }
      out.channels.push_back(normal_channel(mean, std::sqrt(variance)));
    }
    put(node.output(), std::move(out));
  }

  // Moments of both operands, channel by channel.
  struct Pair {
    std::vector<ChannelMoments> a;
    std::vector<ChannelMoments> b;
    size_t axis = 1;
  };
  std::optional<Pair> operands(const Node& node) const {
    if (node.inputs.size() != 2) return std::nullopt;
    const auto one = [&](ValueId id) -> std::optional<ValueMoments> {
      if (const ValueMoments* moments = of(id)) return *moments;
      if (const auto numbers = per_channel(id)) {
        ValueMoments out;
        for (const double x : *numbers) out.channels.push_back({x, 0.0, x, x});
        return out;
      }
      return std::nullopt;
    };
    const auto a = one(node.input(0));
    const auto b = one(node.input(1));
    if (!a || !b) return std::nullopt;
    Pair out{a->channels, b->channels, a->channels.size() > 1 ? a->axis : b->axis};
    const size_t count = std::max(out.a.size(), out.b.size());
    const bool fits =
        (out.a.size() == count || out.a.size() == 1) &&
        (out.b.size() == count || out.b.size() == 1) &&
        (out.a.size() == 1 || out.b.size() == 1 || a->axis == b->axis ||
         graph_.constant(node.input(0)) != nullptr || graph_.constant(node.input(1)) != nullptr);
    if (!fits) {
      out.a = {pooled(out.a)};
      out.b = {pooled(out.b)};
      return out;
    }
    out.a.resize(count, out.a.front());
    out.b.resize(count, out.b.front());
    return out;
  }

  void add(const Node& node) {
    const auto pair = operands(node);
    if (!pair) return;
    const double sign = node.is("Sub") ? -1.0 : 1.0;
    ValueMoments out{{}, pair->axis};
    for (size_t c = 0; c < pair->a.size(); ++c) {
      const ChannelMoments& a = pair->a[c];
      const ChannelMoments& b = pair->b[c];
      ChannelMoments sum =
          normal_channel(a.mean + sign * b.mean, std::hypot(a.deviation, b.deviation));
      const double low = a.low + std::min(sign * b.low, sign * b.high);
      const double high = a.high + std::max(sign * b.low, sign * b.high);
      // Not beyond what both can reach together.
      sum.low = std::clamp(sum.low, low, high);
      sum.high = std::clamp(sum.high, low, high);
      out.channels.push_back(sum);
    }
    put(node.output(), std::move(out));
  }

  void multiply(const Node& node) {
    auto pair = operands(node);
    if (!pair) return;
    ValueMoments out{{}, pair->axis};
    for (size_t c = 0; c < pair->a.size(); ++c) {
      const ChannelMoments& a = pair->a[c];
      ChannelMoments b = pair->b[c];
      if (node.is("Div")) {
        // Only by a constant: a divisor that varies may come near zero.
        if (b.deviation != 0.0 || b.mean == 0.0) return;
        b = {1.0 / b.mean, 0.0, 1.0 / b.mean, 1.0 / b.mean};
      }
      ChannelMoments product;
      product.mean = a.mean * b.mean;
      product.deviation =
          std::sqrt(a.deviation * a.deviation * (b.deviation * b.deviation + b.mean * b.mean) +
                    a.mean * a.mean * b.deviation * b.deviation);
      const auto corners = {a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high};
      product.low = std::min(corners);
      product.high = std::max(corners);
      out.channels.push_back(product);
    }
    put(node.output(), std::move(out));
  }

  void concat(const Node& node) {
    ValueMoments out;
    bool whole = ir::int_attribute(node, "axis", 0) != 1;
    for (ValueId input : node.inputs) {
      const ValueMoments* x = of(input);
      if (x == nullptr) return;
      const ir::Shape& shape = graph_.value(input).type.shape;
      const bool known = shape.has_rank() && shape.rank() > 1 && shape[1].is_static() &&
                         shape[1].extent() == static_cast<int64_t>(x->channels.size());
      whole = whole || !known || x->axis != 1;
      out.channels.insert(out.channels.end(), x->channels.begin(), x->channels.end());
    }
    if (out.channels.empty()) return;
    if (whole) out = {{pooled(out.channels)}, 1};
    put(node.output(), std::move(out));
  }

  void split(const Node& node) {
    const ValueMoments* x = of(node.input(0));
    if (x == nullptr) return;
    const ValueMoments all = *x;
    size_t at = 0;
    for (ValueId output : node.outputs) {
      if (!output.valid()) return;
      const ir::Shape& shape = graph_.value(output).type.shape;
      const bool known = ir::int_attribute(node, "axis", 0) == 1 && shape.has_rank() &&
                         shape.rank() > 1 && shape[1].is_static() && all.axis == 1;
      const size_t count = known ? static_cast<size_t>(shape[1].extent()) : 0;
      if (count == 0 || at + count > all.channels.size()) {
        put(output, {{pooled(all.channels)}, 1});
        continue;
      }
      const auto from = all.channels.begin() + static_cast<ptrdiff_t>(at);
      put(output, {{from, from + static_cast<ptrdiff_t>(count)}, 1});
      at += count;
    }
  }

  // Elements move: channels stay channels where the result has as many on the same axis.
  void move(const Node& node) {
    const ValueMoments* x = of(node.input(0));
    if (x == nullptr) return;
    const ir::Shape& from = graph_.value(node.input(0)).type.shape;
    const ir::Shape& to = graph_.value(node.output()).type.shape;
    const auto extent = [&](const ir::Shape& shape) -> int64_t {
      const bool has = shape.has_rank() && x->axis < shape.rank() && shape[x->axis].is_static();
      return has ? shape[x->axis].extent() : -1;
    };
    const auto count = static_cast<int64_t>(x->channels.size());
    const bool kept = count > 1 && extent(from) == count && extent(to) == count &&
                      !node.is("Transpose") && !node.is("Gather") && !shuffles(node, from, to);
    put(node.output(), kept ? *x : ValueMoments{{pooled(x->channels)}, 1});
  }

  // A reshape keeps channels where everything in front of them stays.
  static bool shuffles(const Node& node, const ir::Shape& from, const ir::Shape& to) {
    if (!node.is("Reshape") && !node.is("Flatten") && !node.is("Squeeze") &&
        !node.is("Unsqueeze")) {
      return false;
    }
    return !from.has_rank() || !to.has_rank() || from.rank() == 0 || to.rank() == 0 ||
           !(from[0] == to[0]);
  }

  void pad(const Node& node) {
    const ValueMoments* x = of(node.input(0));
    if (x == nullptr) return;
    ValueMoments out = *x;
    for (ChannelMoments& c : out.channels) {
      c.low = std::min(c.low, 0.0);
      c.high = std::max(c.high, 0.0);
    }
    const ir::Shape& shape = graph_.value(node.output()).type.shape;
    const bool kept = shape.has_rank() && x->axis < shape.rank() && shape[x->axis].is_static() &&
                      shape[x->axis].extent() == static_cast<int64_t>(out.channels.size());
    put(node.output(), kept ? out : ValueMoments{{pooled(out.channels)}, 1});
  }

  const Graph& graph_;
  const NormFacts& facts_;
  std::map<ValueId, ValueMoments> known_;
};

}  // namespace

ChannelMoments normal_channel(double mean, double deviation) {
  return {mean, deviation, mean - kReach * deviation, mean + kReach * deviation};
}

std::map<ValueId, ValueMoments> propagate_moments(const Graph& graph, const NormFacts& facts,
                                                  const std::map<ValueId, ValueMoments>& inputs) {
  return Propagation(graph, facts, inputs).run();
}

}  // namespace octet::accuracy
