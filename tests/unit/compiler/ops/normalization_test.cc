#include "tests/support/op_expect.h"

namespace octet::testing {
namespace {

TEST(BatchNormalization, UsesTheGivenStatistics) {
  const auto x = f32({1, 2, 2}, {0, 2, 4, 6});
  const OpCase c = {"BatchNormalization",
                    {x, f32({2}, {1, 2}), f32({2}, {0, 1}), f32({2}, {1, 4}), f32({2}, {1, 4})},
                    {{"epsilon", 0.0F}}};
  expect_output(c, f32({1, 2, 2}, {-1, 1, 1, 3}));
}

TEST(BatchNormalization, TrainingIsRefused) {
  const auto x = f32({1, 1, 1}, {0});
  const auto one = f32({1}, {1});
  expect_evaluation_error(
      {"BatchNormalization", {x, one, one, one, one}, {{"training_mode", int64_t{1}}}},
      ErrorCode::kUnsupported, "training_mode");
}

TEST(BatchNormalization, MalformedNodesAreRefused) {
  const auto x = counting({1, 2, 2});
  const auto two = f32({2}, {1, 1});
  expect_malformed({"BatchNormalization", {x, two, two, f32({3}, {1, 1, 1}), two}}, "input 3");
  expect_malformed({"BatchNormalization", {counting({2}), two, two, two, two}}, "rank 1");
}

TEST(InstanceNormalization, NormalizesEachChannelOfEachSample) {
  expect_output({"InstanceNormalization",
                 {f32({1, 2, 2}, {0, 2, 10, 30}), f32({2}, {1, 2}), f32({2}, {0, 5})},
                 {{"epsilon", 0.0F}}},
                f32({1, 2, 2}, {-1, 1, 3, 7}));
}

TEST(GroupNormalization, FactorsArePerGroupBeforeOpset21AndPerChannelSince) {
  const auto x = f32({1, 2, 1}, {0, 2});
  OpCase c = {"GroupNormalization",
              {x, f32({1}, {3}), f32({1}, {1})},
              {{"num_groups", int64_t{1}}, {"epsilon", 0.0F}},
              18};
  expect_output(c, f32({1, 2, 1}, {-2, 4}));
  c.opset = 21;
  c.operands = {x, f32({2}, {3, 5}), f32({2}, {0, 1})};
  expect_output(c, f32({1, 2, 1}, {-3, 6}));
}

TEST(Lrn, SumsSquaresOfNeighbouringChannels) {
  // size 2: the channel itself and the next one.
  expect_output({"LRN",
                 {f32({1, 3, 1}, {1, 2, 3})},
                 {{"size", int64_t{2}}, {"alpha", 2.0F}, {"beta", 1.0F}, {"bias", 1.0F}}},
                f32({1, 3, 1}, {1.0F / 6, 2.0F / 14, 3.0F / 10}));
}

TEST(LayerNormalization, NormalizesFromAxisOn) {
  OpCase c = {"LayerNormalization",
              {f32({2, 2}, {0, 2, 10, 30}), f32({2}, {1, 2}), f32({2}, {0, 1})},
              {{"epsilon", 0.0F}}};
  expect_output(c, f32({2, 2}, {-1, 3, -1, 3}));
  c.outputs = 3;
  const auto outputs = evaluate_op(c);
  ASSERT_TRUE(outputs.ok());
  EXPECT_EQ((*outputs)[1], f32({2, 1}, {1, 20}));
  EXPECT_EQ((*outputs)[2], f32({2, 1}, {1, 0.1F}));
}

TEST(LayerNormalization, ScaleMayVaryByRow) {
  expect_output({"LayerNormalization",
                 {f32({2, 2}, {0, 2, 10, 30}), f32({2, 1}, {1, 2})},
                 {{"epsilon", 0.0F}}},
                f32({2, 2}, {-1, 1, -2, 2}));
}

TEST(LayerNormalization, FactorsThatDoNotBroadcastAreRefused) {
  expect_malformed({"LayerNormalization", {counting({2, 2}), counting({3})}}, "broadcast");
  expect_malformed(
      {"LayerNormalization", {counting({2, 2}), counting({2})}, {{"axis", int64_t{2}}}}, "axis 2");
}

TEST(RmsNormalization, DividesByTheRootMeanSquare) {
  expect_output(
      {"RMSNormalization", {f32({1, 2}, {3, 4}), f32({2}, {1, 10})}, {{"epsilon", 0.0F}}, 23},
      f32({1, 2}, {0.8485281F, 11.3137085F}));
}

TEST(MeanVarianceNormalization, NormalizesOverTheGivenAxes) {
  expect_output({"MeanVarianceNormalization", {f32({1, 2, 1, 2}, {0, 2, 5, 9})}},
                f32({1, 2, 1, 2}, {-1, 1, -1, 1}));
  expect_output({"MeanVarianceNormalization", {f32({2, 1}, {0, 2})}, {{"axes", Ints{0}}}},
                f32({2, 1}, {-1, 1}));
}

TEST(LpNormalization, DividesByTheNorm) {
  expect_output({"LpNormalization", {f32({2, 2}, {3, 4, 0, 0})}}, f32({2, 2}, {.6F, .8F, 0, 0}));
  expect_output(
      {"LpNormalization", {f32({2, 2}, {1, 4, 3, 4})}, {{"axis", int64_t{0}}, {"p", int64_t{1}}}},
      f32({2, 2}, {.25F, .5F, .75F, .5F}));
}

}  // namespace
}  // namespace octet::testing
