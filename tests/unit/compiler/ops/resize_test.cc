#include "compiler/ops/resize.h"

#include "tests/support/op_expect.h"

namespace octet::testing {
namespace {

OpCase resize(ir::Tensor x, std::vector<float> scales, ir::AttributeMap attributes) {
  const auto count = static_cast<int64_t>(scales.size());
  return {
      "Resize", {std::move(x), Operand(), known(f32({count}, scales))}, std::move(attributes), 13};
}
OpCase resize_to(ir::Tensor x, Ints sizes, ir::AttributeMap attributes, int64_t opset = 13) {
  return {
      "Resize", {std::move(x), Operand(), Operand(), known(sizes)}, std::move(attributes), opset};
}
ir::Attribute text(const char* value) { return std::string(value); }

TEST(Resize, NearestRoundsAsAsked) {
  const auto x = counting({4});
  const auto nearest = [&](const char* mode, const char* coordinates) {
    return numbers(run_op(resize(x, {1.5F},
                                 {{"nearest_mode", text(mode)},
                                  {"coordinate_transformation_mode", text(coordinates)}}))
                       .tensor);
  };
  using Numbers = std::vector<double>;
  EXPECT_EQ(nearest("floor", "asymmetric"), Numbers({0, 0, 1, 2, 2, 3}));
  EXPECT_EQ(nearest("ceil", "asymmetric"), Numbers({0, 1, 2, 2, 3, 3}));
  // Coordinates -1/6, 1/2, 7/6, 11/6, 5/2, 19/6: two ties.
  EXPECT_EQ(nearest("round_prefer_floor", "half_pixel"), Numbers({0, 0, 1, 2, 2, 3}));
  EXPECT_EQ(nearest("round_prefer_ceil", "half_pixel"), Numbers({0, 1, 1, 2, 3, 3}));
}

TEST(Resize, NearestMovesElementsOfAnyType) {
  expect_output(resize(ir::Tensor::of<int8_t>({1, 2}, {1, -2}), {1, 2}, {}),
                ir::Tensor::of<int8_t>({1, 4}, {1, 1, -2, -2}));
}

TEST(Resize, LinearInterpolatesBetweenNeighbours) {
  const auto x = f32({2}, {0, 4});
  expect_output(resize(x, {2}, {{"mode", text("linear")}}), f32({4}, {0, 1, 3, 4}));
  expect_output(
      resize(x, {2},
             {{"mode", text("linear")}, {"coordinate_transformation_mode", text("align_corners")}}),
      f32({4}, {0, 4.0F / 3, 8.0F / 3, 4}));
  expect_output(
      resize(x, {2},
             {{"mode", text("linear")}, {"coordinate_transformation_mode", text("asymmetric")}}),
      f32({4}, {0, 2, 4, 4}));
}

TEST(Resize, CubicUsesFourNeighbours) {
  // At 1.5 with a = -0.75 the weights are -0.09375, 0.59375, 0.59375, -0.09375.
  expect_output(resize_to(f32({4}, {0, 0, 1, 1}), {1}, {{"mode", text("cubic")}}),
                f32({1}, {0.5F}));
  expect_output(resize_to(f32({4}, {0, 1, 0, 0}), {1}, {{"mode", text("cubic")}}),
                f32({1}, {0.59375F}));
}

TEST(Resize, CropReadsTheRegionAndFillsWhatLiesOutside) {
  OpCase c = resize_to(counting({4}), {4},
                       {{"mode", text("linear")},
                        {"coordinate_transformation_mode", text("tf_crop_and_resize")},
                        {"extrapolation_value", 9.0F}});
  c.operands[1] = f32({2}, {0, 2});
  expect_output(c, f32({4}, {0, 2, 9, 9}));
}

TEST(Resize, AxesAndAspectRatio) {
  expect_output(resize_to(counting({2, 2}), {4}, {{"axes", Ints{1}}}, 18),
                f32({2, 4}, {0, 0, 1, 1, 2, 2, 3, 3}));
  const auto shape = [](const char* policy) {
    return run_op(resize_to(counting({4, 2}), {7, 8}, {{"keep_aspect_ratio_policy", text(policy)}},
                            18))
        .tensor.shape();
  };
  EXPECT_EQ(shape("not_larger"), Extents({7, 4}));  // 3.5 goes up
  EXPECT_EQ(shape("not_smaller"), Extents({16, 8}));
}

TEST(Resize, Opset10IsAsymmetric) {
  expect_output({"Resize", {counting({2}), known(f32({1}, {2}))}, {{"mode", text("linear")}}, 10},
                f32({4}, {0, 0.5F, 1, 1}));
}

TEST(Upsample, ScalesComeFromAttributeOrOperand) {
  const auto expected = f32({4}, {0, 0, 1, 1});
  expect_output({"Upsample", {counting({2})}, {{"scales", std::vector<float>{2}}}, 7}, expected);
  expect_output({"Upsample", {counting({2}), known(f32({1}, {2}))}, {}, 9}, expected);
}

TEST(Resize, InfersFromScalesAndFromPartialSizes) {
  const ir::Dim n = ir::Dim::named("N");
  OpCase c = resize(counting({1}), {1, 1, 2, 2}, {});
  c.operands[0] = Operand::of_type(ir::DType::kFloat32, ir::Shape({n, 3, 10, ir::Dim()}));
  EXPECT_EQ(inferred_shape(c), "[N,3,20,?]");
  c.operands[2] = Operand();
  c.operands.push_back(Operand::of_elements({n, 3, 40, 40}));
  EXPECT_EQ(inferred_shape(c), "[N,3,40,40]");
}

TEST(Resize, MalformedNodesAreRefused) {
  const auto x = counting({2});
  expect_malformed(resize(x, {0}, {}), "scales: 0");
  expect_malformed(resize(x, {std::numeric_limits<float>::quiet_NaN()}, {}), "scales");
  expect_malformed(resize(x, {1, 1}, {}), "2 numbers for 1 axes");
  expect_malformed(resize(x, {2}, {{"mode", text("area")}}), "attribute mode");
  expect_malformed(resize_to(x, {-3}, {}), "sizes: -3");
  expect_evaluation_error(resize(x, {1e9F}, {}), ErrorCode::kResourceLimit, "");
  expect_evaluation_error(resize(x, {1e30F}, {}), ErrorCode::kResourceLimit, "extent");
}

}  // namespace
}  // namespace octet::testing
