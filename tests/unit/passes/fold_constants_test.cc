#include "passes/fold_constants.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/pass_harness.h"

namespace octet::passes {
namespace {

using testing::after_pass;

TEST(FoldConstants, KeepsQuantizersOfConstants) {
  EXPECT_EQ(after_pass("fold_constants", R"(
    input %x: float32[1,2]
    const %w: float32[2,1] = [1.0, 2.0]
    const %s: float32[] = 0.5
    const %z: int8[] = 0
    %q = QuantizeLinear(%w, %s, %z)
    %d = DequantizeLinear(%q, %s, %z)
    %y = MatMul(%x, %d)
    output %y)"),
            "QuantizeLinear DequantizeLinear MatMul");
}

TEST(FoldConstants, KeepsWhatIsRandom) {
  EXPECT_EQ(after_pass("fold_constants", R"(
    const %p: float32[2] = [0.5, 0.5]
    %y: float32[2] = Bernoulli(%p)
    output %y)"),
            "Bernoulli");
}

TEST(FoldConstants, KeepsOperatorsItDoesNotKnow) {
  EXPECT_EQ(after_pass("fold_constants", R"(
    const %p: float32[2] = [0.5, 0.5]
    %y: float32[2] = com.example::Strange(%p)
    output %y)"),
            "Strange");
}

TEST(FoldConstants, KeepsLongResultsOfShortOperands) {
  const std::string text = R"(
    input %x: float32[1]
    const %one: float32[1] = [1.0]
    const %to: int64[1] = [2000000]
    %e = Expand(%one, %to)
    %y = Add(%x, %e)
    output %y)";
  EXPECT_EQ(after_pass("fold_constants", text), "Expand Add");

  ir::Graph graph = testing::pass_graph(text);
  PassContext context;
  context.max_constant_bytes = 8'000'000;
  ASSERT_TRUE(fold_constants(graph, {}, context).ok());
  EXPECT_EQ(testing::operator_list(graph), "Add");
}

TEST(FoldConstants, StopsWhereTheBudgetEnds) {
  ir::Graph graph = testing::pass_graph(R"(
    const %one: float32[4] = [1.0, 2.0, 3.0, 4.0]
    %y = Neg(%one)
    output %y)");
  MemoryBudget budget(15);
  PassContext context;
  context.budget = &budget;
  const auto report = fold_constants(graph, {}, context);
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report->changed);
}

TEST(FoldConstants, KeepsWhatFailsToRun) {
  EXPECT_EQ(after_pass("fold_constants", R"(
    input %x: float32[1]
    const %data: float32[2] = [1.0, 2.0]
    const %i: int64[] = 7
    %e = Gather(%data, %i)
    %y = Add(%x, %e)
    output %y)"),
            "Gather Add");
}

TEST(FoldConstants, KeepsDefaultsOfInputs) {
  EXPECT_EQ(after_pass("fold_constants", R"(
    input %x: float32[2] = [1.0, 2.0]
    %y = Neg(%x)
    output %y)"),
            "Neg");
}

TEST(FoldConstants, LeavesDeadNodesToTheirPass) {
  const auto check = testing::check_pass("fold_constants", testing::pass_graph(R"(
    input %x: float32[2]
    const %k: float32[2] = [1.0, 2.0]
    %dead: float32[2] = Neg(%k)
    %y: float32[2] = Neg(%x)
    output %y)"));
  EXPECT_FALSE(check.report.changed);
}

// --- Mul(weight, factor) ---------------------------------------------------------------------

std::string shared(const std::string& factor, const std::string& rest) {
  return after_pass("fold_constants",
                    cat("input %x: float32[1,2]\ninput %z: float32[1,2]\n",
                        "const %w: float32[2,2] = [1.0, 2.0, 3.0, 4.0]\n", factor,
                        "\n%f = Mul(%w, %k)\n%a = MatMul(%x, %f)\noutput %a\n", rest));
}

constexpr const char* kFactor = "const %k: float32[1,2] = [0.5, 2.0]";
constexpr const char* kOtherReader = "%b = MatMul(%z, %w)\noutput %b";

TEST(FoldConstants, KeepsTheFactorOfASharedWeight) {
  EXPECT_EQ(shared(kFactor, kOtherReader), "Mul MatMul MatMul");
}

TEST(FoldConstants, FoldsAFactorWhenTheWeightHasNoOtherReader) {
  EXPECT_EQ(shared(kFactor, ""), "MatMul");
}

TEST(FoldConstants, FoldsAFactorWhenTheOtherReaderTakesItAsData) {
  EXPECT_EQ(shared(kFactor, "%b = Add(%z, %w)\noutput %b"), "MatMul Add");
}

TEST(FoldConstants, FoldsAFactorThatIsNotPositive) {
  EXPECT_EQ(shared("const %k: float32[1,2] = [0.5, 0.0]", kOtherReader), "MatMul MatMul");
}

TEST(FoldConstants, FoldsAFactorAlongTwoAxes) {
  EXPECT_EQ(shared("const %k: float32[2,2] = [0.5, 1.0, 2.0, 3.0]", kOtherReader), "MatMul MatMul");
}

TEST(FoldConstants, FoldsAFactorWhoseProductIsReadAsData) {
  EXPECT_EQ(shared(kFactor, cat(kOtherReader, "\n%c = Neg(%f)\noutput %c")), "MatMul MatMul");
}

TEST(FoldConstants, FoldsAFactorWhoseProductIsAnOutput) {
  EXPECT_EQ(shared(kFactor, cat(kOtherReader, "\noutput %f")), "MatMul MatMul");
}

// The weight itself is only known to be constant after a walk.
TEST(FoldConstants, KeepsTheFactorsOfASharedWeightThatItFoldsFirst) {
  EXPECT_EQ(after_pass("fold_constants", R"(
    input %x: float32[1,2]
    const %w: float32[2,2] = [1.0, 2.0, 3.0, 4.0]
    const %k: float32[1,2] = [0.5, 2.0]
    const %l: float32[1,2] = [3.0, 2.0]
    %t = Transpose(%w)
    %f = Mul(%t, %k)
    %g = Mul(%t, %l)
    %a = MatMul(%x, %f)
    %b = MatMul(%x, %g)
    output %a
    output %b)"),
            "Mul Mul MatMul MatMul");
}

}  // namespace
}  // namespace octet::passes
