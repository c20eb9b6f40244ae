#include "compiler/base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace octet {
namespace {

Result<int> half(int x) {
  if (x % 2 != 0) return bad_data(x, " is odd");
  return x / 2;
}

Result<int> quarter(int x) {
  OCTET_ASSIGN(const int once, half(x).in("first"));
  OCTET_ASSIGN(int twice, half(once).in("second"));
  return twice;
}

Status check(int x) {
  OCTET_TRY(quarter(x));
  return {};
}

TEST(Result, CarriesAValueOrAnErrorThroughTheMacros) {
  EXPECT_EQ(*quarter(12), 3);
  EXPECT_TRUE(check(12).ok());
  EXPECT_FALSE(quarter(6).ok());
  EXPECT_EQ(quarter(6).error().message(), "second: 3 is odd");
  EXPECT_EQ(check(5).error().message(), "first: 5 is odd");
  EXPECT_EQ(check(5).error().code(), ErrorCode::kBadData);
}

TEST(Result, MovesValuesThatCannotBeCopied) {
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(4); };
  std::unique_ptr<int> value = std::move(make().in("context")).value();
  EXPECT_EQ(*value, 4);
}

TEST(Result, AddsContextInFrontAndKeepsTheCode) {
  const Error error = Error(ErrorCode::kIo, "inner").in("middle").in("outer");
  EXPECT_EQ(error.message(), "outer: middle: inner");
  EXPECT_EQ(error.code(), ErrorCode::kIo);
  EXPECT_TRUE(check(12).in("context").ok());
  EXPECT_EQ(Status(error).in("x").error().message(), "x: outer: middle: inner");
}

TEST(Cat, PrintsFloatsSoThatTheyReadBack) {
  EXPECT_EQ(cat("a", 5, 'b', 0.1F), "a5b0.100000001");
  EXPECT_EQ(std::stof(cat(1.0F / 3.0F)), 1.0F / 3.0F);
}

TEST(ErrorCode, IsTheExitCode) {
  EXPECT_EQ(static_cast<int>(usage_error("").code()), 2);
  EXPECT_EQ(static_cast<int>(malformed("").code()), 3);
  EXPECT_EQ(static_cast<int>(unsupported("").code()), 4);
  EXPECT_EQ(static_cast<int>(resource_limit("").code()), 5);
  EXPECT_EQ(static_cast<int>(io_error("").code()), 6);
  EXPECT_EQ(static_cast<int>(bad_data("").code()), 8);
  EXPECT_EQ(static_cast<int>(internal_error("").code()), 70);
}

}  // namespace
}  // namespace octet
