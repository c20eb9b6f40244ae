#include <limits>

#include "tests/support/op_expect.h"

namespace octet::testing {
namespace {

TEST(MaxPool, TakesTheGreatestOfEachWindow) {
  expect_output({"MaxPool",
                 {counting({1, 1, 4, 4})},
                 {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}},
                f32({1, 1, 2, 2}, {5, 7, 13, 15}));
}

TEST(MaxPool, IndicesCountOverTheWholeTensorInStorageOrder) {
  OpCase c = {"MaxPool", {counting({1, 2, 2, 3})}, {{"kernel_shape", Ints{2, 2}}}};
  c.outputs = 2;
  auto outputs = evaluate_op(c);
  ASSERT_TRUE(outputs.ok());
  EXPECT_EQ((*outputs)[1], i64({1, 2, 1, 2}, {4, 5, 10, 11}));
  c.attributes["storage_order"] = int64_t{1};
  outputs = evaluate_op(c);
  EXPECT_EQ((*outputs)[1], i64({1, 2, 1, 2}, {3, 5, 9, 11}));
}

TEST(MaxPool, PaddingNeverWins) {
  expect_output(
      {"MaxPool", {f32({1, 1, 2}, {-5, -7})}, {{"kernel_shape", Ints{2}}, {"pads", Ints{1, 1}}}},
      f32({1, 1, 3}, {-5, -5, -7}));
}

TEST(MaxPool, CeilModeKeepsThePartialWindow) {
  expect_output({"MaxPool",
                 {counting({1, 1, 5})},
                 {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}, {"ceil_mode", int64_t{1}}}},
                f32({1, 1, 3}, {1, 3, 4}));
}

TEST(MaxPool, DilationsSkipElements) {
  expect_output({"MaxPool",
                 {f32({1, 1, 4}, {1, 9, 2, 3})},
                 {{"kernel_shape", Ints{2}}, {"dilations", Ints{2}}}},
                f32({1, 1, 2}, {2, 9}));
}

TEST(MaxPool, WorksOnEightBitIntegers) {
  expect_output(
      {"MaxPool", {ir::Tensor::of<int8_t>({1, 1, 3}, {-128, -3, 5})}, {{"kernel_shape", Ints{2}}}},
      ir::Tensor::of<int8_t>({1, 1, 2}, {-3, 5}));
}

TEST(AveragePool, PaddingCountsOnlyWhenAsked) {
  OpCase c = {
      "AveragePool", {f32({1, 1, 2}, {2, 4})}, {{"kernel_shape", Ints{2}}, {"pads", Ints{1, 1}}}};
  expect_output(c, f32({1, 1, 3}, {2, 3, 4}));
  c.attributes["count_include_pad"] = int64_t{1};
  expect_output(c, f32({1, 1, 3}, {1, 3, 2}));
}

TEST(AveragePool, CeilModeDoesNotCountWhatLiesBeyondThePadding) {
  expect_output({"AveragePool",
                 {f32({1, 1, 3}, {2, 4, 6})},
                 {{"kernel_shape", Ints{2}},
                  {"strides", Ints{2}},
                  {"ceil_mode", int64_t{1}},
                  {"count_include_pad", int64_t{1}}}},
                f32({1, 1, 2}, {3, 6}));
}

TEST(LpPool, IsTheNormOfTheWindow) {
  expect_output({"LpPool", {f32({1, 1, 2}, {3, -4})}, {{"kernel_shape", Ints{2}}}},
                f32({1, 1, 1}, {5}));
  expect_output(
      {"LpPool", {f32({1, 1, 2}, {3, -4})}, {{"kernel_shape", Ints{2}}, {"p", int64_t{1}}}},
      f32({1, 1, 1}, {7}));
}

TEST(GlobalPools, ReduceAllSpatialAxes) {
  expect_output({"GlobalAveragePool", {counting({1, 2, 2, 2})}}, f32({1, 2, 1, 1}, {1.5, 5.5}));
  expect_output({"GlobalMaxPool", {counting({1, 2, 2, 2})}}, f32({1, 2, 1, 1}, {3, 7}));
  expect_output({"GlobalLpPool", {f32({1, 1, 2}, {3, 4})}}, f32({1, 1, 1}, {5}));
  expect_output({"GlobalMaxPool", {counting({2, 3})}}, counting({2, 3}));
}

TEST(Pools, MalformedNodesAreRefused) {
  const auto x = counting({1, 1, 4, 4});
  expect_malformed({"MaxPool", {x}}, "kernel_shape");
  expect_malformed({"MaxPool", {x}, {{"kernel_shape", Ints{2}}}}, "1 numbers where 2");
  expect_malformed({"MaxPool", {x}, {{"kernel_shape", Ints{5, 1}}}}, "larger than the padded");
  expect_malformed({"AveragePool", {x}, {{"kernel_shape", Ints{0, 1}}}}, "kernel_shape[0] is 0");
  expect_malformed({"MaxPool", {counting({4, 4})}, {{"kernel_shape", Ints{2}}}}, "at least 3");
}

TEST(Pools, APaddedKernelOfAnySizeReadsOnlyTheInput) {
  const int64_t huge = int64_t{1} << 29;
  expect_output({"AveragePool",
                 {f32({1, 1, 2}, {1, 3})},
                 {{"kernel_shape", Ints{2 * huge}}, {"pads", Ints{huge, huge - 2}}}},
                f32({1, 1, 1}, {2}));
}

}  // namespace
}  // namespace octet::testing
