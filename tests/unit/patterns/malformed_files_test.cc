// Files cut short or damaged anywhere are refused or load; nothing else happens.
#include <gtest/gtest.h>

#include "patterns/embedded.h"
#include "tests/support/patterns_text.h"

namespace octet::patterns {
namespace {

TEST(MalformedFiles, AreRefusedWhereverTheyAreCut) {
  for (const EmbeddedFile& file : embedded_rule_files()) {
    for (size_t size = 0; size < file.text.size(); size += 7) {
      const auto rules = RuleSet::load_text(file.text.substr(0, size), "cut.textproto");
      if (!rules.ok()) {
        EXPECT_TRUE(rules.error().message().starts_with("cut.textproto:"));
      }
    }
  }
}

TEST(MalformedFiles, AreRefusedWhereverAByteIsWrong) {
  const std::string_view bytes = "%${}()~|?*\"=,.:-9a\n\xff";
  size_t turn = 0;
  for (const EmbeddedFile& file : embedded_rule_files()) {
    for (size_t at = 0; at < file.text.size(); at += 5) {
      std::string text(file.text);
      text[at] = bytes[turn++ % bytes.size()];
      const auto rules = RuleSet::load_text(text, "damaged.textproto");
      if (!rules.ok()) {
        EXPECT_EQ(rules.error().code(), ErrorCode::kUsage) << rules.error().message();
      }
    }
  }
}

TEST(MalformedFiles, WithTooManyLinesAreRefused) {
  std::string lines;
  for (int i = 0; i < 70; ++i) {
    lines += cat("match: '%a", i, " = Exp(%", i == 0 ? std::string("x") : cat("a", i - 1), ")'\n");
  }
  EXPECT_EQ(testing::load_error(testing::rule_text(lines + "replace: '%a69 = %x'")),
            "test.textproto:2:3: rule r has more than 64 lines");
}

}  // namespace
}  // namespace octet::patterns
