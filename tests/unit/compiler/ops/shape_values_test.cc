#include "tests/support/op_expect.h"

namespace octet::testing {
namespace {

const ir::Dim kN = ir::Dim::named("N");

Operand of_shape(std::vector<ir::Dim> dims) {
  return Operand::of_type(ir::DType::kFloat32, ir::Shape(std::move(dims)));
}

TEST(Shape, GivesTheExtents) {
  expect_output({"Shape", {counting({2, 3})}}, i64({2}, {2, 3}));
  expect_output({"Shape", {counting({2, 3, 4})}, {{"start", int64_t{-2}}, {"end", int64_t{9}}}},
                i64({2}, {3, 4}));
  expect_output({"Shape", {counting({2, 3})}, {{"start", int64_t{2}}, {"end", int64_t{0}}}},
                i64({0}, {}));
}

TEST(Shape, ElementsAreKnownAsFarAsTheExtentsAre) {
  EXPECT_EQ(inferred_elements({"Shape", {of_shape({kN, 3, ir::Dim()})}}), "[N,3,?]");
  EXPECT_EQ(inferred_elements({"Size", {of_shape({2, 3})}}), "[6]");
  EXPECT_EQ(inferred_elements({"Size", {of_shape({kN, 1})}}), "[N]");
}

TEST(Size, CountsElements) { expect_output({"Size", {counting({2, 3})}}, i64({}, {6})); }

TEST(Constant, TakesItsValueFromAnyAttribute) {
  expect_output({"Constant", {}, {{"value_int", int64_t{-7}}}}, i64({}, {-7}));
  expect_output({"Constant", {}, {{"value_ints", Ints{1, 2}}}}, i64({2}, {1, 2}));
  expect_output({"Constant", {}, {{"value_float", 1.5F}}}, f32({}, {1.5F}));
  expect_output({"Constant", {}, {{"value_floats", std::vector<float>{1, 2}}}}, f32({2}, {1, 2}));
  expect_output({"Constant", {}, {{"value", std::make_shared<const ir::Tensor>(counting({2}))}}},
                counting({2}));
  EXPECT_EQ(inferred_elements({"Constant", {}, {{"value_ints", Ints{1, -1}}}}), "[1,?]");
  expect_malformed({"Constant", {}}, "no attribute");
}

TEST(ConstantOfShape, RepeatsOneValue) {
  expect_output({"ConstantOfShape", {known(Ints{2})}}, f32({2}, {0, 0}));
  const auto value = std::make_shared<const ir::Tensor>(i64({1}, {7}));
  expect_output({"ConstantOfShape", {known(Ints{1, 2})}, {{"value", value}}}, i64({1, 2}, {7, 7}));
  EXPECT_EQ(inferred_elements({"ConstantOfShape", {known(Ints{2})}, {{"value", value}}}), "[7,7]");
  EXPECT_EQ(inferred_shape({"ConstantOfShape", {Operand::of_elements({kN, 4})}}), "[N,4]");
  expect_malformed({"ConstantOfShape", {known(Ints{-1})}}, "extent of -1");
  expect_evaluation_error({"ConstantOfShape", {known(Ints{int64_t{1} << 50})}},
                          ErrorCode::kResourceLimit, "");
}

OpCase range(int64_t start, int64_t limit, int64_t delta) {
  return {"Range", {known(i64({}, {start})), known(i64({}, {limit})), known(i64({}, {delta}))}};
}

TEST(Range, CountsUpAndDown) {
  expect_output(range(1, 6, 2), i64({3}, {1, 3, 5}));
  expect_output(range(3, 0, -1), i64({3}, {3, 2, 1}));
  expect_output(range(3, 0, 1), i64({0}, {}));
  expect_output({"Range", {f32({}, {0}), f32({}, {1}), f32({}, {0.4F})}},
                f32({3}, {0, 0.4F, 0.8F}));
  EXPECT_EQ(inferred_elements(range(0, 3, 1)), "[0,1,2]");
  EXPECT_EQ(inferred_elements(range(INT64_MIN, INT64_MAX, INT64_MAX)), "[?,?,9223372036854775806]");
}

TEST(Range, HasTheLengthOfANamedLimit) {
  Operand limit = Operand::of_elements({kN});
  limit.facts.type.shape = ir::Shape(std::vector<ir::Dim>());
  EXPECT_EQ(inferred_shape({"Range", {known(i64({}, {0})), limit, known(i64({}, {1}))}}), "[N]");
}

TEST(Range, BombsAndStepsOfZeroAreRefused) {
  expect_malformed(range(0, 5, 0), "step of 0");
  expect_evaluation_error(range(0, INT64_MAX, 1), ErrorCode::kResourceLimit, "");
  expect_evaluation_error(range(INT64_MIN, INT64_MAX, 1), ErrorCode::kResourceLimit, "");
  expect_evaluation_error({"Range", {f32({}, {0}), f32({}, {1}), f32({}, {1e-30F})}},
                          ErrorCode::kResourceLimit, "");
}

TEST(Dropout, IsTheIdentityOutsideOfTraining) {
  OpCase c = {"Dropout", {counting({2})}};
  c.outputs = 2;
  const auto out = evaluate_op(c);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ((*out)[0], counting({2}));
  EXPECT_EQ((*out)[1], ir::Tensor::of<bool>({2}, {true, true}));
  c.operands = {counting({2}), f32({}, {0.5F}), ir::Tensor::scalar(true)};
  expect_evaluation_error(c, ErrorCode::kUnsupported, "training_mode");
}

TEST(ShapeSubgraph, PartialValuesFlowFromShapeToReshape) {
  // Shape -> Gather -> Unsqueeze -> Concat -> Reshape, as exporters write x.view(x.size(0), -1).
  const auto step = [](const OpCase& c) {
    const auto facts = infer_op(c);
    EXPECT_TRUE(facts.ok());
    Operand out;
    out.facts = (*facts)[0];
    return out;
  };
  const Operand x = of_shape({kN, 4, 7, 7});
  const Operand shape = step({"Shape", {x}});
  const Operand batch = step({"Gather", {shape, known(i64({}, {0}))}});
  const Operand row = step({"Unsqueeze", {batch, known(Ints{0})}});
  const Operand target = step({"Concat", {row, known(Ints{-1})}, {{"axis", int64_t{0}}}});
  EXPECT_EQ(inferred_shape({"Reshape", {x, target}}), "[N,196]");
}

}  // namespace
}  // namespace octet::testing
