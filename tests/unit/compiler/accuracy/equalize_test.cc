#include "compiler/accuracy/equalize.h"

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

// The ranges of all values with channels, as a pass over the samples finds them.
struct Measured {
  Graph graph;
  ChannelClasses classes;
  std::vector<Layer> layers;
  std::vector<ChannelRanges::Axis> wanted;
  ChannelRanges ranges;

  Measured(Graph from, const data::Dataset& samples)
      : graph(std::move(from)),
        classes(graph),
        layers(find_layers(graph, plan::place(graph, must(backends::load_backend("x86")), {}))),
        wanted(values_to_range(
            graph, classes, layers,
            plan::needed_statistics(graph, must(backends::load_backend("x86")), {}).values)),
        ranges(wanted) {
    calibration::CalibrateOptions options;
    for (const auto& value : wanted) options.shown.insert(value.value);
    options.show = [this](size_t, ValueId value, const Tensor& tensor) -> Status {
      ranges.observe(value, tensor);
      return {};
    };
    must(calibration::calibrate(std::make_shared<const Graph>(graph), samples, options));
  }

  Equalization run() const { return equalize(graph, classes, layers, ranges); }

  Graph edited(const Equalization& done) const {
    plan::QuantPlan edits;
    for (const auto& [id, tensor] : done.constants) {
      edits.replaced.push_back({graph.value(id).name, tensor});
    }
    edits.scalings = done.scalings;
    Graph out = graph;
    must(plan::apply_edits(out, edits));
    return out;
  }

  std::vector<float> magnitudes(const Graph& of, const std::string& value,
                                const data::Dataset& samples) const {
    Graph copy = of;
    const ValueId id = copy.find_value(value);
    ChannelRanges out({{id, 1}});
    calibration::CalibrateOptions options;
    options.shown = {id};
    options.show = [&](size_t, ValueId shown, const Tensor& tensor) -> Status {
      out.observe(shown, tensor);
      return {};
    };
    must(calibration::calibrate(std::make_shared<const Graph>(copy), samples, options));
    return out.of(id);
  }
};

bool replaces(const Measured& measured, const Equalization& done, const std::string& constant) {
  return done.constants.contains(measured.graph.find_value(constant));
}

// Everything that channels can be followed through, with channels of very different size.
Graph wide_network() {
  ConvNetwork net;
  const ValueId a = net.op("Relu", {net.conv(net.input(), 8, 8, 3, "a", 1, 1.7F)}, "a.relu");
  const ValueId pooled = net.op(
      "MaxPool", {a}, "pool",
      {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"strides", std::vector<int64_t>{2, 2}}});
  const ValueId b = net.op("LeakyRelu", {net.conv(pooled, 8, 6, 1, "b", 1, 0.6F)}, "b.leaky");
  const ValueId c = net.op("Relu", {net.conv(pooled, 8, 6, 3, "c", 1, 1.5F)}, "c.relu");
  const ValueId joined = net.op("Concat", {b, c}, "joined", {{"axis", int64_t{1}}});
  // A channel shuffle.
  auto& builder = net.builder();
  const ValueId five = builder.constant<int64_t>("five", {5}, {1, 2, 6, 6, 6});
  const ValueId four = builder.constant<int64_t>("four", {4}, {1, 12, 6, 6});
  const ValueId split_up = net.op("Reshape", {joined, five}, "up");
  const ValueId turned =
      net.op("Transpose", {split_up}, "turned", {{"perm", std::vector<int64_t>{0, 2, 1, 3, 4}}});
  const ValueId shuffled = net.op("Reshape", {turned, four}, "shuffled");
  const ValueId d = net.op("Relu", {net.conv(shuffled, 12, 12, 3, "d", 12, 1.3F)}, "d.relu");
  const ValueId e = net.conv(d, 12, 8, 3, "e", 2, 0.8F);
  const ValueId f = net.op("GlobalAveragePool", {net.op("Relu", {e}, "e.relu")}, "mean");
  const ValueId flat = net.op("Flatten", {f}, "flat");
  const ValueId w = builder.constant<float>("head.w", {8, 5}, testing::normal_values(40, 77));
  return net.finish({net.op("Gemm", {flat, w}, "head")});
}

TEST(Equalize, KeepsTheFloatFunction) {
  const auto samples = testing::normal_samples(6, {1, 8, 12, 12}, 3);
  const Measured measured(wide_network(), samples);
  const Equalization done = measured.run();
  EXPECT_TRUE(done.scalings.empty());
  for (const char* name : {"a.w", "a.b", "b.w", "c.w", "d.w", "d.b", "e.w", "head.w"}) {
    EXPECT_TRUE(replaces(measured, done, name)) << name;
  }
  // float32 carries about 150 dB.
  EXPECT_GT(testing::sqnr(measured.graph, measured.edited(done), samples), 110.0);
}

TEST(Equalize, BringsTheChannelsOfADepthwiseLayerNearOneRange) {
  ConvNetwork net;
  const ValueId a = net.relu6(net.conv(net.input(), 8, 8, 3, "a", 1, 0.4F), "a.relu6");
  const ValueId d = net.conv(a, 8, 8, 3, "d", 8);
  const auto samples = testing::normal_samples(6, {1, 8, 12, 12}, 3);
  const Measured measured(net.finish({d}), samples);
  const Equalization done = measured.run();
  const auto after = measured.magnitudes(measured.edited(done), "a.relu6", samples);
  const auto before = measured.magnitudes(measured.graph, "a.relu6", samples);
  const float greatest = *std::max_element(before.begin(), before.end());
  for (size_t c = 0; c < after.size(); ++c) {
    if (before[c] < greatest / 200.0F) continue;
    // Amplified channels keep the headroom; the others keep their magnitude.
    EXPECT_NEAR(after[c], std::max(before[c], greatest / 1.2F), greatest * 1e-4F) << c;
  }
  EXPECT_GT(testing::sqnr(measured.graph, measured.edited(done), samples), 110.0);
}

TEST(Equalize, LeavesWhatCannotBeUndone) {
  const auto samples = testing::normal_samples(3, {1, 8, 12, 12}, 3);
  {  // A dense reader behind a Clip.
    ConvNetwork net;
    const ValueId a = net.relu6(net.conv(net.input(), 8, 8, 3, "a", 1, 0.4F), "a.relu6");
    const Measured measured(net.finish({net.conv(a, 8, 8, 3, "b")}), samples);
    EXPECT_TRUE(measured.run().constants.empty());
  }
  {  // A Sigmoid.
    ConvNetwork net;
    const ValueId a = net.op("Sigmoid", {net.conv(net.input(), 8, 8, 3, "a", 1, 0.4F)}, "s");
    const Measured measured(net.finish({net.conv(a, 8, 8, 3, "b")}), samples);
    EXPECT_TRUE(measured.run().constants.empty());
  }
  {  // An output of the graph.
    ConvNetwork net;
    const ValueId a = net.op("Relu", {net.conv(net.input(), 8, 8, 3, "a", 1, 0.4F)}, "r");
    const Measured measured(net.finish({net.conv(a, 8, 8, 3, "b"), a}), samples);
    EXPECT_TRUE(measured.run().constants.empty());
  }
  {  // A residual.
    ConvNetwork net;
    const ValueId a = net.op("Relu", {net.conv(net.input(), 8, 8, 3, "a", 1, 0.4F)}, "r");
    const Measured measured(net.finish({net.op("Add", {net.conv(a, 8, 8, 3, "b"), a}, "sum")}),
                            samples);
    EXPECT_TRUE(measured.run().constants.empty());
  }
  {  // A weight with two readers.
    ConvNetwork net;
    const ValueId a = net.op("Relu", {net.conv(net.input(), 8, 8, 3, "a", 1, 0.4F)}, "r");
    const ValueId w =
        net.builder().constant<float>("w", {8, 8, 1, 1}, testing::normal_values(64, 4));
    const ValueId b = net.op("Conv", {a, w}, "b");
    const Measured measured(net.finish({net.op("Conv", {b, w}, "c")}), samples);
    EXPECT_TRUE(measured.run().constants.empty());
  }
}

TEST(Equalize, DeadChannelsKeepTheirNumbers) {
  ConvNetwork net;
  auto& builder = net.builder();
  std::vector<float> w = testing::normal_values(64, 4);
  std::fill(w.begin() + 8, w.begin() + 16, 0.0F);  // channel 1 is never seen
  std::vector<float> b(8, 0.1F);
  b[1] = -1.0F;
  const ValueId a = net.op("Relu",
                           {net.op("Conv",
                                   {net.input(), builder.constant<float>("a.w", {8, 8, 1, 1}, w),
                                    builder.constant<float>("a.b", {8}, b)},
                                   "a")},
                           "r");
  const auto samples = testing::normal_samples(3, {1, 8, 12, 12}, 3);
  const Measured measured(net.finish({net.conv(a, 8, 8, 3, "d", 8)}), samples);
  const Equalization done = measured.run();
  ASSERT_TRUE(replaces(measured, done, "a.b"));
  EXPECT_EQ(done.constants.at(measured.graph.find_value("a.b")).to_floats()[1], -1.0F);
  EXPECT_GT(testing::sqnr(measured.graph, measured.edited(done), samples), 110.0);
}

TEST(Equalize, PutsAMulInFrontOfAMatMulOnAResidual) {
  testing::GraphBuilder builder(ops::infer_node);
  const ValueId x = builder.input("x", {1, 6, 8});
  std::vector<float> gamma(8, 1.0F);
  gamma[3] = 40.0F;  // an outlier channel
  const ValueId norm =
      builder.op("LayerNormalization",
                 {x, builder.constant<float>("gamma", {8}, gamma),
                  builder.constant<float>("beta", {8}, std::vector<float>(8, 0.1F))},
                 {{"axis", int64_t{-1}}});
  const ValueId y = builder.op(
      "MatMul", {norm, builder.constant<float>("w", {8, 8}, testing::normal_values(64, 8))});
  builder.output(builder.op("Add", {y, norm}));
  const auto samples = testing::normal_samples(4, {1, 6, 8}, 3);
  const Measured measured(builder.finish(), samples);
  const Equalization done = measured.run();
  ASSERT_EQ(done.scalings.size(), 1U);
  EXPECT_EQ(done.scalings.front().operands.size(), 1U);
  const auto factors = done.scalings.front().factors.to_floats();
  EXPECT_LT(factors[3] * 4.0F, factors[0]);
  EXPECT_GT(testing::sqnr(measured.graph, measured.edited(done), samples), 110.0);
}

}  // namespace
}  // namespace octet::accuracy
