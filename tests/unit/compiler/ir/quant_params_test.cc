#include "compiler/ir/quant_params.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace octet::ir {
namespace {

using numerics::DType;

// Good as it is; each test spoils one thing.
QuantParams::Spec per_tensor() {
  QuantParams::Spec spec;
  spec.scales = {0.5F};
  spec.zero_points = {3};
  return spec;
}

QuantParams::Spec per_axis(size_t count) {
  QuantParams::Spec spec;
  spec.granularity = Granularity::kPerAxis;
  spec.scales.assign(count, 0.5F);
  spec.zero_points.assign(count, 0);
  return spec;
}

std::string rule(QuantParams::Spec spec) {
  const auto made = QuantParams::make(std::move(spec));
  if (made.ok()) return "";
  EXPECT_EQ(made.error().code(), ErrorCode::kMalformed);
  const std::string& message = made.error().message();
  return message.substr(message.size() - 4);
}

std::string rule(const QuantParams& params, const Shape& shape) {
  const Status status = params.check_against(shape);
  return status.ok() ? "" : status.error().message().substr(status.error().message().size() - 4);
}

TEST(QuantParams, GoodOnesAreMade) {
  EXPECT_EQ(rule(per_tensor()), "");
  EXPECT_EQ(rule(per_axis(64)), "");
  const auto made = QuantParams::make(per_tensor());
  ASSERT_TRUE(made.ok());
  EXPECT_TRUE(made->per_tensor());
  EXPECT_FALSE(made->symmetric());
  EXPECT_TRUE(QuantParams::make(per_axis(3))->symmetric());
  EXPECT_EQ(*made, *QuantParams::make(per_tensor()));
  EXPECT_NE(*made, *QuantParams::make(per_axis(1)));
}

TEST(QuantParams, Q1_ThereIsAScale) {
  QuantParams::Spec spec = per_tensor();
  spec.scales.clear();
  spec.zero_points.clear();
  EXPECT_EQ(rule(spec), "[Q1]");
}

TEST(QuantParams, Q2_ScalesAreNormalNumbersAboveZero) {
  using Limits = std::numeric_limits<float>;
  for (float bad : {0.0F, -0.0F, -1.0F, Limits::infinity(), Limits::quiet_NaN(),
                    Limits::denorm_min(), Limits::min() / 2}) {
    QuantParams::Spec spec = per_axis(3);
    spec.scales[1] = bad;
    EXPECT_EQ(rule(spec), "[Q2]") << bad;
  }
  QuantParams::Spec spec = per_axis(2);
  spec.scales = {Limits::min(), Limits::max()};
  EXPECT_EQ(rule(spec), "");
}

TEST(QuantParams, Q3_AsManyZeroPointsAsScales) {
  QuantParams::Spec spec = per_axis(3);
  spec.zero_points.pop_back();
  EXPECT_EQ(rule(spec), "[Q3]");
  spec.zero_points = {0, 0, 0, 0};
  EXPECT_EQ(rule(spec), "[Q3]");
}

TEST(QuantParams, Q4_PerTensorHasOneScale) {
  QuantParams::Spec spec = per_axis(2);
  spec.granularity = Granularity::kPerTensor;
  EXPECT_EQ(rule(spec), "[Q4]");
}

TEST(QuantParams, Q4_PerAxisHasAsManyScalesAsTheAxisIsLong) {
  const auto params = QuantParams::make(per_axis(63));
  ASSERT_TRUE(params.ok());
  EXPECT_EQ(rule(*params, Shape::of({64, 3})), "[Q4]");
  EXPECT_EQ(rule(*params, Shape::of({63, 3})), "");
  EXPECT_EQ(rule(*params, Shape({Dim::named("N"), Dim(3)})), "");
  EXPECT_EQ(rule(*params, Shape({Dim(), Dim(3)})), "");
  EXPECT_EQ(rule(*params, Shape()), "");
}

TEST(QuantParams, Q4_PerTensorFitsEveryShape) {
  const auto params = QuantParams::make(per_tensor());
  EXPECT_EQ(rule(*params, Shape::of({})), "");
  EXPECT_EQ(rule(*params, Shape::of({7})), "");
}

TEST(QuantParams, Q5_TheRangeIsNotEmpty) {
  QuantParams::Spec spec = per_tensor();
  spec.qmin = spec.qmax = 5;
  EXPECT_EQ(rule(spec), "[Q5]");
  spec.qmin = 6;
  EXPECT_EQ(rule(spec), "[Q5]");
}

TEST(QuantParams, Q5_TheRangeIsWithinTheStorageType) {
  QuantParams::Spec spec = per_tensor();
  spec.qmin = -129;
  EXPECT_EQ(rule(spec), "[Q5]");
  spec = per_tensor();
  spec.qmax = 128;
  EXPECT_EQ(rule(spec), "[Q5]");
  spec.storage = DType::kUint8;
  spec.qmin = 0;
  spec.qmax = 255;
  EXPECT_EQ(rule(spec), "");
  spec.qmax = 256;
  EXPECT_EQ(rule(spec), "[Q5]");
  spec.storage = DType::kInt4;
  spec.qmin = -8;
  spec.qmax = 7;
  EXPECT_EQ(rule(spec), "");
  spec.qmax = 8;
  EXPECT_EQ(rule(spec), "[Q5]");
}

TEST(QuantParams, Q6_ZeroPointsAreWithinTheStorageType) {
  QuantParams::Spec spec = per_axis(2);
  spec.zero_points[1] = 128;
  EXPECT_EQ(rule(spec), "[Q6]");
  spec.zero_points[1] = -129;
  EXPECT_EQ(rule(spec), "[Q6]");
  spec.zero_points[1] = -128;
  EXPECT_EQ(rule(spec), "");
}

TEST(QuantParams, Q7_TheStorageTypeIsAnIntegerTypeOfAtMost32Bits) {
  for (DType bad : {DType::kFloat32, DType::kInt64, DType::kUint64, DType::kBool, DType::kString,
                    DType::kUndefined, DType::kFloat8E4M3FN}) {
    QuantParams::Spec spec = per_tensor();
    spec.storage = bad;
    EXPECT_EQ(rule(spec), "[Q7]") << static_cast<int>(bad);
  }
  QuantParams::Spec spec = per_tensor();
  spec.storage = DType::kInt32;
  spec.qmin = std::numeric_limits<int32_t>::min();
  spec.qmax = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(rule(spec), "");
}

TEST(QuantParams, Q8_TheAxisIsWithinTheRank) {
  QuantParams::Spec spec = per_axis(3);
  spec.axis = 2;
  const auto params = QuantParams::make(spec);
  ASSERT_TRUE(params.ok());
  EXPECT_EQ(rule(*params, Shape::of({3, 3})), "[Q8]");
  EXPECT_EQ(rule(*params, Shape::of({3, 3, 3})), "");
  spec.axis = -1;
  EXPECT_EQ(rule(spec), "[Q8]");
}

TEST(QuantParams, Q8_BlocksAreNotEmpty) {
  QuantParams::Spec spec = per_axis(4);
  spec.granularity = Granularity::kBlocked;
  spec.block_size = 0;
  EXPECT_EQ(rule(spec), "[Q8]");
  spec.block_size = 2;
  EXPECT_EQ(rule(spec), "");
}

TEST(QuantParams, WhatDoesNotApplyDoesNotTellThemApart) {
  QuantParams::Spec spec = per_tensor();
  spec.axis = 3;
  spec.block_size = 9;
  EXPECT_EQ(*QuantParams::make(spec), *QuantParams::make(per_tensor()));
  spec = per_axis(2);
  spec.block_size = 9;
  EXPECT_EQ(*QuantParams::make(spec), *QuantParams::make(per_axis(2)));
}

}  // namespace
}  // namespace octet::ir
