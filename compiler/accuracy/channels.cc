#include "compiler/accuracy/channels.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>

#include "compiler/accuracy/disjoint_sets.h"
#include "compiler/accuracy/layers.h"

namespace octet::accuracy {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

class ChannelWalk {
 public:
  ChannelWalk(const Graph& graph, ChannelClasses& out) : graph_(graph), out_(out) {
    out_.of_value_.resize(graph.value_count());
    values_.grow(graph.value_count());
  }

  void run() {
    for (NodeId id : graph_.order()) {
      if (done_.contains(id)) continue;
      // What a model claims must not run away with the memory.
      const bool room = channels_.size() < kMostChannels;
      if (!room || !visit(id)) fix_all(graph_.node(id));
    }
    for (ValueId id : graph_.outputs()) fix(id);
    collect();
  }

 private:
  using Channels = ChannelClasses::Channels;
  static constexpr size_t kMostChannels = size_t{1} << 24;

  Channels channels_of(ValueId value) const {
    return value.valid() ? out_.of_value_[value.index()] : Channels();
  }

  // False where the operator ties its operands to something unknown.
  bool visit(NodeId id) {
    const Node& node = graph_.node(id);
    if (!node.domain.empty() || !node.implicit_inputs.empty()) return false;
    if (node.op_type == "Conv" || node.op_type == "Gemm" || node.op_type == "MatMul") {
      return linear(id);
    }
    if (node.op_type == "LayerNormalization") return layer_norm(node);
    if (is_homogeneous(node)) return share(node.input(0), node.output());
    if (node.op_type == "Clip") return clip(node);
    if (is_pool(node)) {
      return axis_of(node.input(0)) == 1 && share(node.input(0), node.output());
    }
    if (node.op_type == "Add") return add_constant(node);
    if (node.op_type == "Mul" || node.op_type == "Div") return scale_by_constant(node);
    if (node.op_type == "Concat") return concat(node);
    if (node.op_type == "Split") return split(node);
    if (node.op_type == "Flatten" || node.op_type == "Squeeze") return drop_ones(node);
    if (node.op_type == "Reshape") return shuffle(id) || drop_ones(node);
    return false;
  }

  bool is_homogeneous(const Node& node) const {
    if (node.op_type == "PRelu") {
      const Tensor* slope = graph_.constant(node.input(1));
      return slope != nullptr && keeps_channels(*slope, node.input(0));
    }
    if (node.op_type == "Dropout") return !node.output(1).valid() && !node.input(2).valid();
    return node.op_type == "Relu" || node.op_type == "LeakyRelu" || node.op_type == "Identity";
  }

  // One channel times many numbers may be many channels.
  bool keeps_channels(const Tensor& tensor, ValueId value) const {
    return tensor.element_count() == 1 || channels_of(value).count > 1;
  }

  static bool is_pool(const Node& node) {
    if (node.op_type == "Resize") {
      return ir::string_attribute(node, "coordinate_transformation_mode", "half_pixel") !=
             "tf_crop_and_resize";
    }
    if (node.op_type == "MaxPool") return !node.output(1).valid();
    return node.op_type == "AveragePool" || node.op_type == "GlobalAveragePool" ||
           node.op_type == "GlobalMaxPool";
  }

  bool linear(NodeId id) {
    const Node& node = graph_.node(id);
    const ValueId weight = node.input(1);
    if (!is_own_constant(graph_, weight) || graph_.uses(weight).front().index != 1) return false;
    const auto layout = weight_layout(node, *graph_.constant(weight));
    const ValueId y = node.output();
    if (!node.input(0).valid()) return false;
    const auto rank = rank_of(y);
    if (!layout || !rank || *rank < 2) return false;
    ValueId bias = node.input(2);
    if (bias.valid() && !node.is("MatMul")) {
      bias = own_bias(graph_, id, layout->channels());
      if (!bias.valid()) return false;
    }
    const ValueId x = node.input(0);
    const int64_t inputs = layout->columns * layout->groups / taps(node, weight);
    const size_t axis = node.is("MatMul") ? *rank - 1 : 1;
    bool readable =
        channels_of(x).first >= 0 && channels_of(x).count == inputs && axis_of(x) == axis;
    if (!readable) fix(x);
    out_.linears_.push_back({id, readable ? x : ValueId(), y, weight, bias, *layout});
    assign(y, layout->channels(), axis);
    return true;
  }

  int64_t taps(const Node& node, ValueId weight) const {
    const Tensor& w = *graph_.constant(weight);
    return node.is("Conv") ? w.element_count() / (w.shape()[0] * w.shape()[1]) : 1;
  }

  bool layer_norm(const Node& node) {
    const auto rank = rank_of(node.input(0));
    const int64_t axis = ir::int_attribute(node, "axis", -1);
    if (!rank || *rank < 2 || (axis != -1 && axis != static_cast<int64_t>(*rank) - 1)) return false;
    const ValueId scale = node.input(1);
    const ValueId bias = node.input(2);
    if (!is_own_constant(graph_, scale) || graph_.constant(scale)->rank() != 1) return false;
    const int64_t count = graph_.constant(scale)->element_count();
    if (bias.valid() &&
        (!is_own_constant(graph_, bias) || graph_.constant(bias)->element_count() != count)) {
      return false;
    }
    if (node.output(1).valid() || node.output(2).valid()) return false;
    fix(node.input(0));
    assign(node.output(), count, *rank - 1);
    out_.followers_.push_back({scale, node.output()});
    if (bias.valid()) out_.followers_.push_back({bias, node.output()});
    return true;
  }

  bool clip(const Node& node) {
    const Tensor* low = graph_.constant(node.input(1));
    if (low == nullptr || low->element_count() != 1 || low->at_as_double(0) != 0.0) return false;
    if (!share(node.input(0), node.output())) return false;
    if (node.input(2).valid()) clipped_.push_back(node.output());
    return true;
  }

  // The operand that is a constant, and the other one.
  struct Operands {
    ValueId constant;
    ValueId data;
    size_t constant_index = 0;
  };
  std::optional<Operands> constant_operand(const Node& node) const {
    for (const size_t i : {size_t{1}, size_t{0}}) {
      if (graph_.constant(node.input(i)) == nullptr) continue;
      return Operands{node.input(i), node.input(1 - i), i};
    }
    return std::nullopt;
  }

  // True when a constant of this shape has an element per channel of `value`.
  bool per_channel(const Tensor& tensor, ValueId value) const {
    const Channels channels = channels_of(value);
    const auto rank = rank_of(value);
    if (channels.first < 0 || !rank || tensor.element_count() != channels.count) return false;
    if (tensor.rank() > *rank) return false;
    const size_t skipped = *rank - tensor.rank();
    return channels.axis >= skipped && tensor.shape()[channels.axis - skipped] == channels.count;
  }

  bool add_constant(const Node& node) {
    const auto operands = constant_operand(node);
    if (!operands || !operands->data.valid() || !is_own_constant(graph_, operands->constant))
      return false;
    if (!per_channel(*graph_.constant(operands->constant), operands->data)) return false;
    if (!share(operands->data, node.output())) return false;
    out_.followers_.push_back({operands->constant, node.output()});
    return true;
  }

  bool scale_by_constant(const Node& node) {
    const auto operands = constant_operand(node);
    if (!operands || !operands->data.valid() || (node.is("Div") && operands->constant_index != 1))
      return false;
    const Tensor& tensor = *graph_.constant(operands->constant);
    const auto rank = rank_of(operands->data);
    if (!rank || tensor.rank() > *rank || !keeps_channels(tensor, operands->data)) return false;
    return share(operands->data, node.output());
  }

  bool concat(const Node& node) {
    const auto rank = rank_of(node.output());
    if (!rank) return false;
    int64_t axis = ir::int_attribute(node, "axis", 0);
    if (axis < 0) axis += static_cast<int64_t>(*rank);
    int64_t total = 0;
    for (ValueId input : node.inputs) {
      const auto count = extent(input, axis);
      if (!count || rank_of(input) != rank) return false;
      total += *count;
    }
    if (axis != 1 || total > static_cast<int64_t>(kMostChannels)) return false;
    assign(node.output(), total, 1);
    int64_t at = channels_of(node.output()).first;
    for (ValueId input : node.inputs) {
      const int64_t count = *extent(input, axis);
      const Channels channels = channels_of(input);
      if (channels.first >= 0 && channels.axis == 1 && channels.count == count) {
        unite(channels.first, at, count);
        unite_values(input, node.output());
      } else {
        fix(input);
        for (int64_t i = 0; i < count; ++i) fixed_.push_back(at + i);
      }
      at += count;
    }
    return true;
  }

  bool split(const Node& node) {
    const Channels channels = channels_of(node.input(0));
    const int64_t axis = ir::int_attribute(node, "axis", 0);
    if (channels.first < 0 || channels.axis != 1 || axis != 1) return false;
    int64_t total = 0;
    for (ValueId output : node.outputs) {
      const auto count = output.valid() ? extent(output, 1) : std::nullopt;
      if (!count) return false;
      total += *count;
    }
    if (total != channels.count) return false;
    int64_t at = channels.first;
    for (ValueId output : node.outputs) {
      const int64_t count = *extent(output, 1);
      assign(output, count, 1);
      unite(at, channels_of(output).first, count);
      unite_values(node.input(0), output);
      at += count;
    }
    return true;
  }

  // [N, C, 1, 1] to [N, C].
  bool drop_ones(const Node& node) {
    const Channels channels = channels_of(node.input(0));
    const auto rank = rank_of(node.input(0));
    if (channels.first < 0 || channels.axis != 1 || !rank || *rank < 3) return false;
    if (rank_of(node.output()) != size_t{2} || extent(node.output(), 1) != channels.count) {
      return false;
    }
    for (size_t a = 2; a < *rank; ++a) {
      if (extent(node.input(0), static_cast<int64_t>(a)) != 1) return false;
    }
    return share(node.input(0), node.output());
  }

  NodeId only_reader(ValueId value) const {
    if (!graph_.has_single_use(value) || graph_.uses(value).front().implicit) return {};
    return graph_.uses(value).front().node;
  }

  // A channel shuffle: [N, C, ...] as [N, g, C / g, ...], axes 1 and 2 exchanged, and back.
  bool shuffle(NodeId id) {
    const Node& first = graph_.node(id);
    const Channels channels = channels_of(first.input(0));
    const auto rank = rank_of(first.input(0));
    if (channels.first < 0 || channels.axis != 1 || !rank) return false;
    if (rank_of(first.output()) != *rank + 1) return false;
    const auto groups = extent(first.output(), 1);
    const auto members = extent(first.output(), 2);
    const NodeId second = only_reader(first.output());
    if (!groups || !members || *groups * *members != channels.count || !second.valid()) {
      return false;
    }
    std::vector<int64_t> turn(*rank + 1);
    std::iota(turn.begin(), turn.end(), int64_t{0});
    std::swap(turn[1], turn[2]);
    const Node& transpose = graph_.node(second);
    if (!transpose.is("Transpose") || ir::ints_attribute(transpose, "perm") != turn) return false;
    const NodeId third = only_reader(transpose.output());
    if (!third.valid() || !graph_.node(third).is("Reshape")) return false;
    const ValueId out = graph_.node(third).output();
    if (rank_of(out) != rank || extent(out, 1) != channels.count) return false;
    assign(out, channels.count, 1);
    const int64_t to = channels_of(out).first;
    for (int64_t g = 0; g < *groups; ++g) {
      for (int64_t m = 0; m < *members; ++m) {
        unite(channels.first + g * *members + m, to + m * *groups + g, 1);
      }
    }
    unite_values(first.input(0), out);
    done_.insert(second);
    done_.insert(third);
    return true;
  }

  std::optional<size_t> rank_of(ValueId value) const {
    if (!value.valid()) return std::nullopt;
    const ir::Shape& shape = graph_.value(value).type.shape;
    return shape.has_rank() ? std::optional(shape.rank()) : std::nullopt;
  }
  std::optional<int64_t> extent(ValueId value, int64_t axis) const {
    const auto rank = rank_of(value);
    if (!rank || axis < 0 || axis >= static_cast<int64_t>(*rank)) return std::nullopt;
    const ir::Dim& dim = graph_.value(value).type.shape[static_cast<size_t>(axis)];
    return dim.is_static() ? std::optional(dim.extent()) : std::nullopt;
  }
  std::optional<size_t> axis_of(ValueId value) const {
    const Channels channels = channels_of(value);
    return channels.first >= 0 ? std::optional(channels.axis) : std::nullopt;
  }

  void assign(ValueId value, int64_t count, size_t axis) {
    const auto first = static_cast<int64_t>(channels_.size());
    out_.of_value_[value.index()] = {first, count, axis};
    channels_.grow(static_cast<size_t>(count));
  }

  // The output has the channels of the input, under the same factors.
  bool share(ValueId from, ValueId to) {
    const Channels channels = channels_of(from);
    if (channels.first < 0 || !to.valid()) return false;
    const auto rank = rank_of(to);
    if (!rank || channels.axis >= *rank) return false;
    const auto count = extent(to, static_cast<int64_t>(channels.axis));
    if (count && *count != channels.count) return false;
    assign(to, channels.count, channels.axis);
    unite(channels.first, channels_of(to).first, channels.count);
    unite_values(from, to);
    return true;
  }

  void unite(int64_t a, int64_t b, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      channels_.unite(static_cast<size_t>(a + i), static_cast<size_t>(b + i));
    }
  }
  void unite_values(ValueId a, ValueId b) { values_.unite(a.index(), b.index()); }

  void fix(ValueId value) {
    const Channels channels = channels_of(value);
    for (int64_t i = 0; channels.first >= 0 && i < channels.count; ++i) {
      fixed_.push_back(channels.first + i);
    }
  }
  void fix_all(const Node& node) {
    for (ValueId input : node.inputs) {
      if (input.valid()) fix(input);
    }
    for (ValueId input : node.implicit_inputs) fix(input);
    for (ValueId output : node.outputs) {
      if (output.valid()) fix(output);
    }
  }

  void collect() {
    out_.class_ = channels_.roots();
    out_.component_ = values_.roots();
    out_.fixed_.assign(out_.class_.size(), false);
    out_.clipped_.assign(out_.class_.size(), false);
    for (const int64_t channel : fixed_) out_.fixed_[out_.class_of(channel)] = true;
    for (ValueId value : clipped_) {
      const Channels channels = channels_of(value);
      for (int64_t i = 0; i < channels.count; ++i) {
        out_.clipped_[out_.class_of(channels.first + i)] = true;
      }
    }
  }

  const Graph& graph_;
  ChannelClasses& out_;
  std::vector<int64_t> fixed_;    // channels
  std::vector<ValueId> clipped_;  // values
  std::set<NodeId> done_;
  DisjointSets channels_;
  DisjointSets values_;
};

ChannelClasses::ChannelClasses(const Graph& graph) { ChannelWalk(graph, *this).run(); }

}  // namespace octet::accuracy
