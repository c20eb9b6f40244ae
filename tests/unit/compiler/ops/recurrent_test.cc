// RNN, GRU and LSTM where ONNX's node tests do not go. Numbers: ONNX Runtime.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/op_expect.h"

namespace octet::ops {
namespace {

using ir::Tensor;
using octet::testing::evaluate_op;
using octet::testing::expect_malformed;
using octet::testing::Extents;
using octet::testing::f32;
using octet::testing::inferred_shape;
using octet::testing::OpCase;

constexpr int64_t kSteps = 3;
constexpr int64_t kBatch = 2;
constexpr int64_t kInput = 2;
constexpr int64_t kHidden = 2;

// Numbers between -0.5 and 0.5 without a pattern that sums could hide.
Tensor pattern(Extents shape, int64_t start) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) {
    values.push_back(0.25F * static_cast<float>((i * 7 + start) % 5 - 2));
  }
  return f32(std::move(shape), values);
}

Tensor lengths() { return Tensor::of<int32_t>({kBatch}, {3, 2}); }

OpCase layer(const std::string& op, int64_t directions, int64_t gates,
             ir::AttributeMap attributes) {
  attributes["hidden_size"] = kHidden;
  return {op,
          {pattern({kSteps, kBatch, kInput}, 1), pattern({directions, gates * kHidden, kInput}, 2),
           pattern({directions, gates * kHidden, kHidden}, 3),
           pattern({directions, 2 * gates * kHidden}, 4)},
          std::move(attributes),
          14,
          gates == 4 ? size_t{3} : size_t{2}};
}

void expect_outputs(const OpCase& c, const std::vector<std::vector<float>>& expected) {
  const auto outputs = evaluate_op(c);
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  ASSERT_EQ(outputs->size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto found = (*outputs)[i].to_floats();
    ASSERT_EQ(found.size(), expected[i].size());
    for (size_t k = 0; k < found.size(); ++k) {
      EXPECT_NEAR(found[k], expected[i][k], 1e-5) << "output " << i << " element " << k;
    }
  }
}

TEST(Lstm, RunsBothWaysWithLengthsStatesAndPeepholes) {
  OpCase c = layer("LSTM", 2, 4, {{"direction", std::string("bidirectional")}});
  c.operands.emplace_back(lengths());
  c.operands.emplace_back(pattern({2, kBatch, kHidden}, 0));
  c.operands.emplace_back(pattern({2, kBatch, kHidden}, 1));
  c.operands.emplace_back(pattern({2, 3 * kHidden}, 2));
  expect_outputs(c, {{-0.1341173F, 0.1695411F,  -0.3144582F, 0.06730697F, 0.2360639F,  -0.2633705F,
                      0.2080627F,  -0.3081864F, -0.1679331F, 0.1912211F,  -0.3020706F, 0.1629118F,
                      0.2054183F,  -0.3047626F, 0.1164466F,  -0.4671853F, -0.102757F,  0.1923062F,
                      0.0F,        0.0F,        0.2257693F,  -0.118423F,  0.0F,        0.0F},
                     {-0.102757F, 0.1923062F, -0.3020706F, 0.1629118F, 0.2360639F, -0.2633705F,
                      0.2080627F, -0.3081864F},
                     {-0.1465719F, 0.6256565F, -0.4635312F, 0.389724F, 0.611012F, -0.4608677F,
                      0.5533299F, -0.562871F}});
}

TEST(Lstm, CouplesInputAndForgetGates) {
  expect_outputs(layer("LSTM", 1, 4, {{"input_forget", int64_t{1}}}),
                 {{-0.04655467F, 0.08962958F, -0.04539618F, 0.09213764F, -0.1280305F, 0.149088F,
                   -0.1261078F, 0.1603248F, -0.08467956F, 0.1495139F, -0.08516239F, 0.1557354F},
                  {-0.08467956F, 0.1495139F, -0.08516239F, 0.1557354F},
                  {-0.1226128F, 0.5307297F, -0.1187654F, 0.5889198F}});
}

TEST(Lstm, ClipsWhatGatesTake) {
  expect_outputs(layer("LSTM", 1, 4, {{"direction", std::string("reverse")}, {"clip", 0.2F}}),
                 {{-0.06253002F, 0.07242952F, -0.06111462F, 0.07041094F, -0.07034376F, 0.05887288F,
                   -0.06846677F, 0.0584174F, -0.0375356F, 0.04153435F, -0.0362679F, 0.04153435F},
                  {-0.06253002F, 0.07242952F, -0.06111462F, 0.07041094F},
                  {-0.1142194F, 0.1623055F, -0.1116122F, 0.1577056F}});
}

TEST(Gru, RunsBackwardLinearBeforeReset) {
  OpCase c = layer("GRU", 1, 3,
                   {{"direction", std::string("reverse")}, {"linear_before_reset", int64_t{1}}});
  c.operands.emplace_back(lengths());
  c.operands.emplace_back(pattern({1, kBatch, kHidden}, 0));
  expect_outputs(c, {{0.02067181F, 0.3176576F, 0.3974836F, 0.2200443F, 0.01210162F, 0.1957432F,
                      0.5185213F, 0.03581322F, -0.3501123F, 0.2508451F, 0.0F, 0.0F},
                     {0.02067181F, 0.3176576F, 0.3974836F, 0.2200443F}});
}

TEST(Gru, TakesOtherActivations) {
  OpCase c = layer("GRU", 1, 3,
                   {{"activations", std::vector<std::string>{"HardSigmoid", "LeakyRelu"}},
                    {"activation_alpha", std::vector<float>{0.3F, 0.1F}},
                    {"activation_beta", std::vector<float>{0.4F}}});
  c.operands.emplace_back(lengths());
  c.operands.emplace_back(pattern({1, kBatch, kHidden}, 0));
  expect_outputs(c, {{-0.1259375F, 0.1828125F, 0.4852344F, 0.08328124F, 0.3788275F, 0.1202062F,
                      0.7067175F, 0.0430049F, 0.3455834F, 0.3376562F, 0.0F, 0.0F},
                     {0.3455834F, 0.3376562F, 0.7067175F, 0.0430049F}});
}

TEST(Rnn, HasActivationsPerDirection) {
  OpCase c = layer("RNN", 2, 1,
                   {{"direction", std::string("bidirectional")},
                    {"activations", std::vector<std::string>{"Tanh", "Relu"}}});
  c.operands.emplace_back(lengths());
  expect_outputs(
      c, {{0.7039055F, -0.5545997F, 0.6351489F, -0.5545997F, 0.140625F, 0.5625F, 0.25F, 0.5F,
           0.792559F,  -0.8381135F, 0.7334193F, -0.8381135F, 0.0F,      1.0625F, 0.0F,  1.0F,
           0.9242164F, -0.779485F,  0.0F,       0.0F,        0.0F,      0.625F,  0.0F,  0.0F},
          {0.9242164F, -0.779485F, 0.7334193F, -0.8381135F, 0.140625F, 0.5625F, 0.25F, 0.5F}});
}

TEST(Recurrent, InfersBothLayouts) {
  EXPECT_EQ(inferred_shape(layer("LSTM", 1, 4, {})), "[3,1,2,2]");
  EXPECT_EQ(inferred_shape(layer("LSTM", 1, 4, {{"layout", int64_t{1}}})), "[3,2,1,2]");
}

TEST(Recurrent, RefusesWhatDoesNotFit) {
  expect_malformed(layer("GRU", 1, 3, {{"direction", std::string("sideways")}}), "direction");
  expect_malformed(layer("RNN", 1, 1, {{"activations", std::vector<std::string>{"Sine"}}}), "Sine");
  expect_malformed(
      layer("RNN", 1, 1, {{"activations", std::vector<std::string>{}}, {"layout", int64_t{2}}}),
      "layout");
  const auto short_weights = evaluate_op(layer("LSTM", 1, 3, {}));
  ASSERT_FALSE(short_weights.ok());
  EXPECT_EQ(short_weights.error().code(), ErrorCode::kMalformed);
}

}  // namespace
}  // namespace octet::ops
