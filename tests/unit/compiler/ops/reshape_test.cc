#include "tests/support/op_expect.h"

namespace octet::testing {
namespace {

Operand of_shape(std::vector<ir::Dim> dims) {
  return Operand::of_type(ir::DType::kFloat32, ir::Shape(std::move(dims)));
}
const ir::Dim kN = ir::Dim::named("N");

OpCase reshape(Operand x, Operand shape) { return {"Reshape", {std::move(x), std::move(shape)}}; }

TEST(Reshape, ZeroCopiesAndMinusOneIsSolvedFor) {
  expect_output(reshape(counting({2, 3, 4}), known(Ints{0, -1})), counting({2, 12}));
  expect_output(reshape(counting({2, 3}), known(Ints{6})), counting({6}));
  expect_output(reshape(counting({1}), known(Ints{})), counting({}));
}

TEST(Reshape, AllowzeroTakesZeroLiterally) {
  OpCase c = reshape(counting({0, 3}), known(Ints{3, 0}));
  c.attributes["allowzero"] = int64_t{1};
  expect_output(c, f32({3, 0}, {}));
}

TEST(Reshape, SharesTheBytes) {
  const auto x = counting({2, 3});
  const auto y = evaluate_op(reshape(x, known(Ints{3, 2})));
  EXPECT_EQ(y->at(0).bytes().data(), x.bytes().data());
}

TEST(Reshape, OneUnknownExtentIsSolvedForWhereTheOthersCancel) {
  EXPECT_EQ(inferred_shape(reshape(of_shape({kN, 3, 4}), known(Ints{0, -1}))), "[N,12]");
  EXPECT_EQ(inferred_shape(reshape(of_shape({ir::Dim(), 3, 4}), known(Ints{0, -1}))), "[?,12]");
  EXPECT_EQ(inferred_shape(reshape(of_shape({kN, 3, 4}), known(Ints{-1, 12}))), "[N,12]");
  EXPECT_EQ(inferred_shape(reshape(of_shape({kN, 3, 4}), known(Ints{-1, 6}))), "[?,6]");
  EXPECT_EQ(inferred_shape(reshape(of_shape({kN, 3, 4}), Operand::of_elements({kN, ir::Dim(), 2}))),
            "[N,6,2]");
  EXPECT_EQ(inferred_shape(reshape(of_shape({8, 4}), Operand::of_elements({ir::Dim(), 2}))),
            "[16,2]");
  EXPECT_EQ(inferred_shape(reshape(of_shape({8, 4}), Operand::of_elements({kN, ir::Dim()}))),
            "[N,?]");
}

TEST(Reshape, MalformedShapesAreRefused) {
  const auto x = counting({2, 3});
  expect_malformed(reshape(x, known(Ints{-1, -1})), "more than one -1");
  expect_malformed(reshape(x, known(Ints{1, 1, 0, 6})), "0 on axis 2 of a data rank of 2");
  expect_malformed(reshape(x, known(Ints{4})), "does not hold 6 elements");
  expect_malformed(reshape(x, known(Ints{-2, 3})), "-2 on axis 0");
  expect_malformed(reshape(x, known(Ints{4, -1})), "does not hold");
  expect_malformed(reshape(x, known(Ints{int64_t{1} << 40, int64_t{1} << 40})), "does not hold");
  OpCase zero = reshape(counting({0, 3}), known(Ints{0, -1}));
  expect_malformed(zero, "-1 cannot be told");
  expect_evaluation_error(reshape(x, i64({65}, Ints(65, 1))), ErrorCode::kResourceLimit, "rank");
}

TEST(Flatten, CutsTheShapeInTwo) {
  expect_output({"Flatten", {counting({2, 3, 4})}}, counting({2, 12}));
  expect_output({"Flatten", {counting({2, 3, 4})}, {{"axis", int64_t{0}}}}, counting({1, 24}));
  expect_output({"Flatten", {counting({2, 3, 4})}, {{"axis", int64_t{-1}}}}, counting({6, 4}));
  EXPECT_EQ(inferred_shape({"Flatten", {of_shape({kN, 3, 4})}}), "[N,12]");
  expect_malformed({"Flatten", {counting({2})}, {{"axis", int64_t{2}}}}, "axis 2");
}

TEST(Squeeze, AxesComeFromAttributeOrOperand) {
  const auto x = counting({1, 3, 1});
  expect_output({"Squeeze", {x}, {{"axes", Ints{0}}}, 11}, counting({3, 1}));
  expect_output({"Squeeze", {x, known(Ints{-1})}, {}, 13}, counting({1, 3}));
  expect_output({"Squeeze", {x}, {}, 13}, counting({3}));
  EXPECT_EQ(inferred_shape({"Squeeze", {of_shape({kN, 1, 3}), known(Ints{1})}}), "[N,3]");
  expect_malformed({"Squeeze", {x, known(Ints{1})}}, "axis 1 of extent 3 cannot be squeezed");
  expect_malformed({"Squeeze", {x, known(Ints{3})}}, "axis 3 for a rank of 3");
  expect_malformed({"Squeeze", {x, known(Ints{0, -3})}}, "twice");
}

TEST(Unsqueeze, AxesCountInTheOutput) {
  const auto x = counting({3});
  expect_output({"Unsqueeze", {x}, {{"axes", Ints{0, 2}}}, 11}, counting({1, 3, 1}));
  expect_output({"Unsqueeze", {x, known(Ints{-1})}, {}, 13}, counting({3, 1}));
  expect_malformed({"Unsqueeze", {x, known(Ints{0, 0})}}, "twice");
  expect_malformed({"Unsqueeze", {x}, {}, 11}, "axes: missing");
}

TEST(Reshape, ShapeValuesPassThrough) {
  const Operand values = Operand::of_elements({kN});
  EXPECT_EQ(inferred_elements({"Squeeze", {values, known(Ints{0})}}), "[N]");
  OpCase scalar = {"Unsqueeze", {values, known(Ints{0})}};
  scalar.operands[0].facts.type.shape = ir::Shape(std::vector<ir::Dim>());
  EXPECT_EQ(inferred_elements(scalar), "[N]");
  EXPECT_EQ(inferred_elements(reshape(values, known(Ints{-1}))), "[N]");
}

}  // namespace
}  // namespace octet::testing
