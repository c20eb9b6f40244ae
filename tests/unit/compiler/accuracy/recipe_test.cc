#include "compiler/accuracy/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "backends/backends.h"
#include "compiler/accuracy/analyze.h"
#include "compiler/accuracy/channel_ranges.h"
#include "compiler/accuracy/channels.h"
#include "compiler/calibration/calibrate.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/planner.h"
#include "tests/support/accuracy_network.h"
#include "tests/support/random_graph.h"

namespace octet::accuracy {
namespace {

using ir::Graph;
using ir::ValueId;
using testing::ConvNetwork;
using ::testing::HasSubstr;
using testing::HeldSamples;
using testing::must;

// Stem, depthwise with wild channels behind a Relu6, pointwise, pool, head.
Graph mobile_network() {
  ConvNetwork net;
  const ValueId a = net.relu6(net.conv(net.input(), 8, 16, 3, "stem", 1, 0.75F), "stem.relu6");
  const ValueId d = net.relu6(net.conv(a, 16, 16, 3, "depthwise", 16, 1.2F), "depthwise.relu6");
  const ValueId p = net.op("Relu", {net.conv(d, 16, 24, 1, "point", 1, 0.85F)}, "point.relu");
  const ValueId q = net.op("Relu", {net.conv(p, 24, 12, 3, "last")}, "last.relu");
  const ValueId flat = net.op("Flatten", {net.op("GlobalAveragePool", {q}, "mean")}, "flat");
  auto& builder = net.builder();
  const ValueId w = builder.constant<float>("head.w", {12, 5}, testing::normal_values(60, 77));
  const ValueId b = builder.constant<float>("head.b", {5}, testing::normal_values(5, 78));
  return net.finish({net.op("Gemm", {flat, w, b}, "head")});
}

RecipeResult made(const Graph& graph, const data::Dataset& samples, const std::string& backend,
                  size_t threads = 2) {
  RecipeOptions options;
  options.threads = threads;
  return must(plan_with_recipe(std::make_shared<const Graph>(graph), samples,
                               must(backends::load_backend(backend)), {}, options));
}

Graph quantized(const Graph& graph, const plan::QuantPlan& plan) {
  Graph out = graph;
  must(plan::apply_plan(out, plan));
  return out;
}

plan::QuantPlan ranges_only(const Graph& graph, const data::Dataset& samples,
                            const std::string& backend) {
  const auto spec = must(backends::load_backend(backend));
  calibration::CalibrateOptions options;
  options.values = plan::needed_statistics(graph, spec, {}).values;
  const auto statistics =
      must(calibration::calibrate(std::make_shared<const Graph>(graph), samples, options));
  return must(plan::make_plan(graph, statistics, spec, {}));
}

TEST(Recipe, BringsOutputsNearerThanRangesAlone) {
  const Graph graph = mobile_network();
  const auto samples = testing::normal_samples(40, {1, 8, 12, 12}, 100);
  const auto unseen = testing::normal_samples(20, {1, 8, 12, 12}, 9000);
  for (const char* backend : {"x86", "arm", "openvino", "tensorrt"}) {
    const RecipeResult result = made(graph, samples, backend);
    EXPECT_EQ(result.samples, 40);
    EXPECT_EQ(result.report.layers, 5U);
    EXPECT_GE(result.report.rounded, 3U);
    EXPECT_GE(result.report.equalized_tensors, 2U);
    const double with = testing::sqnr(graph, quantized(graph, result.plan), unseen);
    const double without =
        testing::sqnr(graph, quantized(graph, ranges_only(graph, samples, backend)), unseen);
    EXPECT_GT(with, without + 2.0) << backend;
  }
}

// Channels 2 and 9 of the stem never leave zero, and the depthwise layer has weights on them 300
// times as large as the others: what is never anything but zero is exact, however large its weight.
TEST(Recipe, DeadChannelsDoNotMakeALayerLookBad) {
  const Graph graph = [] {
    ConvNetwork net;
    const ValueId a = net.op("Relu", {net.conv(net.input(), 8, 16, 3, "stem")}, "stem.relu");
    const ValueId d = net.op("Relu", {net.conv(a, 16, 16, 3, "depthwise", 16)}, "depthwise.relu");
    Graph out = net.finish({net.conv(d, 16, 8, 1, "point")});
    const auto change = [&](const std::string& name, auto&& edit) {
      const ValueId id = out.find_value(name);
      std::vector<float> values = out.constant(id)->to_floats();
      edit(values);
      const auto shape = out.constant(id)->shape();
      out.set_constant(id,
                       std::make_shared<const ir::Tensor>(ir::Tensor::of<float>(shape, values)));
    };
    for (const size_t dead : {2, 9}) {
      change("stem.b", [&](std::vector<float>& b) { b[dead] = -50.0F; });
      change("depthwise.w", [&](std::vector<float>& w) {
        for (size_t i = dead * 9; i < dead * 9 + 9; ++i) w[i] *= 300.0F;
      });
    }
    return out;
  }();
  const auto samples = testing::normal_samples(24, {1, 8, 12, 12}, 100);
  const RecipeResult result = made(graph, samples, "x86");
  AnalyzeInput input{result.equalized, result.plan, must(backends::load_backend("x86"))};
  input.equalized = AnalyzeInput::Equalized::kDone;
  const Analysis analysis = must(analyze(input, samples, {})).analysis;
  ASSERT_EQ(result.report.worst.size(), 3U);
  for (const LayerQuality& quality : result.report.worst) {
    const auto layer =
        std::find_if(analysis.layers.begin(), analysis.layers.end(),
                     [&](const LayerReport& report) { return report.node == quality.node; });
    ASSERT_NE(layer, analysis.layers.end());
    EXPECT_GT(quality.sqnr, 30.0) << quality.node;
    EXPECT_NEAR(quality.sqnr, *layer->local_db, 3.0) << quality.node;
  }
}

TEST(Recipe, ThePlanIsWholeAsText) {
  const Graph graph = mobile_network();
  const auto samples = testing::normal_samples(12, {1, 8, 12, 12}, 100);
  const plan::QuantPlan plan = made(graph, samples, "x86").plan;
  EXPECT_FALSE(plan.replaced.empty());
  const std::string text = plan.to_text();
  const plan::QuantPlan again = must(plan::QuantPlan::from_text(text, "a.plan"));
  EXPECT_EQ(again.to_text(), text);
  EXPECT_TRUE(quantized(graph, plan) == quantized(graph, again));
  EXPECT_EQ(plan.remarks.size(), graph.order().size());
}

// Greatest magnitude of each channel of axis 1 over all samples.
std::vector<float> reach(const Graph& graph, const std::string& value,
                         const data::Dataset& samples) {
  const ValueId id = graph.find_value(value);
  ChannelRanges out({{id, 1}});
  calibration::CalibrateOptions options;
  options.shown = {id};
  options.show = [&](size_t, ValueId shown, const ir::Tensor& tensor) -> Status {
    out.observe(shown, tensor);
    return {};
  };
  must(calibration::calibrate(std::make_shared<const Graph>(graph), samples, options));
  return out.of(id);
}

TEST(Recipe, WhereFewSamplesSpeakForAnOutputChannelsKeepMoreRoom) {
  ConvNetwork net;
  const ValueId a = net.op("Relu", {net.conv(net.input(), 8, 8, 3, "a", 1, 0.6F)}, "a.relu");
  const Graph graph = net.finish({net.conv(a, 8, 8, 3, "d", 8)});
  const auto alike = testing::normal_samples(16, {1, 8, 12, 12}, 100);
  std::vector<data::Sample> one_loud;
  for (size_t i = 0; i < alike.size(); ++i) {
    std::vector<float> values = must(alike.get(i)).front().to_floats();
    for (float& x : values) x *= i == 5 ? 30.0F : 1.0F;
    one_loud.push_back({ir::Tensor::of<float>({1, 8, 12, 12}, values)});
  }
  const auto room = [&](const data::Dataset& samples) {
    const Graph equalized = *made(graph, samples, "x86").equalized;
    const std::vector<float> channels = reach(equalized, "a.relu", samples);
    return *std::max_element(channels.begin(), channels.end()) /
           *std::min_element(channels.begin(), channels.end());
  };
  EXPECT_NEAR(room(alike), 1.2F, 1e-3F);
  EXPECT_NEAR(room(HeldSamples(one_loud)), 1.5F, 1e-3F);
}

TEST(Recipe, TheSameForAnyNumberOfThreads) {
  const Graph graph = mobile_network();
  const auto samples = testing::normal_samples(13, {1, 8, 12, 12}, 100);
  const std::string one = made(graph, samples, "x86", 1).plan.to_text();
  for (size_t threads : {2, 4, 8}) {
    EXPECT_EQ(made(graph, samples, "x86", threads).plan.to_text() == one, true) << threads;
  }
}

TEST(Recipe, FewSamplesAndNoSignalAreNoTrouble) {
  const Graph graph = mobile_network();
  const auto one = testing::normal_samples(1, {1, 8, 12, 12}, 100);
  EXPECT_GT(testing::sqnr(graph, quantized(graph, made(graph, one, "x86").plan), one), 10.0);
  const ir::Tensor zeros = must(ir::Tensor::zeros(ir::DType::kFloat32, {1, 8, 12, 12}));
  const HeldSamples nothing(std::vector<data::Sample>(5, {zeros}));
  const Graph out = quantized(graph, made(graph, nothing, "x86").plan);
  EXPECT_GT(testing::sqnr(graph, out, nothing), 10.0);
}

TEST(Recipe, NoLayersLeaveThePlanAsItIs) {
  ConvNetwork net;
  const Graph graph = net.finish({net.op("Relu", {net.input()}, "r")});
  const auto samples = testing::normal_samples(3, {1, 8, 12, 12}, 100);
  const RecipeResult result = made(graph, samples, "x86");
  EXPECT_EQ(result.report.layers, 0U);
  EXPECT_EQ(result.plan.to_text(), ranges_only(graph, samples, "x86").to_text());
}

TEST(Recipe, AMulInFrontOfAMatMulIsPartOfThePlan) {
  testing::GraphBuilder builder(ops::infer_node);
  const ValueId x = builder.input("x", {1, 16, 32});
  std::vector<float> gamma(32, 1.0F);
  gamma[3] = 60.0F;
  const ValueId norm =
      builder.op("LayerNormalization", {x, builder.constant<float>("gamma", {32}, gamma)},
                 {{"axis", int64_t{-1}}}, "norm");
  const ValueId w = builder.constant<float>("w", {32, 32}, testing::normal_values(1024, 8, 0.1F));
  builder.output(
      builder.op("Add", {builder.op("MatMul", {norm, w}, {}, "product"), norm}, {}, "sum"));
  const Graph graph = builder.finish();
  const auto samples = testing::normal_samples(16, {1, 16, 32}, 3);
  const RecipeResult result = made(graph, samples, "x86");
  ASSERT_EQ(result.plan.scalings.size(), 1U);
  EXPECT_EQ(result.plan.remarks.size(), graph.order().size());
  const plan::QuantPlan again = must(plan::QuantPlan::from_text(result.plan.to_text(), "a.plan"));
  const Graph out = quantized(graph, again);
  EXPECT_TRUE(out == quantized(graph, result.plan));
  EXPECT_GT(
      testing::sqnr(graph, out, samples),
      testing::sqnr(graph, quantized(graph, ranges_only(graph, samples, "x86")), samples) + 3.0);
}

// Small normal values for every input.
HeldSamples samples_for(const Graph& graph, size_t count) {
  std::vector<data::Sample> out(count);
  uint32_t seed = 1;
  for (data::Sample& sample : out) {
    for (ValueId id : graph.required_inputs()) {
      const auto shape = graph.value(id).type.shape.extents();
      const auto size = static_cast<size_t>(*graph.value(id).type.shape.element_count());
      sample.push_back(ir::Tensor::of<float>(shape, testing::normal_values(size, seed++, 0.5F)));
    }
  }
  return HeldSamples(std::move(out));
}

TEST(Recipe, GraphsOfAnyShapeAreQuantizedOrRefusedAsWithoutIt) {
  const char* const backends[] = {"x86", "arm", "openvino", "tensorrt"};
  int quantized_graphs = 0;
  for (uint64_t seed = 0; seed < 120; ++seed) {
    const Graph graph = testing::random_graph(seed, {testing::RandomContent::kRunnable, 16});
    const HeldSamples samples = samples_for(graph, 5);
    const auto spec = must(backends::load_backend(backends[seed % 4]));
    calibration::CalibrateOptions calibrate;
    calibrate.values = plan::needed_statistics(graph, spec, {}).values;
    const bool runs =
        calibration::calibrate(std::make_shared<const Graph>(graph), samples, calibrate).ok();
    const auto result =
        plan_with_recipe(std::make_shared<const Graph>(graph), samples, spec, {}, {});
    ASSERT_EQ(result.ok(), runs) << seed << ": " << (result.ok() ? "" : result.error().message());
    if (!runs) continue;
    const plan::QuantPlan again =
        must(plan::QuantPlan::from_text(result->plan.to_text(), "a.plan"));
    EXPECT_TRUE(quantized(graph, again) == quantized(graph, result->plan)) << seed;
    quantized_graphs += result->report.layers > 0 ? 1 : 0;
  }
  EXPECT_GT(quantized_graphs, 20);
}

TEST(Channels, AnythingAFileMayHoldIsFollowedOrLeft) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const Graph graph = testing::random_graph(seed, {testing::RandomContent::kAnything, 20});
    const ChannelClasses classes(graph);
    for (ValueId output : graph.outputs()) {
      const ChannelClasses::Channels& channels = classes.of(output);
      for (int64_t i = 0; channels.first >= 0 && i < channels.count; ++i) {
        EXPECT_TRUE(classes.fixed(classes.class_of(channels.first + i))) << seed;
      }
    }
  }
}

TEST(ApplyEdits, RefusesWhatDoesNotFitAndChangesNothing) {
  const Graph graph = mobile_network();
  const auto samples = testing::normal_samples(8, {1, 8, 12, 12}, 100);
  const plan::QuantPlan good = made(graph, samples, "x86").plan;
  const auto refused = [&](auto&& edit, const std::string& what) {
    plan::QuantPlan plan = good;
    edit(plan);
    Graph copy = graph;
    const Status status = plan::apply_plan(copy, plan);
    ASSERT_FALSE(status.ok()) << what;
    EXPECT_EQ(status.error().code(), ErrorCode::kUsage);
    EXPECT_THAT(status.error().message(), HasSubstr(what));
    EXPECT_TRUE(copy == graph);
  };
  const auto floats = [](std::vector<float> values) {
    const auto count = static_cast<int64_t>(values.size());
    return ir::Tensor::of<float>({count}, values);
  };
  refused([&](auto& plan) { plan.replaced.front().value = "nothing"; }, "nothing");
  refused([&](auto& plan) { plan.replaced.front().tensor = floats({1, 2, 3}); }, "3 numbers");
  refused(
      [&](auto& plan) {
        plan.replaced = {{"head.b", floats({1, 2, 3, 4, INFINITY})}};
      },
      "finite");
  refused(
      [&](auto& plan) {
        plan.scalings = {{"nothing", "y", {{"head", 0}}, floats({1})}};
      },
      "does not have it");
  refused(
      [&](auto& plan) {
        plan.scalings = {{"flat", "y", {{"head", 0}}, floats({1, 2})}};
      },
      "factors");
  refused(
      [&](auto& plan) {
        plan.scalings = {{"flat", "y", {{"stem", 0}}, floats(std::vector<float>(12, 1.0F))}};
      },
      "does not read it");
  refused(
      [&](auto& plan) {
        plan.constants.front().integers = must(ir::Tensor::zeros(ir::DType::kInt8, {3}));
      },
      "3 integers");
  refused(
      [&](auto& plan) {
        auto& integers = *plan.constants.front().integers;
        ir::Tensor worse = must(ir::Tensor::zeros(ir::DType::kInt8, integers.shape()));
        worse.set_from_int64(0, -128);
        integers = worse;
      },
      "-128");
}

}  // namespace
}  // namespace octet::accuracy
