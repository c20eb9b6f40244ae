#include "compiler/ir/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/graph_builder.h"

namespace octet::ir {
namespace {

using octet::testing::must;

TEST(Tensor, ZerosAreZeroAndAsLargeAsTheShape) {
  const Tensor tensor = must(Tensor::zeros(DType::kFloat32, {2, 3}));
  EXPECT_EQ(tensor.element_count(), 6);
  EXPECT_EQ(tensor.bytes().size(), 24U);
  for (float x : tensor.data<float>()) EXPECT_EQ(x, 0.0F);
  EXPECT_EQ(must(Tensor::zeros(DType::kInt4, {3})).bytes().size(), 2U);
  EXPECT_EQ(must(Tensor::zeros(DType::kInt8, {0, INT64_MAX})).element_count(), 0);
  EXPECT_EQ(must(Tensor::zeros(DType::kInt8, {})).element_count(), 1);
}

TEST(Tensor, SizesThatOverflowAreRefused) {
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{INT64_MAX},
                                            {INT64_MAX, 2},
                                            {-1},
                                            {int64_t{1} << 32, int64_t{1} << 32},
                                            {INT64_MAX / 4}}) {
    EXPECT_EQ(Tensor::zeros(DType::kFloat32, shape).error().code(), ErrorCode::kResourceLimit);
    EXPECT_EQ(Tensor::from_bytes(DType::kFloat32, shape, {}).error().code(), ErrorCode::kMalformed);
  }
}

TEST(Tensor, BytesMustFitTheShape) {
  EXPECT_TRUE(Tensor::from_bytes(DType::kInt16, {2}, std::vector<std::byte>(4)).ok());
  EXPECT_FALSE(Tensor::from_bytes(DType::kInt16, {2}, std::vector<std::byte>(3)).ok());
  EXPECT_FALSE(Tensor::from_bytes(DType::kInt16, {2}, std::vector<std::byte>(5)).ok());
  EXPECT_FALSE(Tensor::from_bytes(DType::kString, {0}, {}).ok());
  EXPECT_FALSE(Tensor::of_strings({2}, {"a"}).ok());
  EXPECT_EQ(must(Tensor::of_strings({1, 2}, {"a", "b"})).strings()[1], "b");
}

TEST(Tensor, AViewSharesTheBytesOfItsOwner) {
  auto owner = std::make_shared<std::vector<std::byte>>(4);
  const std::weak_ptr<std::vector<std::byte>> watch = owner;
  {
    const std::span<const std::byte> bytes(*owner);
    const Tensor view = must(Tensor::view(DType::kInt8, {4}, bytes, std::move(owner)));
    const Tensor copy = view;
    EXPECT_EQ(copy.bytes().data(), view.bytes().data());
    EXPECT_FALSE(watch.expired());
  }
  EXPECT_TRUE(watch.expired());
}

TEST(Tensor, ElementsOfEveryIntegerTypeReadBack) {
  const std::vector<DType> types = {DType::kInt2,  DType::kUint2, DType::kInt4,  DType::kUint4,
                                    DType::kInt8,  DType::kUint8, DType::kInt16, DType::kUint16,
                                    DType::kInt32, DType::kUint32};
  for (DType dtype : types) {
    const numerics::IntegerRange range = numerics::integer_range(dtype);
    Tensor tensor = must(Tensor::zeros(dtype, {7}));
    const std::vector<int64_t> values = {range.min, range.max, 0, 1, range.max, range.min, 1};
    for (int64_t i = 0; i < 7; ++i) tensor.set_from_int64(i, values[static_cast<size_t>(i)]);
    EXPECT_EQ(tensor.to_int64s(), values) << numerics::dtype_name(dtype);
    for (int64_t i = 0; i < 7; ++i) {
      EXPECT_EQ(tensor.at_as_double(i), static_cast<double>(values[static_cast<size_t>(i)]));
    }
    // Overwriting one leaves its neighbours.
    tensor.set_from_int64(3, range.max);
    std::vector<int64_t> changed = values;
    changed[3] = range.max;
    EXPECT_EQ(tensor.to_int64s(), changed) << numerics::dtype_name(dtype);
  }
}

TEST(Tensor, SixtyFourBitIntegersAreExact) {
  Tensor tensor = must(Tensor::zeros(DType::kInt64, {2}));
  tensor.set_from_int64(0, INT64_MIN);
  tensor.set_from_int64(1, INT64_MAX);
  EXPECT_EQ(tensor.to_int64s(), (std::vector<int64_t>{INT64_MIN, INT64_MAX}));
  const Tensor big = Tensor::of<uint64_t>({1}, {UINT64_MAX});
  EXPECT_EQ(big.at_as_double(0), 18446744073709551616.0);
}

TEST(Tensor, ElementsOfEveryFloatTypeReadBack) {
  for (DType dtype :
       {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBfloat16, DType::kFloat8E4M3FN,
        DType::kFloat8E4M3FNUZ, DType::kFloat8E5M2, DType::kFloat8E5M2FNUZ, DType::kFloat4E2M1}) {
    Tensor tensor = must(Tensor::zeros(dtype, {5}));
    const std::vector<float> values = {0.0F, 1.0F, -1.5F, 0.5F, 4.0F};
    for (int64_t i = 0; i < 5; ++i) {
      tensor.set_from_double(i, static_cast<double>(values[static_cast<size_t>(i)]));
    }
    EXPECT_EQ(tensor.to_floats(), values) << numerics::dtype_name(dtype);
  }
}

TEST(Tensor, DoublesAreNotNarrowed) {
  Tensor tensor = must(Tensor::zeros(DType::kFloat64, {1}));
  tensor.set_from_double(0, 0.1);
  EXPECT_EQ(tensor.at_as_double(0), 0.1);
  EXPECT_EQ(tensor.to_floats(), std::vector<float>{0.1F});
}

TEST(Tensor, IntegersSetFromDoublesSaturate) {
  Tensor tensor = must(Tensor::zeros(DType::kInt8, {4}));
  tensor.set_from_double(0, 1000.0);
  tensor.set_from_double(1, -1000.0);
  tensor.set_from_double(2, std::numeric_limits<double>::infinity());
  tensor.set_from_double(3, std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(tensor.at_as_int64(0), 127);
  EXPECT_EQ(tensor.at_as_int64(1), -128);
  EXPECT_EQ(tensor.at_as_int64(2), 127);
}

TEST(Tensor, FloatsReadAsIntegersDoNotOverflow) {
  const Tensor tensor = Tensor::of<float>({3}, {1e30F, -1e30F, std::nanf("")});
  EXPECT_EQ(tensor.at_as_int64(0), INT64_MAX);
  EXPECT_EQ(tensor.at_as_int64(1), INT64_MIN);
  tensor.at_as_int64(2);
}

TEST(Tensor, BoolIsZeroOrOne) {
  Tensor tensor = Tensor::of<bool>({2}, {true, false});
  EXPECT_EQ(tensor.to_int64s(), (std::vector<int64_t>{1, 0}));
  tensor.set_from_double(1, 0.25);
  EXPECT_EQ(tensor.at_as_int64(1), 1);
}

TEST(Tensor, EqualByTypeShapeAndBytes) {
  const Tensor a = Tensor::of<float>({2}, {1.0F, std::nanf("")});
  EXPECT_EQ(a, Tensor::of<float>({2}, {1.0F, std::nanf("")}));
  EXPECT_FALSE(a == a.reshaped({1, 2}));
  EXPECT_FALSE(Tensor::of<float>({1}, {0.0F}) == Tensor::of<float>({1}, {-0.0F}));
  EXPECT_FALSE(Tensor::of<int8_t>({1}, {1}) == Tensor::of<uint8_t>({1}, {1}));
  EXPECT_EQ(must(Tensor::of_strings({1}, {"a"})), must(Tensor::of_strings({1}, {"a"})));
  EXPECT_FALSE(must(Tensor::of_strings({1}, {"a"})) == must(Tensor::of_strings({1}, {"b"})));
  EXPECT_EQ(Tensor(), Tensor());
}

TEST(Tensor, ReshapedSharesTheBytes) {
  const Tensor a = Tensor::of<int8_t>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor b = a.reshaped({3, 2});
  EXPECT_EQ(b.shape(), (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(b.bytes().data(), a.bytes().data());
}

TEST(Tensor, TypeTextNamesElementTypeShapeAndQuantization) {
  TensorType type = Tensor::of<int8_t>({2}, {1, 2}).type();
  EXPECT_EQ(type.to_string(), "int8[2]");
  QuantParams::Spec spec;
  spec.scales = {1.0F};
  spec.zero_points = {0};
  type.quant = must(QuantParams::make(spec));
  EXPECT_EQ(type.to_string(), "int8[2] quant");
}

}  // namespace
}  // namespace octet::ir
