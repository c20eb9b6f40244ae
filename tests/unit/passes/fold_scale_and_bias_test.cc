#include <gtest/gtest.h>

#include <string>

#include "tests/support/pass_harness.h"

namespace octet::passes {
namespace {

// A Conv to two channels of 2 x 2, and one line that reads it.
std::string folded(const std::string& constant, const std::string& line,
                   const std::string& rest = "") {
  return testing::after_pass(
      "fold_scale_and_bias",
      cat("input %x: float32[1,1,2,2]\n", "const %w: float32[2,1,1,1] = [1.0, 2.0]\n", constant,
          "\n%c = Conv(%x, %w)\n", line, "\noutput %y\n", rest));
}

constexpr const char* kPerChannel = "const %k: float32[2,1,1] = [2.0, 0.5]";

TEST(FoldScaleAndBias, FoldsWhenAllHolds) {
  for (const char* line :
       {"%y = Mul(%c, %k)", "%y = Mul(%k, %c)", "%y = Div(%c, %k)", "%y = Add(%c, %k)",
        "%y = Add(%k, %c)", "%y = Sub(%c, %k)", "%y = Sub(%k, %c)"}) {
    EXPECT_EQ(folded(kPerChannel, line), "Conv") << line;
  }
}

TEST(FoldScaleAndBias, LeavesAConstantDividedByTheConv) {
  EXPECT_EQ(folded(kPerChannel, "%y = Div(%k, %c)"), "Conv Div");
}

TEST(FoldScaleAndBias, LeavesDivisionByZero) {
  EXPECT_EQ(folded("const %k: float32[] = 0.0", "%y = Div(%c, %k)"), "Conv Div");
}

TEST(FoldScaleAndBias, LeavesInfinity) {
  EXPECT_EQ(folded("const %k: float32[] = inf", "%y = Mul(%c, %k)"), "Conv Mul");
}

TEST(FoldScaleAndBias, LeavesWhatWouldOverflow) {
  EXPECT_EQ(folded("const %k: float32[] = 3e+38", "%y = Mul(%c, %k)"), "Conv Mul");
}

TEST(FoldScaleAndBias, LeavesAConstantAlongAnotherAxis) {
  EXPECT_EQ(folded("const %k: float32[2] = [2.0, 0.5]", "%y = Mul(%c, %k)"), "Conv Mul");
  EXPECT_EQ(folded("const %k: float32[2,1] = [2.0, 0.5]", "%y = Mul(%c, %k)"), "Conv Mul");
}

TEST(FoldScaleAndBias, LeavesAConstantOfHigherRank) {
  EXPECT_EQ(folded("const %k: float32[1,1,2,1,1] = [2.0, 0.5]", "%y = Mul(%c, %k)"), "Conv Mul");
}

TEST(FoldScaleAndBias, LeavesAConstantThatMakesChannels) {
  EXPECT_EQ(testing::after_pass("fold_scale_and_bias", R"(
    input %x: float32[1,1,2,2]
    const %w: float32[1,1,1,1] = [2.0]
    const %k: float32[2,1,1] = [2.0, 0.5]
    %c = Conv(%x, %w)
    %y = Mul(%c, %k)
    output %y)"),
            "Conv Mul");
}

TEST(FoldScaleAndBias, LeavesWhatIsNotConstant) {
  EXPECT_EQ(folded("input %k: float32[2,1,1]", "%y = Mul(%c, %k)"), "Conv Mul");
  EXPECT_EQ(folded("input %k: float32[] = 2.0", "%y = Mul(%c, %k)"), "Conv Mul");
}

TEST(FoldScaleAndBias, LeavesAConvThatOthersRead) {
  EXPECT_EQ(folded(kPerChannel, "%y = Mul(%c, %k)", "%z = Relu(%c)\noutput %z"), "Conv Mul Relu");
  EXPECT_EQ(folded(kPerChannel, "%y = Mul(%c, %k)", "output %c"), "Conv Mul");
  EXPECT_EQ(folded("", "%y = Mul(%c, %c)"), "Conv Mul");
}

TEST(FoldScaleAndBias, LeavesMatMulWithAdd) {
  const std::string head =
      "input %x: float32[2,2]\nconst %w: float32[2,2] = [1.0, 2.0, 3.0, 4.0]\n"
      "const %k: float32[2] = [1.0, 2.0]\n%c = MatMul(%x, %w)\n";
  EXPECT_EQ(testing::after_pass("fold_scale_and_bias", head + "%y = Add(%c, %k)\noutput %y"),
            "MatMul Add");
  EXPECT_EQ(testing::after_pass("fold_scale_and_bias", head + "%y = Mul(%c, %k)\noutput %y"),
            "MatMul");
}

TEST(FoldScaleAndBias, LeavesAWeightThatIsDequantized) {
  EXPECT_EQ(testing::after_pass("fold_scale_and_bias", R"(
    input %x: float32[1,1,2,2]
    const %q: int8[2,1,1,1] = [1, 2]
    const %s: float32[] = 0.5
    const %k: float32[] = 2.0
    %w = DequantizeLinear(%q, %s)
    %c = Conv(%x, %w)
    %y = Mul(%c, %k)
    output %y)"),
            "DequantizeLinear Conv Mul");
}

TEST(FoldScaleAndBias, FoldsBehindABatchOfMatrices) {
  EXPECT_EQ(testing::after_pass("fold_scale_and_bias", R"(
    input %x: float32[2,1,2]
    const %w: float32[2,2,2] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    const %k: float32[2] = [2.0, -0.5]
    %c = MatMul(%x, %w)
    %y = Mul(%c, %k)
    output %y)"),
            "MatMul");
}

TEST(FoldScaleAndBias, KeepsHalfPrecision) {
  const auto check = testing::check_pass("fold_scale_and_bias", testing::pass_graph(R"(
    input %x: float16[1,1,2]
    const %w: float16[1,1,1] = [1.5]
    const %k: float16[] = 2.0
    %c = Conv(%x, %w)
    %y = Mul(%c, %k)
    output %y)"));
  EXPECT_EQ(testing::operator_list(check.after), "Conv");
}

}  // namespace
}  // namespace octet::passes
