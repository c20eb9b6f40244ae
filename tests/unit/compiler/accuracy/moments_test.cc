#include "compiler/accuracy/moments.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/accuracy_network.h"

namespace octet::accuracy {
namespace {

using ir::Graph;
using ir::ValueId;
using testing::ConvNetwork;
using testing::must;

double phi(double x) { return std::exp(-x * x / 2.0) / std::sqrt(2.0 * M_PI); }
double cumulative(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

// E[max(x, 0)] of a normal x.
double relu_mean(double m, double s) { return s * phi(m / s) + m * cumulative(m / s); }

// Graph with one operator behind `x`, whose channels are given.
ValueMoments behind(const std::string& type, std::vector<ChannelMoments> channels,
                    std::vector<std::vector<float>> constants = {}) {
  testing::GraphBuilder builder(ops::infer_node);
  const auto count = static_cast<int64_t>(channels.size());
  const ValueId x = builder.input("x", {1, count, 2, 2});
  std::vector<ValueId> inputs = {x};
  for (const auto& numbers : constants) {
    inputs.push_back(builder.constant<float>("c" + std::to_string(inputs.size()), {}, numbers));
  }
  const ValueId y = builder.op(type, inputs);
  builder.output(y);
  const Graph graph = builder.finish();
  return propagate_moments(graph, {}, {{x, {std::move(channels), 1}}}).at(y);
}

TEST(Moments, ReluIsTheFormula) {
  for (const double m : {-2.0, -0.5, 0.0, 1.0, 3.0}) {
    for (const double s : {0.3, 1.0, 2.5}) {
      const ValueMoments y = behind("Relu", {normal_channel(m, s)});
      EXPECT_NEAR(y.channels[0].mean, relu_mean(m, s), 2e-3 * s) << m << " " << s;
      const double square = (m * m + s * s) * cumulative(m / s) + m * s * phi(m / s);
      const double deviation = std::sqrt(square - std::pow(relu_mean(m, s), 2.0));
      EXPECT_NEAR(y.channels[0].deviation, deviation, 5e-3 * s);
      EXPECT_NEAR(y.channels[0].low, std::max(0.0, m - 6 * s), 1e-9);
      EXPECT_NEAR(y.channels[0].high, std::max(0.0, m + 6 * s), 1e-9);
    }
  }
}

TEST(Moments, ClipIsTheDifferenceOfTwoRelus) {
  const ValueMoments y = behind("Clip", {normal_channel(4.0, 3.0)}, {{0.0F}, {6.0F}});
  EXPECT_NEAR(y.channels[0].mean, relu_mean(4.0, 3.0) - relu_mean(-2.0, 3.0), 5e-3);
  EXPECT_EQ(y.channels[0].low, 0.0);
  EXPECT_EQ(y.channels[0].high, 6.0);
}

TEST(Moments, FunctionsThatTurnBackKeepTheirWholeRange) {
  const ValueMoments y = behind("HardSwish", {normal_channel(0.0, 1.0)});
  EXPECT_NEAR(y.channels[0].low, -0.375, 2e-2);
  EXPECT_NEAR(y.channels[0].high, 6.0, 1e-9);
}

TEST(Moments, AConvolutionAddsMeansAndVariances) {
  testing::GraphBuilder builder(ops::infer_node);
  const ValueId x = builder.input("x", {1, 2, 4, 4});
  const ValueId w = builder.constant<float>("w", {1, 2, 1, 1}, {2.0F, -3.0F});
  const ValueId b = builder.constant<float>("b", {1}, {0.5F});
  const ValueId y = builder.op("Conv", {x, w, b});
  builder.output(y);
  const Graph graph = builder.finish();
  const auto known = propagate_moments(
      graph, {}, {{x, {{normal_channel(1.0, 0.5), normal_channel(-1.0, 0.25)}, 1}}});
  EXPECT_NEAR(known.at(y).channels[0].mean, 2.0 + 3.0 + 0.5, 1e-9);
  EXPECT_NEAR(known.at(y).channels[0].deviation, std::hypot(2.0 * 0.5, 3.0 * 0.25), 1e-9);
}

TEST(Moments, FactsWinOverWhatIsComputed) {
  ConvNetwork net;
  const ValueId a = net.conv(net.input(), 8, 2, 1, "a");
  const Graph graph = net.finish({net.op("Relu", {a}, "b")});
  const NormFacts facts = {{"a", {{1.0, 2.0}, {0.5, 0.25}}}};
  const auto known = propagate_moments(graph, facts, {});
  EXPECT_EQ(known.at(graph.find_value("a")).channels[1].mean, 2.0);
  EXPECT_NEAR(known.at(graph.find_value("b")).channels[1].mean, 2.0, 1e-6);
  EXPECT_NEAR(known.at(graph.find_value("b")).channels[1].high, 3.5, 1e-9);
}

TEST(Moments, WhatIsNotKnownStaysUnknown) {
  ConvNetwork net;
  const ValueId a = net.op("Relu", {net.input()}, "a");
  const Graph graph = net.finish({net.conv(a, 8, 2, 1, "b")});
  EXPECT_TRUE(propagate_moments(graph, {}, {}).empty());
}

TEST(Moments, AdditionsConcatsAndSplitsKeepChannels) {
  testing::GraphBuilder builder(ops::infer_node);
  const ValueId x = builder.input("x", {1, 2, 4, 4});
  const ValueId sum = builder.op("Add", {x, x});
  const ValueId both = builder.op("Concat", {x, sum}, {{"axis", int64_t{1}}});
  builder.output(both);
  const Graph graph = builder.finish();
  const auto known = propagate_moments(
      graph, {}, {{x, {{normal_channel(1.0, 3.0), normal_channel(-2.0, 4.0)}, 1}}});
  const auto& channels = known.at(both).channels;
  ASSERT_EQ(channels.size(), 4U);
  EXPECT_EQ(channels[1].mean, -2.0);
  EXPECT_EQ(channels[2].mean, 2.0);
  EXPECT_NEAR(channels[2].deviation, std::sqrt(18.0), 1e-9);
}

TEST(NormFacts, AreMeanAndDeviationOfTheResult) {
  testing::GraphBuilder builder(ops::infer_node);
  const ValueId x = builder.input("x", {1, 2, 4, 4});
  const auto c = [&](const std::string& name, std::vector<float> values) {
    return builder.constant<float>(name, {2}, values);
  };
  const ValueId y = builder.op("BatchNormalization",
                               {x, c("gamma", {-2.0F, 1.0F}), c("beta", {0.5F, -0.5F}),
                                c("mean", {3.0F, 4.0F}), c("variance", {4.0F, 0.0F})},
                               {{"epsilon", 0.5F}});
  builder.output(y);
  const Graph graph = builder.finish();
  const NormFacts facts = gather_norm_facts(graph);
  ASSERT_EQ(facts.size(), 1U);
  const NormFact& fact = facts.at(graph.value(y).name);
  EXPECT_EQ(fact.mean, (std::vector<double>{0.5, -0.5}));
  EXPECT_NEAR(fact.deviation[0], 2.0 * std::sqrt(4.0 / 4.5), 1e-6);
  EXPECT_EQ(fact.deviation[1], 0.0);  // a channel without variance
}

TEST(GuessInput, FindsMeanAndDeviationOfPictures) {
  ConvNetwork net;
  const ValueId x = net.input(3);
  const Graph graph = net.finish({net.conv(x, 3, 16, 3, "stem")});
  // What a batch norm would hold, had it seen a picture's constant plus correlated pixels.
  const std::vector<double> means = {0.4, -0.2, 0.1};
  constexpr double kDeviation = 0.7;
  const auto w = graph.constant(graph.find_value("stem.w"))->data<float>();
  const auto b = graph.constant(graph.find_value("stem.b"))->data<float>();
  NormFact fact;
  for (size_t o = 0; o < 16; ++o) {
    double mean = static_cast<double>(b[o]);
    double energy = 0.0;
    for (size_t i = 0; i < 27; ++i) {
      mean += static_cast<double>(w[o * 27 + i]) * means[i / 9];
      for (size_t j = 0; j < 27; ++j) {
        const double away =
            std::hypot(static_cast<double>(i % 9 / 3) - static_cast<double>(j % 9 / 3),
                       static_cast<double>(i % 3) - static_cast<double>(j % 3));
        energy += static_cast<double>(w[o * 27 + i]) * static_cast<double>(w[o * 27 + j]) *
                  std::pow(0.95, away) * (i / 9 == j / 9 ? 1.0 : 0.9);
      }
    }
    fact.mean.push_back(mean);
    fact.deviation.push_back(kDeviation * std::sqrt(energy));
  }
  const ValueMoments guess = guess_input(graph, {{"stem", fact}}, x);
  ASSERT_EQ(guess.channels.size(), 3U);
  for (size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(guess.channels[c].mean, means[c], 1e-2);
    EXPECT_NEAR(guess.channels[c].deviation, kDeviation, 1e-3);
    EXPECT_NEAR(guess.channels[c].high, guess.channels[c].mean + 4 * kDeviation, 1e-2);
  }
  EXPECT_TRUE(guess_input(graph, {}, x).channels.empty());
}

}  // namespace
}  // namespace octet::accuracy
