#include "compiler/ops/window.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet::ops {
namespace {

using Ints = std::vector<int64_t>;
using ::testing::HasSubstr;

ir::Node node_with(ir::AttributeMap attributes) {
  ir::Node node;
  node.op_type = "Conv";
  node.attributes = std::move(attributes);
  return node;
}

WindowAxis axis_of(ir::AttributeMap attributes, int64_t kernel, int64_t input) {
  const auto window = WindowAttributes::from_conv(node_with(std::move(attributes)), Ints{kernel});
  EXPECT_TRUE(window.ok());
  const auto axis = resolve_window(*window, 0, input);
  EXPECT_TRUE(axis.ok());
  return *axis;
}

TEST(Window, OutputIsFloorOfPaddedRoomOverStridePlusOne) {
  EXPECT_EQ(axis_of({}, 3, 5).output, 3);
  EXPECT_EQ(axis_of({{"strides", Ints{2}}, {"pads", Ints{1, 1}}}, 3, 224).output, 112);
  EXPECT_EQ(axis_of({{"dilations", Ints{2}}}, 3, 7).output, 3);
}

TEST(Window, SameUpperPadsTheEndFirst) {
  const WindowAxis upper =
      axis_of({{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2}}}, 3, 224);
  EXPECT_EQ(upper.output, 112);
  EXPECT_EQ(upper.pad_begin, 0);
  EXPECT_EQ(upper.pad_end, 1);
  const WindowAxis lower =
      axis_of({{"auto_pad", std::string("SAME_LOWER")}, {"strides", Ints{2}}}, 3, 224);
  EXPECT_EQ(lower.pad_begin, 1);
  EXPECT_EQ(lower.pad_end, 0);
}

TEST(Window, AutoPadOverridesPads) {
  const WindowAxis axis = axis_of({{"auto_pad", std::string("VALID")}, {"pads", Ints{1, 1}}}, 3, 5);
  EXPECT_EQ(axis.output, 3);
  EXPECT_EQ(axis.pad_begin, 0);
}

TEST(Window, CeilModeDropsWindowsThatStartInTheEndPadding) {
  const auto pool = [](Ints kernel, Ints strides, Ints pads, int64_t input) {
    ir::Node node = node_with({{"kernel_shape", kernel},
                               {"strides", strides},
                               {"pads", pads},
                               {"ceil_mode", int64_t{1}}});
    return PoolAttributes::from(node, Ints{1, 1, input})->axes[0].output;
  };
  EXPECT_EQ(pool({2}, {2}, {0, 0}, 5), 3);
  EXPECT_EQ(pool({1}, {2}, {0, 1}, 5), 3);  // a fourth window would start on the padding
  EXPECT_EQ(pool({3}, {3}, {1, 1}, 4), 2);
  EXPECT_EQ(pool({3}, {2}, {0, 0}, 2), 1);  // the only window reaches beyond the input
}

TEST(Window, TransposedOutputInvertsTheForwardOne) {
  const auto window = WindowAttributes::from_conv(
      node_with({{"strides", Ints{2}}, {"pads", Ints{1, 1}}, {"output_padding", Ints{1}}}),
      Ints{3});
  EXPECT_EQ(resolve_transposed_window(*window, 0, 56)->output, 112);
}

TEST(Window, TransposedPadsFollowFromOutputShape) {
  const auto window = WindowAttributes::from_conv(
      node_with({{"strides", Ints{3}}, {"output_shape", Ints{10}}}), Ints{3});
  const auto axis = resolve_transposed_window(*window, 0, 4);  // without pads: 12
  EXPECT_EQ(axis->output, 10);
  EXPECT_EQ(axis->pad_begin, 1);
  EXPECT_EQ(axis->pad_end, 1);
}

TEST(Window, NumbersOutOfRangeAreRefusedByName) {
  const auto message = [](ir::AttributeMap attributes) {
    const auto window = WindowAttributes::from_conv(node_with(std::move(attributes)), Ints{3, 3});
    return window.ok() ? std::string("accepted") : window.error().message();
  };
  EXPECT_THAT(message({{"strides", Ints{0, 1}}}), HasSubstr("strides[0] is 0"));
  EXPECT_THAT(message({{"dilations", Ints{1, -1}}}), HasSubstr("dilations[1] is -1"));
  EXPECT_THAT(message({{"pads", Ints{0, 0, int64_t{1} << 62, 0}}}), HasSubstr("pads[2]"));
  EXPECT_THAT(message({{"pads", Ints{0, 0}}}), HasSubstr("2 numbers where 4"));
  EXPECT_THAT(message({{"kernel_shape", Ints{3, 5}}}), HasSubstr("differs"));
  EXPECT_THAT(message({{"auto_pad", std::string("SAME")}}), HasSubstr("auto_pad"));
}

TEST(Window, KernelLargerThanPaddedInputIsRefused) {
  const auto window = WindowAttributes::from_conv(node_with({}), Ints{5});
  const auto axis = resolve_window(*window, 0, 4);
  ASSERT_FALSE(axis.ok());
  EXPECT_THAT(axis.error().message(), HasSubstr("a window of 5 is larger"));
}

TEST(Window, UnknownExtentSurvivesWhereTheWindowKeepsIt) {
  const ir::Dim n = ir::Dim::named("H");
  const auto keeps = WindowAttributes::from_conv(node_with({{"pads", Ints{1, 1}}}), Ints{3});
  EXPECT_EQ(*window_output(*keeps, 0, n), n);
  const auto halves = WindowAttributes::from_conv(node_with({{"strides", Ints{2}}}), Ints{1});
  EXPECT_TRUE(window_output(*halves, 0, n)->is_unknown());
}

TEST(Window, GroupsMustDivideChannels) {
  const auto message = [](int64_t group, Ints x, Ints w) {
    const auto conv = ConvAttributes::from(node_with({{"group", group}}), x, w);
    return conv.ok() ? std::string("accepted") : conv.error().message();
  };
  EXPECT_EQ(message(2, {1, 4, 5}, {6, 2, 3}), "accepted");
  EXPECT_THAT(message(0, {1, 4, 5}, {6, 2, 3}), HasSubstr("group is 0"));
  EXPECT_THAT(message(-1, {1, 4, 5}, {6, 2, 3}), HasSubstr("group is -1"));
  EXPECT_THAT(message(3, {1, 4, 5}, {6, 2, 3}), HasSubstr("4 channels do not divide into 3"));
  EXPECT_THAT(message(1, {1, 4, 5}, {6, 2, 3}), HasSubstr("2 input channels per group"));
  EXPECT_THAT(message(1, {1, 4, 5}, {6, 4, 3, 3}), HasSubstr("rank 4 for a data rank of 3"));
}

}  // namespace
}  // namespace octet::ops
