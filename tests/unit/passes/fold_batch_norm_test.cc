// The no beside the yes: for each condition of the pass a graph where only that one fails.
#include "passes/fold_batch_norm.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/pass_harness.h"

namespace octet::passes {
namespace {

using testing::after_pass;
using testing::check_pass;
using testing::pass_graph;

// A Conv of one channel to two and its BatchNormalization; what is not given is as it should be.
struct Parts {
  std::string weight = "const %w: float32[2,1,1,1] = [1.0, 2.0]";
  std::string scale = "const %s: float32[2] = [2.0, 0.5]";
  std::string mean = "const %m: float32[2] = [1.0, 0.0]";
  std::string variance = "const %v: float32[2] = [3.0, 0.5]";
  std::string linear = "%c = Conv(%x, %w)";
  std::string norm = "%y = BatchNormalization(%c, %s, %s, %m, %v)";
  std::string rest = "output %y";

  std::string text() const {
    return cat("input %x: float32[1,1,2,2]\n", weight, "\n", scale, "\n", mean, "\n", variance,
               "\n", linear, "\n", norm, "\n", rest);
  }
};

std::string folded(const Parts& parts) { return after_pass("fold_batch_norm", parts.text()); }

constexpr const char* kBoth = "Conv BatchNormalization";

TEST(FoldBatchNorm, FoldsWhenAllHolds) { EXPECT_EQ(folded({}), "Conv"); }

TEST(FoldBatchNorm, LeavesAConvThatOthersRead) {
  EXPECT_EQ(folded({.rest = "output %y\n%z = Relu(%c)\noutput %z"}), cat(kBoth, " Relu"));
}

TEST(FoldBatchNorm, LeavesAConvThatIsAnOutput) {
  EXPECT_EQ(folded({.rest = "output %y\noutput %c"}), kBoth);
}

TEST(FoldBatchNorm, LeavesWhatIsInTraining) {
  EXPECT_EQ(folded({.norm = "%y, %mean, %var = BatchNormalization(%c, %s, %s, %m, %v) "
                            "{training_mode = 1}"}),
            kBoth);
}

TEST(FoldBatchNorm, LeavesAParameterThatIsAnInput) {
  EXPECT_EQ(folded({.scale = "input %s: float32[2]"}), kBoth);
}

TEST(FoldBatchNorm, LeavesAParameterThatCanBeSet) {
  EXPECT_EQ(folded({.mean = "input %m: float32[2] = [1.0, 0.0]"}), kBoth);
}

TEST(FoldBatchNorm, LeavesANegativeVariance) {
  EXPECT_EQ(folded({.variance = "const %v: float32[2] = [3.0, -1e-07]"}), kBoth);
}

TEST(FoldBatchNorm, LeavesAVarianceOfZeroWithoutEpsilon) {
  EXPECT_EQ(folded({.variance = "const %v: float32[2] = [3.0, 0.0]",
                    .norm = "%y = BatchNormalization(%c, %s, %s, %m, %v) {epsilon = 0.0}"}),
            kBoth);
}

TEST(FoldBatchNorm, LeavesAMeanThatIsNoNumber) {
  EXPECT_EQ(folded({.mean = "const %m: float32[2] = [1.0, nan]"}), kBoth);
}

TEST(FoldBatchNorm, LeavesAWeightThatIsAnInput) {
  EXPECT_EQ(folded({.weight = "input %w: float32[2,1,1,1]"}), kBoth);
}

TEST(FoldBatchNorm, LeavesABiasThatIsAnInput) {
  EXPECT_EQ(folded({.weight = "const %w: float32[2,1,1,1] = [1.0, 2.0]\ninput %b: float32[2]",
                    .linear = "%c = Conv(%x, %w, %b)"}),
            kBoth);
}

TEST(FoldBatchNorm, LeavesWhatWouldOverflow) {
  EXPECT_EQ(folded({.weight = "const %w: float32[2,1,1,1] = [1.0, 1e+38]",
                    .scale = "const %s: float32[2] = [2.0, 100.0]"}),
            kBoth);
}

TEST(FoldBatchNorm, LeavesWhatIsNotBehindALinearOperator) {
  EXPECT_EQ(folded({.scale = "const %s: float32[1] = [2.0]",
                    .mean = "const %m: float32[1] = [1.0]",
                    .variance = "const %v: float32[1] = [3.0]",
                    .linear = "%c = Relu(%x)"}),
            "Relu BatchNormalization");
}

TEST(FoldBatchNorm, LeavesAMatMulWhoseChannelsAreNotTheLastAxis) {
  EXPECT_EQ(after_pass("fold_batch_norm", R"(
    input %x: float32[1,2,2]
    const %w: float32[2,2] = [1.0, 2.0, 3.0, 4.0]
    const %s: float32[2] = [1.0, 2.0]
    %c = MatMul(%x, %w)
    %y = BatchNormalization(%c, %s, %s, %s, %s)
    output %y)"),
            "MatMul BatchNormalization");
}

TEST(FoldBatchNorm, LeavesAGemmWithAlpha) {
  EXPECT_EQ(after_pass("fold_batch_norm", R"(
    input %x: float32[1,2]
    const %w: float32[2,2] = [1.0, 2.0, 3.0, 4.0]
    const %s: float32[2] = [1.0, 2.0]
    %c = Gemm(%x, %w) {alpha = 2.0}
    %y = BatchNormalization(%c, %s, %s, %s, %s)
    output %y)"),
            "Gemm BatchNormalization");
}

TEST(FoldBatchNorm, LeavesAGemmWhoseBiasIsAMatrix) {
  EXPECT_EQ(after_pass("fold_batch_norm", R"(
    input %x: float32[2,2]
    const %w: float32[2,2] = [1.0, 2.0, 3.0, 4.0]
    const %b: float32[2,1] = [1.0, 2.0]
    const %s: float32[2] = [1.0, 2.0]
    %c = Gemm(%x, %w, %b)
    %y = BatchNormalization(%c, %s, %s, %s, %s)
    output %y)"),
            "Gemm BatchNormalization");
}

TEST(FoldBatchNorm, SaysWhyItLeavesOne) {
  const auto check =
      check_pass("fold_batch_norm",
                 pass_graph(Parts{.variance = "const %v: float32[2] = [3.0, -0.25]"}.text()));
  ASSERT_EQ(check.report.left_alone.size(), 1U);
  EXPECT_EQ(check.report.left_alone.front(),
            "node \"y\" (BatchNormalization): channel 1 has a variance of -0.25");
}

// A factor of zero in a branch, and a factor per channel that lies on two axes of the weight.
TEST(FoldBatchNorm, CopiesASharedWeightWhereNoFactorCanStand) {
  const std::string shared = "output %y\n%d = Conv(%x, %w)\noutput %d";
  const auto zero = check_pass(
      "fold_batch_norm",
      pass_graph(Parts{.scale = "const %s: float32[2] = [2.0, 0.0]", .rest = shared}.text()));
  EXPECT_EQ(testing::operator_list(zero.after), "Conv Conv");
  EXPECT_EQ(zero.report.notes.size(), 1U);

  const auto grouped = check_pass("fold_batch_norm", pass_graph(R"(
    input %x: float32[1,2,2,2]
    const %w: float32[2,1,1,1] = [1.0, 2.0]
    const %s: float32[2] = [1.0, 2.0]
    %c = ConvTranspose(%x, %w) {group = 2}
    %y = BatchNormalization(%c, %s, %s, %s, %s)
    %d = ConvTranspose(%x, %w) {group = 2}
    output %y
    output %d)"));
  EXPECT_EQ(testing::operator_list(grouped.after), "ConvTranspose ConvTranspose");
  EXPECT_EQ(grouped.report.notes.size(), 1U);
}

TEST(FoldBatchNorm, KeepsOneWeightForThreeBranches) {
  const auto check = check_pass("fold_batch_norm", pass_graph(R"(
    input %x: float32[1,1,2,2]
    const %w: float32[2,1,1,1] = [1.0, -2.0]
    const %a: float32[2] = [1.0, 2.0]
    const %b: float32[2] = [3.0, 0.25]
    const %v: float32[2] = [1.0, 1.0]
    %c0 = Conv(%x, %w)
    %y0 = BatchNormalization(%c0, %a, %b, %b, %v)
    %c1 = Conv(%x, %w)
    %y1 = BatchNormalization(%c1, %b, %a, %b, %v)
    %c2 = Conv(%x, %w)
    %y2 = BatchNormalization(%c2, %v, %a, %a, %v)
    output %y0
    output %y1
    output %y2)"));
  EXPECT_EQ(testing::operator_list(check.after), "Mul Conv Mul Conv Mul Conv");
  EXPECT_TRUE(check.report.notes.empty());
  EXPECT_EQ(check.after.uses(check.after.find_value("w")).size(), 3U);
  // And folding of constants keeps it so.
  EXPECT_FALSE(check_pass("fold_constants", check.after).report.edits > 0);
}

TEST(FoldBatchNorm, ChargesCopiesOfASharedWeight) {
  ir::Graph graph = pass_graph(Parts{.scale = "const %s: float32[2] = [2.0, -1.0]",
                                     .rest = "output %y\n%d = Conv(%x, %w)\noutput %d"}
                                   .text());
  MemoryBudget budget(7);
  PassContext context;
  context.budget = &budget;
  const auto report = fold_batch_norm(graph, {}, context);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), ErrorCode::kResourceLimit);
}

}  // namespace
}  // namespace octet::passes
