#include "compiler/numerics/dtype.h"

#include <gtest/gtest.h>

namespace octet::numerics {
namespace {

TEST(DType, NamesReadBack) {
  for (int32_t i = 0; i <= 26; ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_name(dtype_name(dtype)), dtype);
    EXPECT_EQ(is_known_dtype(i), i != 0);
  }
  EXPECT_EQ(dtype_name(DType::kFloat32), "float32");
  EXPECT_EQ(dtype_name(DType::kUint4), "uint4");
  EXPECT_EQ(dtype_from_name("float"), std::nullopt);
  EXPECT_FALSE(is_known_dtype(27));
  EXPECT_FALSE(is_known_dtype(-1));
  EXPECT_EQ(dtype_name(static_cast<DType>(99)), "undefined");
}

TEST(DType, KindsAndWidths) {
  EXPECT_EQ(bit_width(DType::kInt4), 4);
  EXPECT_EQ(bit_width(DType::kBool), 8);
  EXPECT_EQ(bit_width(DType::kBfloat16), 16);
  EXPECT_EQ(bit_width(DType::kComplex128), 128);
  EXPECT_EQ(bit_width(DType::kString), 0);
  EXPECT_TRUE(is_integer(DType::kUint2));
  EXPECT_TRUE(is_integer(DType::kUint64));
  EXPECT_FALSE(is_integer(DType::kBool));
  EXPECT_TRUE(is_signed_integer(DType::kInt4));
  EXPECT_FALSE(is_signed_integer(DType::kUint4));
  EXPECT_TRUE(is_floating_point(DType::kFloat4E2M1));
  EXPECT_TRUE(is_floating_point(DType::kFloat8E8M0));
  EXPECT_FALSE(is_floating_point(DType::kComplex64));
}

TEST(DType, StorageRoundsUpAndNeverOverflows) {
  EXPECT_EQ(storage_bytes(DType::kFloat32, 3), 12);
  EXPECT_EQ(storage_bytes(DType::kInt4, 3), 2);
  EXPECT_EQ(storage_bytes(DType::kInt4, 4), 2);
  EXPECT_EQ(storage_bytes(DType::kUint2, 5), 2);
  EXPECT_EQ(storage_bytes(DType::kInt4, INT64_MAX), INT64_MAX / 2 + 1);
  EXPECT_EQ(storage_bytes(DType::kFloat64, 0), 0);
  EXPECT_EQ(storage_bytes(DType::kFloat64, INT64_MAX), std::nullopt);
  EXPECT_EQ(storage_bytes(DType::kFloat32, -1), std::nullopt);
  EXPECT_EQ(storage_bytes(DType::kString, 1), std::nullopt);
}

TEST(DType, IntegerRanges) {
  const auto expect = [](DType dtype, int64_t min, int64_t max) {
    EXPECT_EQ(integer_range(dtype).min, min);
    EXPECT_EQ(integer_range(dtype).max, max);
  };
  expect(DType::kInt2, -2, 1);
  expect(DType::kUint4, 0, 15);
  expect(DType::kInt8, -128, 127);
  expect(DType::kUint16, 0, 65535);
  expect(DType::kInt32, INT32_MIN, INT32_MAX);
  expect(DType::kUint32, 0, UINT32_MAX);
}

}  // namespace
}  // namespace octet::numerics
