#include "compiler/base/names.h"

#include <gtest/gtest.h>

#include "compiler/base/name_hint.h"

namespace octet {
namespace {

TEST(QuoteName, EscapesWhatATerminalMightObey) {
  EXPECT_EQ(quote_name("conv_1"), "\"conv_1\"");
  EXPECT_EQ(quote_name("a\nb\x1b[31m"), "\"a\\x0ab\\x1b[31m\"");
  EXPECT_EQ(quote_name("say \"hi\" \\"), "\"say \\\"hi\\\" \\\\\"");
  EXPECT_EQ(quote_name(std::string_view("a\0b", 3)), "\"a\\x00b\"");
  EXPECT_EQ(quote_name("\x7f"), "\"\\x7f\"");
  EXPECT_EQ(quote_name(""), "\"\"");
}

TEST(QuoteName, CutsLongNames) {
  const std::string quoted = quote_name(std::string(10 << 20, 'x'));
  EXPECT_EQ(quoted, '"' + std::string(120, 'x') + "...\"");
}

TEST(NearestName, PicksTheLeastEditDistanceAndTheFirstOfEquals) {
  EXPECT_EQ(nearest_name("openvno", {"x86", "arm", "openvino", "tensorrt"}), "openvino");
  EXPECT_EQ(nearest_name("ab", {"ac", "ad"}), "ac");
  EXPECT_EQ(nearest_name("same", {"sane", "same"}), "same");
  EXPECT_EQ(nearest_name("x", {}), "");
}

TEST(NameHint, NamesTheNearestOnlyWhenItIsClose) {
  const std::vector<std::string> known = {"x86", "arm", "openvino"};
  EXPECT_EQ(name_hint("openvno", known), "; the nearest is \"openvino\"");
  EXPECT_EQ(name_hint("x87", known), "; the nearest is \"x86\"");
  EXPECT_EQ(name_hint("hexagon", known), "; there are \"x86\", \"arm\", \"openvino\"");
  EXPECT_EQ(name_hint("hexagon", {"arm"}), "; there is only \"arm\"");
  EXPECT_EQ(name_hint("hexagon", {}), "");
  EXPECT_EQ(name_hint("hexagon", std::vector<std::string>(13, "a")), "");
}

TEST(GlobMatch, MatchesRunsAndSingleCharacters) {
  EXPECT_TRUE(glob_match("head/*", "head/conv/1"));
  EXPECT_FALSE(glob_match("head/*", "body/head/1"));
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("a?c", "abc"));
  EXPECT_FALSE(glob_match("a?c", "ac"));
  EXPECT_TRUE(glob_match("*a*b*", "xxaxxbxx"));
  EXPECT_FALSE(glob_match("*a*b*", "xxbxxaxx"));
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_FALSE(glob_match("", "a"));
}

TEST(GlobMatch, TakesLittleTimeOnPatternsMadeToBacktrack) {
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "a*";
  EXPECT_FALSE(glob_match(pattern + "b", std::string(5000, 'a')));
}

}  // namespace
}  // namespace octet
