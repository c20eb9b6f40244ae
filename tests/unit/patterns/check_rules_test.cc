// check_rules(): wrong rules are found out by their numbers.
#include <gtest/gtest.h>

#include "tests/support/patterns_text.h"

namespace octet::patterns {
namespace {

using testing::load;

std::string check_error(const std::string& fields) {
  const auto evidence = check_rules(load(fields));
  return evidence.ok() ? "" : evidence.error().message();
}

TEST(CheckRules, ARightRuleHasEvidenceForEveryClause) {
  const auto evidence = check_rules(
      load("match: '%y = Cast(%x) {to = $t}' where: 'same_dtype(%x, %y)' replace: '%y = %x'"));
  ASSERT_TRUE(evidence.ok()) << evidence.error().message();
  EXPECT_EQ(evidence->front().rule, "r");
  EXPECT_EQ(evidence->front().compared, CheckOptions().wanted);
  ASSERT_EQ(evidence->front().near_misses.size(), 1U);
  EXPECT_GT(evidence->front().near_misses[0], 0);
}

TEST(CheckRules, WrongNumbersAreFound) {
  const std::string message = check_error("match: '%y = Abs(%x)' replace: '%y = Relu(%x)'");
  EXPECT_TRUE(message.starts_with("test.textproto:5:33: rule r: element ")) << message;
}

TEST(CheckRules, AMissingClauseIsFound) {
  EXPECT_NE(check_error("match: '%y = Transpose(%x) {perm = $p}' replace: '%y = %x'"), "");
  EXPECT_NE(check_error("match: '%y = Add(%x, %z)' replace: '%y = %x'"), "");
}

TEST(CheckRules, RoundingIsNotExact) {
  const std::string lines =
      "match: '%a = Mul(%x, 3.0)' match: '%b = Div(%a, 7.0)' match: '%y = Mul(%b, 0.3)' ";
  const std::string replace = "replace: '%y = Mul(%x, 0.12857143)'";
  EXPECT_NE(check_error(lines + replace), "");
  const auto rounding =
      RuleSet::load_text("rules { name: 'r' doc: 'd' stage: CANONICALIZE numerics: ROUNDING " +
                             lines + "where: 'is_float(%x)' " + replace + "}",
                         "test.textproto");
  ASSERT_TRUE(rounding.ok()) << rounding.error().message();
  const auto evidence = check_rules(*rounding);
  // Literals are fractions: no integer matches, and the clause never decides.
  ASSERT_FALSE(evidence.ok());
  EXPECT_NE(evidence.error().message().find("nothing fails is_float(%x) alone"), std::string::npos)
      << evidence.error().message();
}

TEST(CheckRules, AClauseThatNeverDecidesIsFound) {
  EXPECT_EQ(check_error("match: '%a = Relu(%x)' match: '%y = Relu(%a)'\nwhere: 'same_shape(%y, %y)'"
                        " where: 'same_dtype(%x, %y)' replace: '%y = Relu(%x)'"),
            "test.textproto:6:37: rule r: nothing fails same_dtype(%x, %y) alone");
}

TEST(CheckRules, ARuleThatFiresOnItsOwnResultIsFound) {
  EXPECT_EQ(check_error("match: '%y = Relu(%x)' where: 'is_float(%x)' replace: '%a = Relu(%x)' "
                        "replace: '%y = Relu(%a)'"),
            "test.textproto:5:81: rule r: it fires on its own result, for ever");
}

TEST(CheckRules, APatternThatNothingFitsIsFound) {
  EXPECT_EQ(check_error("match: '%y = Concat(%x) {axis = 77}' replace: '%y = %x'"),
            "test.textproto:2:3: rule r: no instance of the pattern could be made and rewritten");
}

TEST(CheckRules, RulesWithAVendorsOperatorsAreNotRun) {
  const auto evidence =
      check_rules(load("match: '%y = Exp(%x)' replace: '%y = com.vendor::Exp(%x)'"));
  ASSERT_TRUE(evidence.ok()) << evidence.error().message();
  EXPECT_EQ(evidence->front().compared, 0);
}

TEST(CheckRules, AnotherSeedComesToTheSameVerdict) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    EXPECT_FALSE(
        check_rules(load("match: '%y = Neg(%x)' replace: '%y = Abs(%x)'"), {.seed = seed}).ok());
  }
}

}  // namespace
}  // namespace octet::patterns
