#include "compiler/accuracy/cross_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/backends.h"
#include "compiler/calibration/calibrate.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/planner.h"
#include "tests/support/accuracy_network.h"

namespace octet::accuracy {
namespace {

using ir::Graph;
using ir::Tensor;
using ir::ValueId;
using testing::ConvNetwork;
using testing::must;

plan::BackendSpec per_tensor_backend() {
  return plan::with_formats(must(backends::load_backend("x86")),
                            must(plan::parse_formats("weight_granularity=per-tensor")));
}

struct Made {
  Graph graph;
  CrossLayer done;
  plan::QuantPlan edits;
  Graph edited;
};

Made made(Graph graph, const data::Dataset& samples, const CrossLayerOptions& options = {}) {
  Made out;
  const plan::BackendSpec spec = per_tensor_backend();
  const ChannelClasses classes(graph);
  const std::vector<Layer> layers = find_layers(graph, plan::place(graph, spec, {}));
  const auto wanted =
      values_to_range(graph, classes, layers, plan::needed_statistics(graph, spec, {}).values);
  ChannelRanges ranges(wanted);
  calibration::CalibrateOptions calibrate;
  for (const auto& value : wanted) calibrate.shown.insert(value.value);
  calibrate.show = [&](size_t, ValueId value, const Tensor& tensor) -> Status {
    ranges.observe(value, tensor);
    return {};
  };
  must(calibration::calibrate(std::make_shared<const Graph>(graph), samples, calibrate));
  std::map<ValueId, ChannelReach> reach;
  for (ValueId value : ranges.values()) reach[value] = {ranges.of(value), ranges.least_of(value)};
  out.done = equalize_across_layers(graph, classes, layers, reach, options);
  for (const auto& [id, tensor] : out.done.equalization.constants) {
    out.edits.replaced.push_back({graph.value(id).name, tensor});
  }
  out.edits.bounds = out.done.bounds;
  out.edited = graph;
  must(plan::apply_edits(out.edited, out.edits));
  out.graph = std::move(graph);
  return out;
}

// How many times the greatest row of a weight is as large as its least (dead ones left out).
double row_spread(const Graph& graph, const std::string& weight) {
  const Tensor& tensor = *graph.constant(graph.find_value(weight));
  const auto values = tensor.data<float>();
  const auto rows = static_cast<size_t>(tensor.shape()[0]);
  const size_t columns = values.size() / rows;
  float least = HUGE_VALF;
  float greatest = 0.0F;
  for (size_t r = 0; r < rows; ++r) {
    float own = 0.0F;
    for (size_t k = 0; k < columns; ++k) own = std::max(own, std::abs(values[r * columns + k]));
    greatest = std::max(greatest, own);
    if (own > 0.0F) least = std::min(least, own);
  }
  return static_cast<double>(greatest / least);
}

// Pointwise, depthwise with wild rows, pointwise; behind Relu or Relu6.
Graph separable(bool relu6, int64_t depthwise_kernel = 3) {
  ConvNetwork net;
  const auto act = [&](ValueId x, const std::string& name) {
    return relu6 ? net.relu6(x, name) : net.op("Relu", {x}, name);
  };
  const ValueId a = act(net.conv(net.input(), 8, 16, 1, "first", 1, 0.8F), "first.act");
  const ValueId d =
      act(net.conv(a, 16, 16, depthwise_kernel, "depthwise", 16, 1.3F), "depthwise.act");
  const ValueId p = net.op("Relu", {net.conv(d, 16, 6, 1, "point")}, "point.act");
  return net.finish({net.conv(p, 6, 4, 3, "last")});
}

TEST(CrossLayer, KeepsTheFunctionAndEvensOutTheRows) {
  const auto samples = testing::normal_samples(10, {1, 8, 12, 12}, 4);
  const auto unseen = testing::normal_samples(5, {1, 8, 12, 12}, 900);
  const Made relu = made(separable(false), samples);
  EXPECT_TRUE(relu.done.bounds.empty());
  // Exact for what was seen; a high bias that was handed on may be missed on other samples.
  EXPECT_GT(testing::sqnr(relu.graph, relu.edited, samples), 100.0);
  EXPECT_GT(testing::sqnr(relu.graph, relu.edited, unseen), 60.0);
  EXPECT_GT(row_spread(relu.graph, "depthwise.w"), 30.0);
  EXPECT_LT(row_spread(relu.edited, "depthwise.w"), 6.0);
  EXPECT_LT(row_spread(relu.edited, "first.w"), 6.0);
}

TEST(CrossLayer, AClipThatActsGetsABoundPerChannel) {
  const auto samples = testing::normal_samples(10, {1, 8, 12, 12}, 4);
  const auto unseen = testing::normal_samples(5, {1, 8, 12, 12}, 900);
  const Made clip = made(separable(true), samples);
  // depthwise.act reaches 6 in its wild channels; first.act does not in 10 samples.
  const auto bound = std::find_if(clip.done.bounds.begin(), clip.done.bounds.end(),
                                  [](const auto& b) { return b.value == "depthwise.act"; });
  ASSERT_NE(bound, clip.done.bounds.end());
  EXPECT_EQ(bound->bounds.element_count(), 16);
  EXPECT_GT(testing::sqnr(clip.graph, clip.edited, unseen), 60.0);
  EXPECT_LT(row_spread(clip.edited, "depthwise.w"), 6.0);
  const Graph& graph = clip.edited;
  const ir::Node& min = graph.node(graph.value(graph.find_value("depthwise.act")).producer);
  EXPECT_EQ(min.op_type, "Min");
}

TEST(CrossLayer, WithoutBoundsChannelsBehindAnActingClipStay) {
  const auto samples = testing::normal_samples(10, {1, 8, 12, 12}, 4);
  const Made none = made(separable(true), samples, {CrossLayerOptions::Bounds::kNone});
  for (const plan::ChannelBound& bound : none.done.bounds) {
    EXPECT_EQ(bound.bounds.element_count(), 0) << bound.value;
  }
  EXPECT_FALSE(none.done.equalization.value_factors.contains(none.graph.find_value("depthwise")));
  EXPECT_TRUE(none.done.equalization.value_factors.contains(none.graph.find_value("first")));
  const auto unseen = testing::normal_samples(5, {1, 8, 12, 12}, 900);
  EXPECT_GT(testing::sqnr(none.graph, none.edited, unseen), 60.0);
}

// Rows of nothing: with a negative bias the channel is 0, with a positive one a constant.
Graph with_dead_channels() {
  Graph graph = separable(false, 1);
  const auto edit = [&](const std::string& name, const std::vector<size_t>& at, float value) {
    const ValueId id = graph.find_value(name);
    std::vector<float> values = graph.constant(id)->to_floats();
    for (size_t i : at) values[i] = value;
    graph.set_constant(
        id, std::make_shared<const Tensor>(Tensor::of<float>(graph.constant(id)->shape(), values)));
  };
  for (size_t k = 0; k < 8; ++k) edit("first.w", {2 * 8 + k, 5 * 8 + k}, 1e-12F);
  edit("first.b", {2}, -1.0F);
  edit("first.b", {5}, 0.75F);
  edit("depthwise.w", {2}, 4000.0F);  // what a batch norm makes of a channel without variance
  return graph;
}

TEST(CrossLayer, DeadChannelsGoIntoTheNextBias) {
  const auto samples = testing::normal_samples(10, {1, 8, 12, 12}, 4);
  const auto unseen = testing::normal_samples(5, {1, 8, 12, 12}, 900);
  const Made dead = made(with_dead_channels(), samples);
  // Two of the first layer, and the channels of the depthwise layer that read only them.
  EXPECT_EQ(dead.done.dead, 4U);
  EXPECT_GT(testing::sqnr(dead.graph, dead.edited, unseen), 90.0);
  const Tensor& depthwise = *dead.edited.constant(dead.edited.find_value("depthwise.w"));
  EXPECT_EQ(depthwise.data<float>()[2], 0.0F);
  EXPECT_EQ(depthwise.data<float>()[5], 0.0F);
  const Tensor& point = *dead.edited.constant(dead.edited.find_value("point.w"));
  for (size_t r = 0; r < 6; ++r) {
    EXPECT_EQ(point.data<float>()[r * 16 + 2], 0.0F);
    EXPECT_EQ(point.data<float>()[r * 16 + 5], 0.0F);
  }
}

TEST(CrossLayer, AConstantBeforePaddingIsLeftAlone) {
  Graph graph = separable(false, 3);
  const ValueId w = graph.find_value("first.w");
  std::vector<float> values = graph.constant(w)->to_floats();
  for (size_t k = 0; k < 8; ++k) values[5 * 8 + k] = 0.0F;
  graph.set_constant(
      w, std::make_shared<const Tensor>(Tensor::of<float>(graph.constant(w)->shape(), values)));
  const ValueId b = graph.find_value("first.b");
  std::vector<float> biases = graph.constant(b)->to_floats();
  biases[5] = 0.75F;
  graph.set_constant(b, std::make_shared<const Tensor>(Tensor::of<float>({16}, biases)));
  const auto samples = testing::normal_samples(6, {1, 8, 12, 12}, 4);
  const Made done = made(graph, samples);
  EXPECT_EQ(done.done.dead, 1U);
  EXPECT_GT(testing::sqnr(done.graph, done.edited, samples), 90.0);
  const Tensor& depthwise = *done.edited.constant(done.edited.find_value("depthwise.w"));
  EXPECT_NE(depthwise.data<float>()[5 * 9], 0.0F);
}

TEST(CrossLayer, HighBiasesAreHandedOn) {
  Graph graph = separable(false, 1);
  const ValueId b = graph.find_value("depthwise.b");
  std::vector<float> biases = graph.constant(b)->to_floats();
  for (size_t c = 0; c < 4; ++c) biases[c] = 50.0F;
  graph.set_constant(b, std::make_shared<const Tensor>(Tensor::of<float>({16}, biases)));
  const auto samples = testing::normal_samples(10, {1, 8, 12, 12}, 4);
  const Made done = made(graph, samples);
  EXPECT_GE(done.done.high_biases, 4U);
  EXPECT_GT(testing::sqnr(done.graph, done.edited, samples), 60.0);
  const auto highest = [](const Graph& of) {
    const Tensor& bias = *of.constant(of.find_value("depthwise.b"));
    const auto values = bias.data<float>();
    return *std::max_element(values.begin(), values.end());
  };
  EXPECT_LT(highest(done.edited), 0.3F * highest(done.graph));
}

TEST(CrossLayer, KnowsBackendsByTheirWeights) {
  EXPECT_TRUE(has_per_tensor_weights(per_tensor_backend()));
  EXPECT_FALSE(has_per_tensor_weights(must(backends::load_backend("x86"))));
  EXPECT_EQ(bounds_of(per_tensor_backend()).bounds, CrossLayerOptions::Bounds::kAllowed);
  EXPECT_EQ(bounds_of(must(backends::load_backend("x86"))).bounds,
            CrossLayerOptions::Bounds::kNone);
}

}  // namespace
}  // namespace octet::accuracy
