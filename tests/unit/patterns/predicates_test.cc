// Each predicate: where it holds and where it just does not.
#include "patterns/predicates.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/patterns_text.h"

namespace octet::patterns {
namespace {

using testing::load;
using testing::rewritten;

// Whether `clause` holds of %a and %b in `Sub(%a, %b)`, whose types are given.
bool holds_of(const std::string& clause, const std::string& statements) {
  const RuleSet rules = load("match: '%y = com.test::Pair(%a, %b?) {p ?= $p, q ?= $q}' where: '" +
                             clause + "' replace: '%y = com.test::Yes(%a)'");
  return rewritten(rules, statements + " output %y") == "Yes";
}

bool of_inputs(const std::string& clause, const std::string& a, const std::string& b) {
  return holds_of(clause, "input %a: " + a + " input %b: " + b + " %y = com.test::Pair(%a, %b)");
}

bool of_constant(const std::string& clause, const std::string& a) {
  return holds_of(clause, "const %a: " + a + " %y = com.test::Pair(%a)");
}

bool of_attributes(const std::string& clause, const std::string& attributes) {
  return holds_of(clause, "input %a: float32[2] %y = com.test::Pair(%a) {" + attributes + "}");
}

TEST(Predicates, AreSortedAndDescribed) {
  const auto all = all_predicates();
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end(), [](const Predicate& a, const Predicate& b) {
    return a.name < b.name;
  }));
  for (const Predicate& predicate : all) {
    EXPECT_FALSE(predicate.doc.empty()) << predicate.name;
    EXPECT_EQ(find_predicate(predicate.name), &predicate);
  }
  EXPECT_EQ(find_predicate("nothing"), nullptr);
}

TEST(Predicates, HoldOfOperandsThatAreAbsent) {
  EXPECT_TRUE(holds_of("is_constant(%b)", "input %a: float32[2] %y = com.test::Pair(%a)"));
  EXPECT_TRUE(of_attributes("is_identity_permutation($p)", ""));
}

TEST(Predicates, AllZeroAndAllOneReadConstantsAndAttributes) {
  EXPECT_TRUE(of_constant("all_zero(%a)", "int64[2] = [0, 0]"));
  EXPECT_FALSE(of_constant("all_zero(%a)", "int64[2] = [0, 1]"));
  EXPECT_FALSE(of_constant("all_zero(%a)", "float32[1] = [0.0]"));
  EXPECT_FALSE(of_inputs("all_zero(%a)", "int64[1]", "int64[1]"));
  EXPECT_TRUE(of_attributes("all_one($p)", "p = [1, 1]"));
  EXPECT_TRUE(of_attributes("all_one($p)", "p = 1"));
  EXPECT_FALSE(of_attributes("all_one($p)", "p = [1, 2]"));
  EXPECT_FALSE(of_attributes("all_one($p)", "p = 1.0"));
}

TEST(Predicates, SignsOfConstants) {
  EXPECT_TRUE(of_constant("all_positive(%a)", "float32[2] = [0.5, 1.0]"));
  EXPECT_FALSE(of_constant("all_positive(%a)", "float32[2] = [0.5, 0.0]"));
  EXPECT_FALSE(of_constant("all_positive(%a)", "float32[1] = [nan]"));
  EXPECT_TRUE(of_constant("none_negative(%a)", "float32[2] = [0.5, 0.0]"));
  EXPECT_FALSE(of_constant("none_negative(%a)", "float32[2] = [0.5, -1.0]"));
  EXPECT_FALSE(of_constant("none_negative(%a)", "float32[1] = [nan]"));
  EXPECT_FALSE(of_inputs("none_negative(%a)", "float32[1]", "float32[1]"));
}

TEST(Predicates, Permutations) {
  EXPECT_TRUE(of_attributes("is_identity_permutation($p)", "p = [0, 1, 2]"));
  EXPECT_FALSE(of_attributes("is_identity_permutation($p)", "p = [0, 2, 1]"));
  EXPECT_TRUE(of_attributes("are_inverse($p, $q)", "p = [2, 0, 1], q = [1, 2, 0]"));
  EXPECT_FALSE(of_attributes("are_inverse($p, $q)", "p = [2, 0, 1], q = [2, 0, 1]"));
  EXPECT_FALSE(of_attributes("are_inverse($p, $q)", "p = [0, 1], q = [0, 1, 2]"));
  EXPECT_FALSE(of_attributes("are_inverse($p, $q)", "p = [0, 9], q = [0, -9]"));
}

TEST(Predicates, BroadcastsIntoWithoutChangingTheShape) {
  EXPECT_TRUE(of_inputs("broadcasts_into(%a, %b)", "float32[]", "float32[...]"));
  EXPECT_TRUE(of_inputs("broadcasts_into(%a, %b)", "float32[1,3]", "float32[N,2,3]"));
  EXPECT_TRUE(of_inputs("broadcasts_into(%a, %b)", "float32[N,1]", "float32[N,4]"));
  EXPECT_FALSE(of_inputs("broadcasts_into(%a, %b)", "float32[3]", "float32[1]"));
  EXPECT_FALSE(of_inputs("broadcasts_into(%a, %b)", "float32[1,1]", "float32[1]"));
  EXPECT_FALSE(of_inputs("broadcasts_into(%a, %b)", "float32[?]", "float32[?]"));
  EXPECT_FALSE(of_inputs("broadcasts_into(%a, %b)", "float32[1]", "float32[...]"));
}

TEST(Predicates, BeforeAnOpset) {
  EXPECT_TRUE(of_attributes("before_opset($p, 19)", "p = 1"));  // the graphs here have 18
  EXPECT_FALSE(of_attributes("before_opset($p, 18)", "p = 1"));
  EXPECT_TRUE(of_attributes("before_opset($p, 18)", ""));
}

TEST(Predicates, Types) {
  EXPECT_TRUE(of_inputs("dtype(%a) = float32", "float32[1]", "int8[1]"));
  EXPECT_FALSE(of_inputs("dtype(%b) = float32", "float32[1]", "int8[1]"));
  EXPECT_TRUE(of_inputs("is_float(%a)", "float16[1]", "int8[1]"));
  EXPECT_FALSE(of_inputs("is_float(%b)", "float16[1]", "int8[1]"));
  EXPECT_TRUE(of_inputs("same_dtype(%a, %b)", "int8[1]", "int8[2]"));
  EXPECT_FALSE(of_inputs("same_dtype(%a, %b)", "int8[1]", "uint8[1]"));
}

TEST(Predicates, ATypeHoldsAllValuesOfAnother) {
  const auto holds = [](const std::string& wide, const std::string& narrow) {
    return of_inputs("holds_all_of(%a, %b)", wide + "[1]", narrow + "[1]");
  };
  EXPECT_TRUE(holds("float64", "float32"));
  EXPECT_TRUE(holds("float32", "bfloat16"));
  EXPECT_TRUE(holds("float32", "float16"));
  EXPECT_TRUE(holds("float32", "int16"));
  EXPECT_TRUE(holds("float16", "uint8"));
  EXPECT_TRUE(holds("float64", "int32"));
  EXPECT_TRUE(holds("int64", "uint32"));
  EXPECT_TRUE(holds("int8", "bool"));
  EXPECT_TRUE(holds("int8", "int8"));
  EXPECT_FALSE(holds("float32", "float64"));
  EXPECT_FALSE(holds("float16", "bfloat16"));
  EXPECT_FALSE(holds("bfloat16", "float16"));
  EXPECT_FALSE(holds("float32", "int32"));
  EXPECT_FALSE(holds("float64", "int64"));
  EXPECT_FALSE(holds("bfloat16", "uint16"));
  EXPECT_FALSE(holds("uint8", "int8"));
  EXPECT_FALSE(holds("int8", "uint8"));
  EXPECT_FALSE(holds("bool", "int8"));
  EXPECT_FALSE(holds("int32", "float16"));
}

TEST(Predicates, Shapes) {
  EXPECT_TRUE(of_inputs("same_shape(%a, %b)", "float32[N,3]", "int8[N,3]"));
  EXPECT_FALSE(of_inputs("same_shape(%a, %b)", "float32[N,3]", "float32[M,3]"));
  EXPECT_FALSE(of_inputs("same_shape(%a, %b)", "float32[?,3]", "float32[?,3]"));
  EXPECT_FALSE(of_inputs("same_shape(%a, %b)", "float32[...]", "float32[...]"));
  EXPECT_FALSE(of_inputs("same_shape(%a, %b)", "float32[3]", "float32[3,1]"));
  EXPECT_TRUE(of_inputs("rank(%a) = 2", "float32[?,3]", "float32[1]"));
  EXPECT_FALSE(of_inputs("rank(%a) = 2", "float32[...]", "float32[1]"));
  EXPECT_TRUE(of_inputs("has_static_shape(%a)", "float32[2,3]", "float32[1]"));
  EXPECT_FALSE(of_inputs("has_static_shape(%a)", "float32[N,3]", "float32[1]"));
  EXPECT_TRUE(of_inputs("has_one_element(%a)", "float32[1,1]", "float32[1]"));
  EXPECT_FALSE(of_inputs("has_one_element(%a)", "float32[1,2]", "float32[1]"));
  EXPECT_TRUE(of_inputs("is_scalar(%a)", "float32[]", "float32[1]"));
  EXPECT_FALSE(of_inputs("is_scalar(%a)", "float32[1]", "float32[1]"));
}

TEST(Predicates, Constants) {
  EXPECT_TRUE(of_constant("is_constant(%a)", "float32[1] = [2.0]"));
  EXPECT_FALSE(of_inputs("is_constant(%a)", "float32[1]", "float32[1]"));
  EXPECT_TRUE(of_constant("is_false(%a)", "bool[] = false"));
  EXPECT_FALSE(of_constant("is_false(%a)", "bool[] = true"));
  const auto equal = [](const std::string& a, const std::string& b) {
    return holds_of("equal_constants(%a, %b)",
                    "const %a: " + a + " const %b: " + b + " %y = com.test::Pair(%a, %b)");
  };
  EXPECT_TRUE(equal("int64[1] = [1]", "int64[1] = [1]"));
  EXPECT_FALSE(equal("int64[1] = [1]", "int64[1] = [2]"));
  EXPECT_FALSE(equal("int64[1] = [1]", "int64[] = 1"));
}

TEST(Predicates, Axes) {
  const auto last = [](const std::string& axes, const std::string& type) {
    return holds_of("is_last_axis($p, %a)",
                    "input %a: " + type + " %y = com.test::Pair(%a) {p = " + axes + "}");
  };
  EXPECT_TRUE(last("[-1]", "float32[...]"));
  EXPECT_TRUE(last("[2]", "float32[1,2,3]"));
  EXPECT_FALSE(last("[2]", "float32[...]"));
  EXPECT_FALSE(last("[1]", "float32[1,2,3]"));
  EXPECT_FALSE(last("[1, 2]", "float32[1,2,3]"));
  const auto spatial = [](const std::string& axes, const std::string& type) {
    return holds_of("is_spatial_axes($p, %a)",
                    "input %a: " + type + " %y = com.test::Pair(%a) {p = " + axes + "}");
  };
  EXPECT_TRUE(spatial("[2, 3]", "float32[1,2,3,4]"));
  EXPECT_TRUE(spatial("[-1, -2]", "float32[1,2,3,4]"));
  EXPECT_FALSE(spatial("[2]", "float32[1,2,3,4]"));
  EXPECT_FALSE(spatial("[2, 2]", "float32[1,2,3,4]"));
  EXPECT_FALSE(spatial("[1, 2]", "float32[1,2,3,4]"));
  EXPECT_FALSE(spatial("[2, 9]", "float32[1,2,3,4]"));
  EXPECT_TRUE(of_inputs("is_per_last_axis(%a, %b)", "float32[1,4]", "float32[2,3,4]"));
  EXPECT_FALSE(of_inputs("is_per_last_axis(%a, %b)", "float32[3,4]", "float32[2,3,4]"));
  EXPECT_FALSE(of_inputs("is_per_last_axis(%a, %b)", "float32[1]", "float32[2,3,4]"));
  EXPECT_FALSE(of_inputs("is_per_last_axis(%a, %b)", "float32[1,1,1,4]", "float32[2,3,4]"));
}

}  // namespace
}  // namespace octet::patterns
