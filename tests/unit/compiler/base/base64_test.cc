#include "compiler/base/base64.h"

#include <gtest/gtest.h>

#include <string>

namespace octet {
namespace {

std::string encoded(const std::string& text) {
  return to_base64(std::as_bytes(std::span(text.data(), text.size())));
}

TEST(Base64, TestVectorsOfTheStandard) {
  EXPECT_EQ(encoded(""), "");
  EXPECT_EQ(encoded("f"), "Zg==");
  EXPECT_EQ(encoded("fo"), "Zm8=");
  EXPECT_EQ(encoded("foo"), "Zm9v");
  EXPECT_EQ(encoded("foobar"), "Zm9vYmFy");
}

TEST(Base64, EveryByteComesBack) {
  for (size_t size = 0; size < 300; ++size) {
    std::vector<std::byte> bytes(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + size);
    const auto again = from_base64(to_base64(bytes));
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(*again, bytes);
  }
}

TEST(Base64, RefusesWhatItDoesNotWrite) {
  for (const char* bad : {"Zg=", "Zg", "Z===", "====", "Zh==", "Zm9=", "Zm 9", "Zg==Zg=="}) {
    EXPECT_FALSE(from_base64(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace octet
