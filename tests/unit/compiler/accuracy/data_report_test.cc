// What is said about samples: which of them set ranges, whether ranges have settled, how far one
// set is from another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compiler/accuracy/data_shift.h"
#include "compiler/accuracy/tensor_survey.h"
#include "tests/support/accuracy_network.h"

namespace octet::accuracy {
namespace {

using ir::Graph;
using ir::Tensor;
using ir::ValueId;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Surveyed {
  explicit Surveyed(const std::vector<std::vector<float>>& samples) {
    testing::GraphBuilder builder;
    const ValueId x = builder.input("x", {1, 2, 2});
    builder.output(builder.op("Relu", {x}));
    graph = builder.finish();
    TensorSurvey survey({{graph.inputs().front(), 1, std::pair{-1.0F, 2.0F}}});
    // From the last to the first: nothing may hang on the order.
    for (size_t i = samples.size(); i-- > 0;) {
      survey.observe(i, graph.inputs().front(), Tensor::of<float>({1, 2, 2}, samples[i]));
    }
    seen = *survey.of(graph.inputs().front());
    facts = sample_facts(graph, survey);
  }
  Graph graph;
  TensorSurvey::Seen seen;
  SampleFacts facts;
};

TEST(TensorSurvey, ChannelsAndSaturation) {
  const Surveyed x({{0, 0, 1, 3}, {0, 0, -2, 2}});
  EXPECT_THAT(x.seen.low, ElementsAre(0, -2));
  EXPECT_THAT(x.seen.high, ElementsAre(0, 3));
  EXPECT_EQ(x.seen.saturated, 2);  // 3 and -2
  EXPECT_EQ(x.seen.elements, 8);
  const ChannelFacts channels = channel_facts(x.seen);
  EXPECT_EQ(channels.count, 2);
  EXPECT_THAT(channels.dead, ElementsAre(0));
  EXPECT_THAT(channels.outliers, IsEmpty());
}

TEST(TensorSurvey, ASampleThatSetsARangeAloneIsNamed) {
  const Surveyed x({{0, 0, 1, 1}, {0, 0, 1, 10}, {0, -1, 1, 2}, {0, 0, 1, 1}});
  ASSERT_EQ(x.facts.setters.size(), 2U);
  EXPECT_EQ(x.facts.setters[0].sample, 1U);
  EXPECT_EQ(x.facts.setters[0].tensor, "x");
  EXPECT_NEAR(x.facts.setters[0].widest, 8.0 / 11.0, 1e-6);
  EXPECT_EQ(x.facts.setters[1].sample, 2U);
  EXPECT_NEAR(x.facts.setters[1].widest, 1.0 / 11.0, 1e-6);
  EXPECT_THAT(x.facts.grown, IsEmpty());
}

TEST(TensorSurvey, ARangeThatStillGrowsIsNamed) {
  std::vector<std::vector<float>> samples;
  for (int i = 0; i < 8; ++i) samples.push_back({0, 0, 0, static_cast<float>(i + 1)});
  const Surveyed x(samples);
  ASSERT_EQ(x.facts.grown.size(), 1U);
  EXPECT_EQ(x.facts.grown.front().last_sample, 7U);
  EXPECT_NEAR(x.facts.grown.front().grown, 0.25, 1e-6);  // from 6 to 8
}

calibration::Statistics normal(float mean, float deviation, uint32_t seed) {
  calibration::Statistics out;
  std::vector<float> values = testing::normal_values(20000, seed, deviation);
  for (float& x : values) x += mean;
  calibration::TensorStatistics& tensor = out.tensors["x"];
  tensor.elements = 20000;
  tensor.min = *std::min_element(values.begin(), values.end());
  tensor.max = *std::max_element(values.begin(), values.end());
  tensor.histogram.emplace().add(values);
  return out;
}

TEST(DataShift, IsTheDistanceInDeviations) {
  const auto base = normal(0.0F, 1.0F, 1);
  const auto shift = [&](const calibration::Statistics& other) {
    return data_shifts(base, other).front();
  };
  EXPECT_EQ(shift(base).distance, 0.0);
  EXPECT_EQ(shift(base).outside, 0.0);
  EXPECT_LT(shift(normal(0.0F, 1.0F, 2)).distance, 0.05);
  const DataShift moved = shift(normal(2.0F, 1.0F, 2));
  EXPECT_NEAR(moved.distance, 2.0, 0.05);
  EXPECT_NEAR(moved.second.mean, 2.0, 0.05);
  EXPECT_GT(moved.outside, 0.0);
  // |x| of a normal number is sqrt(2 / pi) on average; three times as wide moves it twice that.
  const DataShift wide = shift(normal(0.0F, 3.0F, 2));
  EXPECT_NEAR(wide.distance, 2.0 * 0.798, 0.05);
  EXPECT_NEAR(wide.second.deviation, 3.0, 0.05);
}

TEST(DataShift, TheFarthestFirst) {
  auto a = normal(0.0F, 1.0F, 1);
  auto b = normal(0.1F, 1.0F, 2);
  a.tensors["y"] = a.tensors["x"];
  b.tensors["y"] = normal(4.0F, 1.0F, 3).tensors["x"];
  a.tensors["only here"] = a.tensors["x"];
  const auto shifts = data_shifts(a, b);
  ASSERT_EQ(shifts.size(), 2U);
  EXPECT_EQ(shifts.front().tensor, "y");
}

}  // namespace
}  // namespace octet::accuracy
