#include "compiler/accuracy/second_order_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/backends.h"
#include "compiler/accuracy/statistics_recipe.h"
#include "compiler/calibration/calibrate.h"
#include "compiler/plan/apply.h"
#include "compiler/plan/planner.h"
#include "tests/support/accuracy_network.h"

namespace octet::accuracy {
namespace {

using calibration::LayerStatistics;
using calibration::Statistics;
using ir::Graph;
using ir::ValueId;
using testing::ConvNetwork;
using ::testing::HasSubstr;
using testing::HeldSamples;
using testing::must;

Graph network() {
  ConvNetwork net;
  const ValueId a = net.relu6(net.conv(net.input(), 8, 16, 3, "stem", 1, 0.75F), "stem.relu6");
  const ValueId d = net.op("Relu", {net.conv(a, 16, 16, 3, "depthwise", 16, 1.2F)}, "relu");
  const ValueId p = net.conv(d, 16, 24, 1, "point", 1, 0.85F);
  const ValueId q = net.conv(d, 16, 8, 1, "other");  // reads the same columns as "point"
  return net.finish({net.op("Concat", {p, q}, "out", {{"axis", int64_t{1}}})});
}

Statistics gathered(const Graph& graph, const data::Dataset& samples, size_t threads = 2,
                    calibration::Shard shard = {}, int64_t limit = int64_t{1} << 28) {
  const auto gatherer = must(SecondOrderGatherer::make(graph, limit));
  calibration::CalibrateOptions options;
  options.values = calibration::observable_values(graph);
  options.histograms = options.values;
  options.threads = threads;
  options.shard = shard;
  options.shown = gatherer->values();
  options.starts = [&](size_t i, uint64_t digest) { gatherer->starts(i, digest); };
  options.show = [&](size_t i, ValueId value, const ir::Tensor& tensor) {
    return gatherer->observe(i, value, tensor);
  };
  Statistics out =
      must(calibration::calibrate(std::make_shared<const Graph>(graph), samples, options));
  gatherer->finish(out);
  return out;
}

TEST(SecondOrderStatistics, LayersThatReadTheSameColumnsShareThem) {
  const Graph graph = network();
  const auto layers = find_column_layers(graph);
  ASSERT_EQ(layers.size(), 3U);
  EXPECT_EQ(layers[2].sharing.size(), 2U);
  const Statistics statistics = gathered(graph, testing::normal_samples(4, {1, 8, 12, 12}, 3));
  EXPECT_EQ(statistics.layers.size(), 3U);
  EXPECT_TRUE(statistics.layers.contains("point"));
}

TEST(SecondOrderStatistics, TheSameBytesForShardsThreadsAndText) {
  const Graph graph = network();
  const auto samples = testing::normal_samples(23, {1, 8, 12, 12}, 3);
  const std::string whole = gathered(graph, samples, 1).to_text();
  for (const size_t threads : {2, 4, 8}) {
    EXPECT_EQ(gathered(graph, samples, threads).to_text() == whole, true) << threads;
  }
  for (const auto& order : {std::vector<size_t>{1, 2, 3}, {3, 1, 2}}) {
    std::optional<Statistics> merged;
    for (const size_t shard : order) {
      // Through text, as shards come.
      Statistics part =
          must(Statistics::from_text(gathered(graph, samples, 2, {shard, 3}).to_text()));
      if (merged) {
        must(merged->merge(part));
      } else {
        merged = std::move(part);
      }
    }
    EXPECT_EQ(merged->to_text() == whole, true);
  }
}

// Samples of very different magnitude: buckets come and go, in any order alike.
TEST(SecondOrderStatistics, MagnitudesApartMergeInAnyOrder) {
  const Graph graph = network();
  std::vector<data::Sample> data;
  for (uint32_t i = 0; i < 12; ++i) {
    const float size = std::ldexp(1.0F, static_cast<int>(i * 5 % 12) * 3 - 16);
    data.push_back({ir::Tensor::of<float>({1, 8, 12, 12}, testing::normal_values(1152, i, size))});
  }
  const HeldSamples samples(data);
  const Statistics whole = gathered(graph, samples);
  const LayerStatistics& stem = whole.layers.at("stem");
  EXPECT_LE(stem.fit.size(), 2U);
  for (const auto& order : {std::vector<size_t>{1, 2, 3, 4}, {4, 2, 1, 3}, {3, 4, 2, 1}}) {
    Statistics merged = gathered(graph, samples, 1, {order.front(), 4});
    for (size_t i = 1; i < order.size(); ++i) {
      must(merged.merge(gathered(graph, samples, 1, {order[i], 4})));
    }
    EXPECT_EQ(merged.to_text() == whole.to_text(), true);
  }
}

// Sums by hand, from all positions of a product.
TEST(SecondOrderStatistics, AreTheSumsOfTheColumns) {
  testing::GraphBuilder builder(ops::infer_node);
  const ValueId x = builder.input("x", {5, 3});
  const ValueId w = builder.constant<float>("w", {3, 2}, testing::normal_values(6, 1));
  const ValueId y = builder.op("MatMul", {x, w});
  builder.output(y, "y");
  const Graph graph = builder.finish();
  const auto samples = testing::normal_samples(8, {5, 3}, 40);
  const Statistics statistics = gathered(graph, samples);
  std::vector<double> expected(9, 0.0);
  for (size_t s = 0; s < samples.size(); ++s) {
    const std::vector<float> values = must(samples.get(s))[0].to_floats();
    for (size_t r = 0; r < 5; ++r) {
      for (size_t a = 0; a < 3; ++a) {
        for (size_t b = 0; b < 3; ++b) {
          expected[a * 3 + b] += static_cast<double>(values[r * 3 + a] * values[r * 3 + b]);
        }
      }
    }
  }
  std::vector<double> found(9, 0.0);
  int64_t count = 0;
  const LayerStatistics& layer = statistics.layers.begin()->second;
  for (const auto* part : {&layer.fit, &layer.apart}) {
    for (const auto& [exponent, bucket] : *part) {
      const double unit = std::ldexp(1.0, exponent - LayerStatistics::kBits);
      count += bucket.count;
      size_t at = 0;
      for (size_t a = 0; a < 3; ++a) {
        for (size_t b = a; b < 3; ++b, ++at) {
          const double value = static_cast<double>(bucket.products[at]) * unit * unit;
          found[a * 3 + b] += value;
          if (a != b) found[b * 3 + a] += value;
        }
      }
    }
  }
  EXPECT_EQ(count, 40);
  for (size_t i = 0; i < 9; ++i) EXPECT_NEAR(found[i], expected[i], 0.02);
}

TEST(SecondOrderStatistics, LessMemoryKeepsBlocksAndMergesWithMore) {
  const Graph graph = network();
  const auto samples = testing::normal_samples(10, {1, 8, 12, 12}, 3);
  const Statistics roomy = gathered(graph, samples, 1, {1, 2});
  EXPECT_EQ(roomy.layers.at("stem").block, 8192);
  // 72 columns of the stem do not fit whole.
  const Statistics tight = gathered(graph, samples, 1, {2, 2}, 110000);
  const int64_t block = tight.layers.at("stem").block;
  EXPECT_LT(block, 72);
  EXPECT_GE(block, 32);
  const Statistics all_tight = gathered(graph, samples, 1, {1, 1}, 110000);
  Statistics one = roomy;
  must(one.merge(tight));
  Statistics other = tight;
  must(other.merge(roomy));
  EXPECT_EQ(one.to_text() == all_tight.to_text(), true);
  EXPECT_EQ(other.to_text() == all_tight.to_text(), true);
  const auto refused = SecondOrderGatherer::make(graph, 1000);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kResourceLimit);
  EXPECT_THAT(refused.error().message(), HasSubstr("--max-memory"));
}

TEST(SecondOrderStatistics, BrokenTextIsRefused) {
  const Graph graph = network();
  const std::string text = gathered(graph, testing::normal_samples(4, {1, 8, 12, 12}, 3)).to_text();
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    return Statistics::from_text(changed).ok();
  };
  EXPECT_TRUE(with("fit ", "fit "));
  EXPECT_FALSE(with("layer depthwise 16 9", "layer depthwise 16 8"));
  EXPECT_FALSE(with("layer depthwise 16 9", "layer depthwise 16 1000000000"));
  EXPECT_FALSE(with("layer depthwise 16 9", "layer depthwise 0 9"));
  EXPECT_FALSE(with("\nfit 4 ", "\nfit 5 "));
  EXPECT_FALSE(with("\nfit 4 ", "\nfit 4000 "));
  EXPECT_FALSE(with("\nfit 4 ", "\nfit 4 -"));
  EXPECT_FALSE(with("channels stem 1", "channels stem x"));
}

TEST(StatisticsRecipe, BringsOutputsNearerThanRangesAlone) {
  const Graph graph = network();
  const auto shared = std::make_shared<const Graph>(graph);
  const auto samples = testing::normal_samples(40, {1, 8, 12, 12}, 100);
  const auto unseen = testing::normal_samples(20, {1, 8, 12, 12}, 9000);
  const Statistics statistics = gathered(graph, samples);
  for (const char* backend : {"x86", "arm", "openvino", "tensorrt"}) {
    const auto spec = must(backends::load_backend(backend));
    RecipeOptions options;
    const RecipeResult made = must(plan_from_statistics(shared, statistics, spec, {}, options));
    EXPECT_EQ(made.samples, 40);
    EXPECT_GE(made.report.rounded, 3U);
    EXPECT_GE(made.report.equalized_tensors, 1U);
    options.threads = 4;
    EXPECT_EQ(must(plan_from_statistics(shared, statistics, spec, {}, options)).plan.to_text() ==
                  made.plan.to_text(),
              true);
    const auto quality = [&](const plan::QuantPlan& plan) {
      Graph quantized = graph;
      must(plan::apply_plan(quantized, plan));
      return testing::sqnr(graph, quantized, unseen);
    };
    const double ranges = quality(must(plan::make_plan(graph, statistics, spec, {})));
    EXPECT_GT(quality(made.plan), ranges + 2.0) << backend;
    const RecipeResult lockstep =
        must(plan_with_recipe(shared, samples, spec, {}, RecipeOptions{}));
    EXPECT_GT(quality(made.plan), quality(lockstep.plan) - 1.5) << backend;
  }
}

// Ranges of the equalized model are those that a pass over it would have seen.
TEST(StatisticsRecipe, RangesAreThoseOfTheEqualizedModel) {
  const Graph graph = network();
  const auto samples = testing::normal_samples(20, {1, 8, 12, 12}, 100);
  const auto spec = must(backends::load_backend("x86"));
  const RecipeResult made = must(plan_from_statistics(std::make_shared<const Graph>(graph),
                                                      gathered(graph, samples), spec, {}, {}));
  calibration::CalibrateOptions options;
  options.values = plan::needed_statistics(*made.equalized, spec, {}).values;
  const plan::QuantPlan direct = must(plan::make_plan(
      *made.equalized, must(calibration::calibrate(made.equalized, samples, options)), spec, {}));
  ASSERT_EQ(direct.activations.size(), made.plan.activations.size());
  for (size_t i = 0; i < direct.activations.size(); ++i) {
    const float expected = direct.activations[i].params.scales().front();
    EXPECT_NEAR(made.plan.activations[i].params.scales().front() / expected, 1.0F, 1e-4F)
        << direct.activations[i].value;
  }
}

TEST(StatisticsRecipe, StatisticsOfAnotherModelAreRefused) {
  const Graph graph = network();
  Statistics statistics = gathered(graph, testing::normal_samples(9, {1, 8, 12, 12}, 100));
  statistics.fingerprint = "abc";
  const auto made = plan_from_statistics(std::make_shared<const Graph>(graph), statistics,
                                         must(backends::load_backend("x86")), {}, {});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code(), ErrorCode::kUsage);
}

}  // namespace
}  // namespace octet::accuracy
