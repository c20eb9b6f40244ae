// Attention and its kin where ONNX's node tests do not go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/op_expect.h"

namespace octet::ops {
namespace {

using ir::Tensor;
using octet::testing::counting;
using octet::testing::evaluate_op;
using octet::testing::expect_evaluation_error;
using octet::testing::expect_malformed;
using octet::testing::expect_output;
using octet::testing::f32;
using octet::testing::i64;
using octet::testing::inferred_shape;
using octet::testing::OpCase;
using octet::testing::Operand;

// One head, two keys; scale 0 makes all scores equal.
OpCase averaging(ir::AttributeMap attributes = {}) {
  attributes["scale"] = 0.0F;
  return {"Attention",
          {f32({1, 1, 2, 1}, {1, 2}), f32({1, 1, 2, 1}, {1, 2}), f32({1, 1, 2, 1}, {4, 8})},
          std::move(attributes),
          24};
}

TEST(Attention, AveragesValuesOfEqualScores) {
  expect_output(averaging(), f32({1, 1, 2, 1}, {6, 6}));
}

TEST(Attention, CausalSeesThePastOnly) {
  expect_output(averaging({{"is_causal", int64_t{1}}}), f32({1, 1, 2, 1}, {4, 6}));
}

TEST(Attention, PadsAShortMask) {
  OpCase c = averaging();
  c.operands.emplace_back(Tensor::of<bool>({2, 1}, {true, true}));
  expect_output(c, f32({1, 1, 2, 1}, {4, 4}));
}

TEST(Attention, GivesZeroWhereEverythingIsMasked) {
  OpCase c = averaging();
  c.operands.emplace_back(Tensor::of<bool>({2, 2}, {false, false, true, true}));
  expect_output(c, f32({1, 1, 2, 1}, {0, 6}));
}

TEST(Attention, TakesLengthsOfPaddedCaches) {
  OpCase c = averaging();
  for (int i = 0; i < 3; ++i) c.operands.emplace_back();
  c.operands.emplace_back(i64({1}, {1}));
  expect_output(c, f32({1, 1, 2, 1}, {4, 4}));
}

TEST(Attention, SharesKeysAmongGroupsOfHeads) {
  const OpCase c = {
      "Attention",
      {f32({1, 4, 1, 1}, {0, 0, 0, 0}), f32({1, 2, 1, 1}, {1, 1}), f32({1, 2, 1, 1}, {3, 5})},
      {},
      23};
  expect_output(c, f32({1, 4, 1, 1}, {3, 3, 5, 5}));
}

TEST(Attention, RefusesHeadsThatDoNotFit) {
  OpCase c = {"Attention",
              {counting({1, 3, 1, 1}), counting({1, 2, 1, 1}), counting({1, 2, 1, 1})},
              {},
              23};
  expect_evaluation_error(c, ErrorCode::kMalformed, "heads");
  c.operands[0] = counting({1, 3, 1});
  expect_malformed(c, "input");
  expect_evaluation_error(
      {"Attention", {counting({1, 2, 4}), counting({1, 2, 4}), counting({1, 2, 4})}, {}, 23},
      ErrorCode::kMalformed, "numbers of heads");
  c = averaging();
  c.operands.emplace_back(counting({2, 3}));
  expect_evaluation_error(c, ErrorCode::kMalformed, "input 3");
  c = averaging();
  c.operands.emplace_back();
  c.operands.emplace_back(counting({1, 1, 1, 1}));
  expect_evaluation_error(c, ErrorCode::kMalformed, "go together");
}

TEST(Attention, InfersTheCache) {
  OpCase c = averaging();
  c.operands.emplace_back();
  c.operands.emplace_back(counting({1, 1, 3, 1}));
  c.operands.emplace_back(counting({1, 1, 3, 1}));
  c.outputs = 3;
  const auto facts = octet::testing::infer_op(c);
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ((*facts)[1].type.shape.to_string(), "[1,1,5,1]");
  const auto outputs = evaluate_op(c);
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  EXPECT_THAT((*outputs)[1].to_floats(), ::testing::ElementsAre(0, 1, 2, 1, 2));
}

TEST(RotaryEmbedding, TurnsPairsByPosition) {
  // cos 0, sin 1: (x1, x2) becomes (-x2, x1).
  const OpCase c = {"RotaryEmbedding",
                    {f32({1, 1, 1, 4}, {1, 2, 3, 4}), f32({2, 2}, {1, 1, 0, 0}),
                     f32({2, 2}, {0, 0, 1, 1}), i64({1, 1}, {1})},
                    {},
                    23};
  expect_output(c, f32({1, 1, 1, 4}, {-3, -4, 1, 2}));
  OpCase far = c;
  far.operands[3] = i64({1, 1}, {2});
  expect_evaluation_error(far, ErrorCode::kMalformed, "index 2 for an extent of 2");
}

TEST(LinearAttention, RefusesOperandsThatItsRuleDoesNotHave) {
  const Tensor x = counting({1, 2, 4});
  const OpCase c = {"LinearAttention",
                    {x, x, x, Operand(), Operand(), Operand()},
                    {{"q_num_heads", int64_t{2}},
                     {"kv_num_heads", int64_t{2}},
                     {"update_rule", std::string("delta")}},
                    27,
                    2};
  expect_evaluation_error(c, ErrorCode::kMalformed, "update rule");
}

TEST(CausalConv, LooksBackOnly) {
  const OpCase c = {
      "CausalConvWithState",
      {f32({1, 1, 3}, {1, 2, 3}), f32({1, 1, 2}, {10, 1}), Operand(), f32({1, 1, 1}, {5})},
      {},
      27,
      2};
  expect_output(c, f32({1, 1, 3}, {51, 12, 23}));
}

}  // namespace
}  // namespace octet::ops
