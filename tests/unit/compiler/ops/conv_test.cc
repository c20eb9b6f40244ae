#include "tests/support/op_expect.h"

namespace octet::testing {
namespace {

TEST(Conv, SumsProductsOfTheWindow) {
  const auto ones = f32({1, 1, 3, 3}, std::vector<float>(9, 1));
  expect_output({"Conv", {counting({1, 1, 3, 3}), ones}, {{"pads", Ints{1, 1, 1, 1}}}},
                f32({1, 1, 3, 3}, {8, 15, 12, 21, 36, 27, 20, 33, 24}));
}

TEST(Conv, AddsBiasPerOutputChannel) {
  expect_output({"Conv", {counting({1, 1, 2}), f32({2, 1, 1}, {1, 10}), f32({2}, {0.5, -1})}},
                f32({1, 2, 2}, {0.5, 1.5, -1, 9}));
}

TEST(Conv, GroupsSeeTheirOwnChannelsOnly) {
  expect_output(
      {"Conv", {f32({1, 2, 2}, {1, 2, 3, 4}), f32({2, 1, 1}, {10, 100})}, {{"group", int64_t{2}}}},
      f32({1, 2, 2}, {10, 20, 300, 400}));
}

TEST(Conv, StridesAndDilationsInThreeDimensions) {
  const auto w = f32({1, 1, 2, 1, 1}, {1, 1});
  expect_output({"Conv",
                 {counting({1, 1, 4, 1, 3}), w},
                 {{"dilations", Ints{2, 1, 1}}, {"strides", Ints{1, 1, 2}}}},
                f32({1, 1, 2, 1, 2}, {6, 10, 12, 16}));
}

TEST(Conv, Float16IsRoundedOnce) {
  const auto half = [](uint16_t bits) { return bits; };
  const auto x = *ir::Tensor::from_bytes(ir::DType::kFloat16, {1, 1, 1},
                                         {std::byte(half(0x00)), std::byte(half(0x3C))});  // 1.0
  const OpResult y = run_op({"Conv", {x, x}});
  ASSERT_EQ(y.error, "");
  EXPECT_EQ(y.tensor.dtype(), ir::DType::kFloat16);
  EXPECT_EQ(y.tensor.at_as_double(0), 1.0);
}

TEST(Conv, ShapeFollowsWithUnknownBatchAndExtents) {
  const ir::Shape x({ir::Dim::named("N"), 3, ir::Dim::named("H"), 224});
  OpCase c = {"Conv",
              {Operand::of_type(ir::DType::kFloat32, x),
               Operand::of_type(ir::DType::kFloat32, ir::Shape::of({64, 3, 3, 3}))},
              {{"pads", Ints{1, 1, 1, 1}}}};
  EXPECT_EQ(inferred_shape(c), "[N,64,H,224]");
  c.attributes["strides"] = Ints{2, 2};
  EXPECT_EQ(inferred_shape(c), "[N,64,?,112]");
}

TEST(Conv, MalformedNodesAreRefused) {
  const auto x = counting({1, 2, 4, 4});
  const auto w = counting({2, 2, 3, 3});
  expect_malformed({"Conv", {x, counting({2, 2, 3, 3, 1})}}, "rank 5 for a data rank of 4");
  expect_malformed({"Conv", {x, w}, {{"group", int64_t{0}}}}, "group is 0");
  expect_malformed({"Conv", {x, w}, {{"group", int64_t{3}}}}, "do not divide");
  expect_malformed({"Conv", {x, w}, {{"strides", Ints{0, 1}}}}, "strides[0] is 0");
  expect_malformed({"Conv", {x, w}, {{"pads", Ints{0, 0, int64_t{1} << 62, 0}}}}, "pads[2]");
  expect_malformed({"Conv", {x, w, counting({3})}}, "3 numbers for 2 output channels");
  expect_malformed({"Conv", {counting({4, 4}), counting({2, 2})}}, "at least 3");
  expect_malformed({"Conv", {x, counting({2, 2, 5, 5})}}, "larger than the padded input");
}

TEST(Conv, HugePaddingIsRefusedByTheBudget) {
  expect_evaluation_error({"Conv",
                           {counting({1, 1, 2, 2}), counting({1, 1, 1, 1})},
                           {{"pads", Ints{1 << 20, 1 << 20, 0, 0}}}},
                          ErrorCode::kResourceLimit, "");
}

TEST(Conv, AWeightWithoutElementsMayNotClaimWork) {
  const auto x = *ir::Tensor::zeros(ir::DType::kFloat32, {1, 0, 4});
  const auto w = *ir::Tensor::zeros(ir::DType::kFloat32, {1, 0, int64_t{1} << 29});
  expect_output({"Conv", {x, w}, {{"pads", Ints{int64_t{1} << 29, 0}}}},
                f32({1, 1, 5}, {0, 0, 0, 0, 0}));
}

TEST(ConvTranspose, ScattersTheKernel) {
  const auto w = f32({1, 1, 3}, {1, 2, 3});
  expect_output({"ConvTranspose", {f32({1, 1, 2}, {1, 10}), w}, {{"strides", Ints{2}}}},
                f32({1, 1, 5}, {1, 2, 13, 20, 30}));
  expect_output({"ConvTranspose",
                 {f32({1, 1, 2}, {1, 10}), w},
                 {{"strides", Ints{2}}, {"pads", Ints{1, 0}}, {"output_padding", Ints{1}}}},
                f32({1, 1, 5}, {2, 13, 20, 30, 0}));
}

TEST(ConvTranspose, GroupsHaveTheirOwnOutputChannels) {
  expect_output({"ConvTranspose",
                 {f32({1, 2, 1}, {1, 2}), f32({2, 2, 1}, {1, 10, 100, 1000})},
                 {{"group", int64_t{2}}}},
                f32({1, 4, 1}, {1, 10, 200, 2000}));
}

TEST(ConvTranspose, OutputShapeSplitsThePaddingAsStandardSays) {
  const auto x = f32({1, 1, 2}, {1, 1});
  const auto w = f32({1, 1, 3}, {1, 2, 4});
  // In full 1 3 6 4; one element too many, cut at the beginning unless SAME_UPPER.
  expect_output({"ConvTranspose", {x, w}, {{"output_shape", Ints{3}}}}, f32({1, 1, 3}, {3, 6, 4}));
  expect_output({"ConvTranspose",
                 {x, w},
                 {{"output_shape", Ints{3}}, {"auto_pad", std::string("SAME_UPPER")}}},
                f32({1, 1, 3}, {1, 3, 6}));
}

TEST(ConvTranspose, MalformedNodesAreRefused) {
  const auto x = counting({1, 2, 4});
  expect_malformed({"ConvTranspose", {x, counting({3, 1, 2})}}, "3 input channels");
  expect_malformed({"ConvTranspose", {x, counting({2, 1, 2})}, {{"pads", Ints{9, 9}}}},
                   "larger than the output");
}

TEST(Conv, WeightChannelAxes) {
  const auto axis = [](const char* op, ir::AttributeMap attributes, size_t rank) {
    ir::Node node;
    node.op_type = op;
    node.attributes = std::move(attributes);
    return ops::find_schema("", op)->weight_channel_axis(node, rank);
  };
  EXPECT_EQ(axis("Conv", {}, 4), 0);
  EXPECT_EQ(axis("ConvTranspose", {}, 4), 1);
  EXPECT_EQ(axis("ConvTranspose", {{"group", int64_t{2}}}, 4), std::nullopt);
  EXPECT_EQ(axis("Gemm", {}, 2), 1);
  EXPECT_EQ(axis("Gemm", {{"transB", int64_t{1}}}, 2), 0);
  EXPECT_EQ(axis("MatMul", {}, 3), 2);
  EXPECT_EQ(axis("MatMul", {}, 1), std::nullopt);
}

}  // namespace
}  // namespace octet::testing
