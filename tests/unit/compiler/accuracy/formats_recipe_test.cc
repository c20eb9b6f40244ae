// The recipe under other number formats, and without data.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/backends.h"
#include "compiler/accuracy/data_free.h"
#include "compiler/accuracy/recipe.h"
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
using ::testing::HasSubstr;
using testing::must;

Graph mobile_network() {
  ConvNetwork net;
  const ValueId a = net.relu6(net.conv(net.input(), 8, 16, 3, "stem", 1, 0.75F), "stem.relu6");
  const ValueId d = net.relu6(net.conv(a, 16, 16, 3, "depthwise", 16, 1.2F), "depthwise.relu6");
  const ValueId p = net.op("Relu", {net.conv(d, 16, 40, 1, "point", 1, 0.95F)}, "point.relu");
  const ValueId q = net.op("Relu", {net.conv(p, 40, 12, 3, "dense")}, "dense.relu");
  const ValueId flat = net.op("Flatten", {net.op("GlobalAveragePool", {q}, "mean")}, "flat");
  auto& builder = net.builder();
  const ValueId w = builder.constant<float>("head.w", {12, 5}, testing::normal_values(60, 77));
  const ValueId b = builder.constant<float>("head.b", {5}, testing::normal_values(5, 78));
  return net.finish({net.op("Gemm", {flat, w, b}, "head")});
}

struct Target {
  plan::Recipe recipe;
  plan::BackendSpec spec;
};

Target target(const std::string& formats) {
  Target out;
  out.recipe.formats = must(plan::parse_formats(formats));
  out.spec = plan::with_formats(must(backends::load_backend("x86")), out.recipe.formats);
  return out;
}

RecipeResult made(const Graph& graph, const data::Dataset& samples, const std::string& formats,
                  size_t threads = 2) {
  const Target with = target(formats);
  RecipeOptions options;
  options.threads = threads;
  return must(plan_with_recipe(std::make_shared<const Graph>(graph), samples, with.spec,
                               with.recipe, options));
}

plan::QuantPlan nearest(const Graph& graph, const data::Dataset& samples,
                        const std::string& formats) {
  const Target with = target(formats);
  calibration::CalibrateOptions options;
  options.values = plan::needed_statistics(graph, with.spec, with.recipe).values;
  const auto statistics =
      must(calibration::calibrate(std::make_shared<const Graph>(graph), samples, options));
  return must(plan::make_plan(graph, statistics, with.spec, with.recipe));
}

Graph quantized(const Graph& graph, const plan::QuantPlan& plan, const plan::BackendSpec& spec) {
  Graph out = graph;
  must(plan::apply_plan(out, plan));
  must(backends::emit(out, spec));
  return out;
}

// What a plan becomes in decibels, through its text.
double decibels(const Graph& graph, const plan::QuantPlan& plan, const std::string& formats,
                const data::Dataset& samples) {
  const plan::QuantPlan read = must(plan::QuantPlan::from_text(plan.to_text(), "plan"));
  EXPECT_EQ(read.to_text(), plan.to_text());
  return testing::sqnr(graph, quantized(graph, read, target(formats).spec), samples);
}

struct Case {
  const char* formats;
  double gain;  // least, over rounding to nearest
};

TEST(FormatsRecipe, BeatsRoundingToNearest) {
  const Graph graph = mobile_network();
  const auto samples = testing::normal_samples(40, {1, 8, 12, 12}, 100);
  const auto unseen = testing::normal_samples(20, {1, 8, 12, 12}, 9000);
  for (const Case& one : {Case{"weights=int4 narrow_layers=all", 5.0}, Case{"weights=int4", 3.0},
                          Case{"weights=int4 weight_granularity=block:16 narrow_layers=all", 3.0},
                          Case{"weight_granularity=per-tensor", 6.0},
                          Case{"weight_granularity=per-tensor weights=int4", 5.0},
                          Case{"scales=power-of-two", 1.0}, Case{"activations=int16", 3.0}}) {
    SCOPED_TRACE(one.formats);
    const double with =
        decibels(graph, made(graph, samples, one.formats).plan, one.formats, unseen);
    const double without =
        decibels(graph, nearest(graph, samples, one.formats), one.formats, unseen);
    EXPECT_GT(with, without + one.gain);
  }
}

TEST(FormatsRecipe, FewBitsAimAtTheFloatOutput) {
  const Graph graph = mobile_network();
  const auto samples = testing::normal_samples(40, {1, 8, 12, 12}, 100);
  EXPECT_GE(made(graph, samples, "weights=int4 narrow_layers=all").report.targeted, 3U);
  EXPECT_EQ(made(graph, samples, "").report.targeted, 0U);
}

TEST(FormatsRecipe, FirstAndLastLayerKeepEightBits) {
  const Graph graph = mobile_network();
  const auto samples = testing::normal_samples(6, {1, 8, 12, 12}, 100);
  const auto widths = [&](const std::string& formats) {
    std::map<std::string, int> out;
    for (const auto& constant : nearest(graph, samples, formats).constants) {
      out[constant.value] = numerics::bit_width(constant.params.storage());
    }
    return out;
  };
  const auto inner = widths("weights=int4");
  EXPECT_EQ(inner.at("stem.w"), 8);
  EXPECT_EQ(inner.at("head.w"), 8);
  EXPECT_EQ(inner.at("depthwise.w"), 4);
  EXPECT_EQ(inner.at("dense.w"), 4);
  for (const auto& [name, width] : widths("weights=int4 narrow_layers=all")) EXPECT_EQ(width, 4);
}

TEST(FormatsRecipe, PowersOfTwoEverywhere) {
  const Graph graph = mobile_network();
  const auto samples = testing::normal_samples(10, {1, 8, 12, 12}, 100);
  for (const char* formats : {"scales=power-of-two", "scales=power-of-two weights=int4",
                              "scales=power-of-two weight_granularity=per-tensor"}) {
    const plan::QuantPlan plan = made(graph, samples, formats).plan;
    for (const auto& entry : plan.activations) {
      const float scale = entry.params.scales().front();
      EXPECT_EQ(numerics::power_of_two_at_least(scale), scale) << entry.value;
    }
    for (const auto& entry : plan.constants) {
      for (const float scale : entry.params.scales()) {
        EXPECT_EQ(numerics::power_of_two_at_least(scale), scale) << entry.value;
      }
    }
  }
}

TEST(FormatsRecipe, TheSameForAnyNumberOfThreads) {
  const Graph graph = mobile_network();
  const auto samples = testing::normal_samples(12, {1, 8, 12, 12}, 100);
  for (const char* formats :
       {"weights=int4 narrow_layers=all", "weights=int4 weight_granularity=block:16",
        "weight_granularity=per-tensor"}) {
    const std::string one = made(graph, samples, formats, 1).plan.to_text();
    EXPECT_EQ(one, made(graph, samples, formats, 4).plan.to_text()) << formats;
  }
}

TEST(FormatsRecipe, RemarksGoByTheCanonicalGraph) {
  const Graph graph = mobile_network();
  const auto samples = testing::normal_samples(10, {1, 8, 12, 12}, 100);
  const plan::QuantPlan plan = made(graph, samples, "weight_granularity=per-tensor").plan;
  EXPECT_FALSE(plan.bounds.empty());
  ASSERT_EQ(plan.remarks.size(), graph.order().size());
  for (size_t i = 0; i < plan.remarks.size(); ++i) {
    EXPECT_EQ(plan.remarks[i].op_type, graph.node(graph.order()[i]).op_type);
  }
}

// The network with a batch norm's knowledge of what each convolution computes.
struct WithFacts {
  Graph graph = mobile_network();
  testing::HeldSamples samples = testing::normal_samples(30, {1, 8, 12, 12}, 100);
  DataFreeOptions options;

  WithFacts() {
    for (const char* name : {"stem", "depthwise", "point", "dense"}) {
      const ValueId id = graph.find_value(name);
      std::vector<double> sums(static_cast<size_t>(graph.value(id).type.shape[1].extent()), 0.0);
      std::vector<double> squares = sums;
      double count = 0.0;
      calibration::CalibrateOptions calibrate;
      calibrate.shown = {id};
      calibrate.show = [&](size_t, ValueId, const Tensor& tensor) -> Status {
        const auto values = tensor.data<float>();
        const size_t plane = values.size() / sums.size();
        for (size_t i = 0; i < values.size(); ++i) {
          sums[i / plane] += static_cast<double>(values[i]);
          squares[i / plane] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
        }
        count += static_cast<double>(plane);
        return {};
      };
      must(calibration::calibrate(std::make_shared<const Graph>(graph), samples, calibrate));
      NormFact& fact = options.facts[name];
      for (size_t c = 0; c < sums.size(); ++c) {
        fact.mean.push_back(sums[c] / count);
        fact.deviation.push_back(std::sqrt(squares[c] / count - std::pow(sums[c] / count, 2.0)));
      }
    }
    options.inputs["x"] = {{normal_channel(0.0, 1.0)}, 1};
  }
};

TEST(DataFree, ComesNearCalibration) {
  const WithFacts with;
  const auto unseen = testing::normal_samples(20, {1, 8, 12, 12}, 9000);
  for (const char* formats : {"", "weight_granularity=per-tensor"}) {
    SCOPED_TRACE(formats);
    const Target chosen = target(formats);
    const RecipeResult result = must(plan_without_data(std::make_shared<const Graph>(with.graph),
                                                       chosen.spec, chosen.recipe, with.options));
    EXPECT_TRUE(result.plan.data_free);
    EXPECT_GE(result.report.corrected, 4U);
    const double without = decibels(with.graph, result.plan, formats, unseen);
    const double nearest_with =
        decibels(with.graph, nearest(with.graph, with.samples, formats), formats, unseen);
    EXPECT_GT(without, 15.0);
    EXPECT_GT(without, nearest_with - 4.0);
  }
}

TEST(DataFree, RefusesWithAReason) {
  const WithFacts with;
  const Target chosen = target("");
  const auto graph = std::make_shared<const Graph>(with.graph);
  const auto none = plan_without_data(graph, chosen.spec, chosen.recipe, {});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(none.error().message(), HasSubstr("batch norms"));
  // Facts about one layer, and an input of which nothing is known.
  DataFreeOptions few = with.options;
  few.inputs.clear();
  few.facts.erase("stem");
  const auto input = plan_without_data(graph, chosen.spec, chosen.recipe, few);
  ASSERT_FALSE(input.ok());
  EXPECT_EQ(input.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(input.error().message(), HasSubstr("\"x\""));
}

TEST(DataFree, TheSameForAnyNumberOfThreads) {
  WithFacts with;
  const Target chosen = target("");
  const auto graph = std::make_shared<const Graph>(with.graph);
  const std::string one =
      must(plan_without_data(graph, chosen.spec, chosen.recipe, with.options)).plan.to_text();
  with.options.threads = 4;
  EXPECT_EQ(
      one, must(plan_without_data(graph, chosen.spec, chosen.recipe, with.options)).plan.to_text());
}

}  // namespace
}  // namespace octet::accuracy
