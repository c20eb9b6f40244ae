// Rule files that are refused: what the message says and where it points.
#include <gtest/gtest.h>

#include "tests/support/patterns_text.h"

namespace octet::patterns {
namespace {

using testing::load_error;
using testing::rule_text;

// The body of the rule begins on line 5 of the file.
std::string error_of(const std::string& fields) { return load_error(rule_text(fields)); }

const char* const kMatch = "  match: \"%y = Exp(%x)\"\n";
const char* const kReplace = "  replace: \"%y = Neg(%x)\"";

std::string with_where(const std::string& clause) {
  return error_of(std::string(kMatch) + "  where: \"" + clause + "\"\n" + kReplace);
}
std::string with_replace(const std::string& line) {
  return error_of(std::string(kMatch) + "  replace: \"" + line + "\"");
}

TEST(LoadErrors, ThePlainRuleLoads) { EXPECT_EQ(error_of(std::string(kMatch) + kReplace), ""); }

TEST(LoadErrors, AnUnknownFieldIsPointedAt) {
  EXPECT_EQ(error_of("  mtach: \"%y = Exp(%x)\""),
            "test.textproto:5:8: Message type \"octet.patterns.proto.Rule\" has no field named "
            "\"mtach\".");
}

TEST(LoadErrors, AnUnknownStageIsPointedAt) {
  const std::string message = load_error("rules {\n  stage: CANONICALISE\n}\n");
  EXPECT_TRUE(message.starts_with("test.textproto:2:10: ")) << message;
  EXPECT_NE(message.find("CANONICALISE"), std::string::npos) << message;
}

TEST(LoadErrors, AFileThatEndsEarlyIsPointedAt) {
  EXPECT_TRUE(load_error("rules {\n  name: \"a\"\n").starts_with("test.textproto:3:1: "));
}

TEST(LoadErrors, NameDocStageAndNumericsAreRequired) {
  EXPECT_EQ(load_error("\nrules { doc: \"d\" }"), "test.textproto:2:1: a rule without a name");
  EXPECT_EQ(load_error("rules {\n  name: \"r\" }"), "test.textproto:2:3: rule r has no doc");
  EXPECT_EQ(load_error("rules { name: \"r\" doc: \"d\" }"),
            "test.textproto:1:9: rule r has no stage");
  EXPECT_EQ(load_error("rules { name: \"r\" doc: \"d\" stage: LOWER }"),
            "test.textproto:1:9: rule r has no numerics class");
}

TEST(LoadErrors, OpsetsMustNotBeEmpty) {
  EXPECT_EQ(error_of("  min_opset: 14\n  max_opset: 13"),
            "test.textproto:6:3: no opset is between 14 and 13");
}

TEST(LoadErrors, TyposInLinesArePointedAtByColumn) {
  EXPECT_EQ(error_of("  match: \"%y = Exp(%x\""),
            "test.textproto:5:22: expected ')', found the end");
  EXPECT_EQ(error_of("  match: \"y = Exp(%x)\""),
            "test.textproto:5:11: expected a value such as %x, found 'y'");
  EXPECT_EQ(error_of("  match: \"%y = Exp(%x) extra\""),
            "test.textproto:5:24: expected the end of the line, found 'extra'");
  EXPECT_EQ(error_of("  match:\n    \"%y = Exp(&)\""),
            "test.textproto:6:15: expected an operand, found '&'");
  EXPECT_EQ(error_of("  match: \"%y = {Exp(%x) | }\""),
            "test.textproto:5:27: expected an operator, found '}'");
  EXPECT_EQ(error_of("  match: \"%y = Exp(%x) {axis: 1}\""),
            "test.textproto:5:29: expected '=', found ':'");
  EXPECT_EQ(error_of("  match: \"%y = Exp(~(Relu)+ %x)\""),
            "test.textproto:5:27: expected '*', found '+'");
  EXPECT_EQ(error_of("  match: \"%y = Exp(99999999999999999999)\""),
            "test.textproto:5:20: an integer beyond 64 bits");
}

TEST(LoadErrors, TheSecondLineOfAKindHasItsOwnPlace) {
  EXPECT_EQ(
      error_of("  match: \"%a = Exp(%x)\"  match: \"%y = Logg(%a)\"\n" + std::string(kReplace)),
      "test.textproto:5:39: unknown operator \"Logg\"; did you mean Log?");
}

TEST(LoadErrors, UnknownOperatorsNameTheNearest) {
  EXPECT_EQ(error_of("  match: \"%y = Reluu(%x)\"\n" + std::string(kReplace)),
            "test.textproto:5:16: unknown operator \"Reluu\"; did you mean Relu?");
  EXPECT_EQ(with_replace("%y = Negg(%x)"),
            "test.textproto:6:18: unknown operator \"Negg\"; did you mean Neg?");
  EXPECT_EQ(with_replace("%y = com.vendor::Anything(%x)"), "");
}

TEST(LoadErrors, ArityIsThatOfTheOperator) {
  EXPECT_EQ(error_of("  match: \"%y = Add(%x)\"\n" + std::string(kReplace)),
            "test.textproto:5:16: Add needs 2 operands, here are 1");
  EXPECT_EQ(with_replace("%y = Neg(%x, %x)"),
            "test.textproto:6:18: Neg takes at most 1 operands, here are 2");
}

TEST(LoadErrors, ReplacementsExistAtTheOpsetOfTheRule) {
  EXPECT_EQ(with_replace("%y = Gelu(%x)"),
            "test.textproto:6:18: Gelu exists from opset 20 on: the rule needs min_opset: 20");
  EXPECT_EQ(error_of("min_opset: 20\n" + std::string(kMatch) + "replace: \"%y = Gelu(%x)\""), "");
}

TEST(LoadErrors, ARuleNeedsLines) {
  EXPECT_EQ(error_of(kReplace), "test.textproto:2:3: rule r has no match");
  EXPECT_EQ(error_of(kMatch), "test.textproto:2:3: rule r has no replace");
}

TEST(LoadErrors, LinesAreInOrderAndReached) {
  EXPECT_EQ(error_of("match: \"%a = Exp(%b)\"\nmatch: \"%b = Exp(%x)\"\nmatch: \"%y = Add(%a, %b)\""
                     "\nreplace: \"%y = Neg(%x)\""),
            "test.textproto:5:18: %b is read above the line that defines it");
  EXPECT_EQ(error_of("match: \"%a = Exp(%x)\"\nmatch: \"%a = Log(%x)\"\nmatch: \"%y = Neg(%a)\"\n"
                     "replace: \"%y = %x\""),
            "test.textproto:6:9: %a is defined twice");
  EXPECT_EQ(error_of("match: \"%a = Exp(%x)\"\nmatch: \"%y = Log(%x)\"\nreplace: \"%y = %x\""),
            "test.textproto:5:9: no later line reads the result of this one");
  EXPECT_EQ(error_of("match: \"%y = ~(Relu)* %x\"\nreplace: \"%y = %x\""),
            "test.textproto:5:9: the last match line is the root, which cannot be a chain");
  EXPECT_EQ(
      error_of("match: \"%a = Exp(%x)\"\nmatch: \"%y = Clip(%x, %a?)\"\nreplace: \"%y = %x\""),
      "test.textproto:6:23: %a is the result of a line: it cannot be optional");
}

TEST(LoadErrors, ReplacementsReadOnlyWhatIsBound) {
  EXPECT_EQ(with_replace("%y = Neg(%q)"),
            "test.textproto:6:22: %q is not bound by the match or a line above");
  EXPECT_EQ(with_replace("%y = Neg(%y)"),
            "test.textproto:6:22: %y is what is being replaced: it cannot be read");
  EXPECT_EQ(with_replace("%y = Softmax(%x) {axis = $a}"),
            "test.textproto:6:38: $a is not bound by the match");
  EXPECT_EQ(error_of("match: \"%y = {Exp(%x) | Add(%x, %b)}\"\nreplace: \"%y = Sub(%x, %b)\""),
            "test.textproto:6:24: %b may be absent: write %b?");
  EXPECT_EQ(error_of("match: \"%y = Clip(%x, %b?)\"\nreplace: \"%y = %b\""),
            "test.textproto:6:16: %b may be absent: write %b?");
  EXPECT_EQ(error_of("match: \"%y = Clip(%x, %b?)\"\nreplace: \"%y = %b?\""),
            "test.textproto:6:16: what may be absent cannot replace anything");
  EXPECT_EQ(with_replace("%y = ~%x %x"), "test.textproto:6:19: %x is not a chain of the match");
}

TEST(LoadErrors, EveryResultOfTheRootIsReplacedOnceAndNothingElse) {
  EXPECT_EQ(with_replace("%z = Neg(%x)"), "test.textproto:5:11: nothing replaces %y");
  EXPECT_EQ(error_of(std::string(kMatch) + kReplace + std::string(kReplace)),
            "test.textproto:6:38: %y is replaced twice");
  EXPECT_EQ(error_of("match: \"%a = Exp(%x)\"\nmatch: \"%y = Log(%a)\"\nreplace: \"%a = Neg(%x)\""),
            "test.textproto:7:11: %a is in the match but no result of its root: it cannot be "
            "replaced");
  EXPECT_EQ(error_of(std::string(kMatch) + "replace: \"%z = Neg(%x)\"\nreplace: \"%y = Neg(%x)\""),
            "test.textproto:6:11: %z is made but never read");
  EXPECT_EQ(error_of(std::string(kMatch) +
                     "replace: \"%z = Neg(%x)\"\nreplace: \"%z = Neg(%x)\"\n" + kReplace),
            "test.textproto:7:11: %z is made twice");
  EXPECT_EQ(with_replace("%y, %z = %x"),
            "test.textproto:6:13: only an operator has more than one result");
}

TEST(LoadErrors, WhereTakesItsVocabularyOnly) {
  EXPECT_EQ(with_where("is_constnat(%x)"),
            "test.textproto:6:11: unknown predicate \"is_constnat\"; did you mean is_constant?");
  EXPECT_EQ(with_where("is_constant()"),
            "test.textproto:6:11: is_constant takes 1 arguments, here are 0");
  EXPECT_EQ(with_where("is_constant(%q)"), "test.textproto:6:23: %q is not in the match");
  EXPECT_EQ(with_where("is_constant($p)"), "test.textproto:6:23: no attribute can stand here");
  EXPECT_EQ(with_where("all_zero($p)"), "test.textproto:6:20: $p is not in the match");
  EXPECT_EQ(with_where("is_constant(3)"), "test.textproto:6:11: no number can stand here");
  EXPECT_EQ(with_where("is_constant(word)"), "test.textproto:6:23: no word can stand here");
  EXPECT_EQ(with_where("rank(%x) = 1.5"), "test.textproto:6:11: an integer is wanted");
  EXPECT_EQ(with_where("rank(%x) = %x"), "test.textproto:6:22: no value can stand here");
  EXPECT_EQ(with_where("dtype(%x) = float32"), "");
}

TEST(LoadErrors, BuildersAreKnownAndMakeWhatIsWanted) {
  EXPECT_EQ(with_replace("%y = Reshape(%x, $shape_fo(%y))"),
            "test.textproto:6:30: unknown builder \"$shape_fo\"; did you mean $shape_of?");
  EXPECT_EQ(with_replace("%y = Reshape(%x, $as_float(%x))"),
            "test.textproto:6:30: $as_float makes an attribute, not an operand");
  EXPECT_EQ(with_replace("%y = LeakyRelu(%x) {alpha = $scalar(%x)}"),
            "test.textproto:6:41: $scalar makes a constant, not an attribute");
  EXPECT_EQ(with_replace("%y = Reshape(%x, $shape_of(%q))"),
            "test.textproto:6:40: %q is not in the match");
}

TEST(LoadErrors, KeepNamesInnerValues) {
  EXPECT_EQ(error_of(std::string(kMatch) + kReplace + "\n  keep: \"%x\""),
            "test.textproto:7:10: %x is not an inner value of the match");
  EXPECT_EQ(error_of(std::string(kMatch) + kReplace + "\n  keep: \"%y\""),
            "test.textproto:7:10: %y is not an inner value of the match");
}

TEST(LoadErrors, ARuleThatMatchesItsOwnResultIsRefused) {
  EXPECT_EQ(with_replace("%y = Exp(%x)"),
            "test.textproto:6:13: the replacement matches the pattern again: rule r would never "
            "end");
  EXPECT_EQ(error_of("match: \"%y = Add(%x, %z)\"\nreplace: \"%y = Add(%z, %x)\""),
            "test.textproto:6:11: the replacement matches the pattern again: rule r would never "
            "end");
  EXPECT_EQ(error_of(std::string(kMatch) +
                     "replace: \"%n = Neg(%x)\"\nreplace: \"%e = Exp(%n)\"\nreplace: \"%y = "
                     "Neg(%e)\""),
            "test.textproto:8:11: the replacement matches the pattern again: rule r would never "
            "end");
  // A shorter chain of the same operator comes to an end.
  EXPECT_EQ(error_of("match: \"%a = Exp(%x)\"\nmatch: \"%y = Exp(%a)\"\nreplace: \"%y = Exp(%x)\""),
            "");
}

std::string two_rules(const std::string& first, const std::string& second) {
  const std::string head = "doc: \"d\" stage: CANONICALIZE numerics: EXACT ";
  return load_error("rules { name: \"one\" " + head + first + " replace: \"%y = Neg(%x)\" }\n" +
                    "rules { name: \"two\" " + head + second + " replace: \"%y = Neg(%x)\" }\n");
}

const char* const kUnreachable =
    "test.textproto:2:9: rule two can never apply: one (test.textproto:1) takes everything it "
    "matches";

TEST(LoadErrors, ARuleBehindAMoreGeneralOneIsRefused) {
  EXPECT_EQ(two_rules("match: \"%y = Exp(%x)\"", "match: \"%y = Exp(%x)\""), kUnreachable);
  EXPECT_EQ(two_rules("match: \"%y = {Exp(%x) | Log(%x)}\"", "match: \"%y = Log(%x)\""),
            kUnreachable);
  EXPECT_EQ(two_rules("match: \"%y = Mul(%x, %z)\"", "match: \"%y = Mul(0.5, %x)\""), kUnreachable);
  EXPECT_EQ(
      two_rules("match: \"%y = Softmax(%x) {...}\"", "match: \"%y = Softmax(%x) {axis ?= 1}\""),
      kUnreachable);
  EXPECT_EQ(two_rules("match: \"%y = Clip(%x, %l?, %h?)\"", "match: \"%y = Clip(%x, %l, %h?)\""),
            kUnreachable);
}

TEST(LoadErrors, ARuleThatIsReachedSometimesIsNot) {
  EXPECT_EQ(two_rules("match: \"%y = Log(%x)\"", "match: \"%y = {Exp(%x) | Log(%x)}\""), "");
  EXPECT_EQ(two_rules("match: \"%y = Mul(%x, 0.5)\"", "match: \"%y = Mul(%x, %z)\""), "");
  EXPECT_EQ(two_rules("match: \"%y = Softmax(%x) {axis = 1}\"",
                      "match: \"%y = Softmax(%x) {axis ?= 1}\""),
            "");
  EXPECT_EQ(two_rules("match: \"%y = Exp(%x)\" where: \"rank(%x) = 1\"", "match: \"%y = Exp(%x)\""),
            "");
  EXPECT_EQ(two_rules("match: \"%y = Exp(%x)\" max_opset: 12", "match: \"%y = Exp(%x)\""), "");
  EXPECT_EQ(two_rules("match: \"%a = Log(%x)\" match: \"%y = Exp(%a)\"",
                      "match: \"%a = Log(%x)\" match: \"%y = Exp(%a)\" keep: \"%a\""),
            "");
}

TEST(LoadErrors, TwoRulesOfOneNameAreRefused) {
  const std::string rule = rule_text(std::string(kMatch) + kReplace);
  EXPECT_EQ(load_error(rule + rule),
            "test.textproto:9:3: rule r exists already, in test.textproto:2");
}

}  // namespace
}  // namespace octet::patterns
