#include "passes/lift_opset.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/pass_harness.h"

namespace octet::passes {
namespace {

using testing::check_pass;
using testing::pass_graph;
using testing::PassCheck;

PassCheck lifted(const std::string& statements, int opset, int64_t target = 17) {
  testing::PassCheckOptions options;
  options.configs.lift_opset.target_opset = target;
  return check_pass("lift_opset", pass_graph(statements, opset), options);
}

// Why the model stays, without the words that are always there.
std::string refusal(const std::string& statements, int opset, int64_t target = 17) {
  const PassCheck check = lifted(statements, opset, target);
  EXPECT_EQ(check.after.model.opset(), opset);
  EXPECT_FALSE(check.report.changed);
  if (check.report.left_alone.empty()) return "";
  const std::string& text = check.report.left_alone.front();
  const std::string head = cat("the model stays at operator set ", opset, ": ");
  EXPECT_EQ(text.substr(0, head.size()), head);
  return text.substr(head.size());
}

constexpr const char* kRelu = "input %x: float32[2]\n%y = Relu(%x)\noutput %y";

TEST(LiftOpset, StatesTheTargetAndTheIrVersionItNeeds) {
  struct Case {
    int from;
    int64_t to;
    int64_t ir_version;
  };
  for (const Case& c : {Case{7, 17, 8}, Case{16, 17, 8}, Case{11, 13, 7}, Case{17, 19, 9},
                        Case{17, 21, 10}, Case{17, 23, 11}}) {
    ir::Graph graph = pass_graph(kRelu, c.from);
    graph.model.ir_version = 3;
    testing::PassCheckOptions options;
    options.configs.lift_opset.target_opset = c.to;
    const PassCheck check = check_pass("lift_opset", graph, options);
    EXPECT_EQ(check.after.model.opset(), c.to);
    EXPECT_EQ(check.after.model.ir_version, c.ir_version);
    EXPECT_TRUE(check.report.changed);
  }
}

TEST(LiftOpset, LeavesModelsThatAreNewEnough) {
  for (int opset : {17, 20, 25}) {
    const PassCheck check = lifted(kRelu, opset);
    EXPECT_FALSE(check.report.changed);
    EXPECT_TRUE(check.report.left_alone.empty());
  }
}

TEST(LiftOpset, RefusesTargetsItDoesNotKnow) {
  for (int64_t target : {12, 24}) {
    ir::Graph graph = pass_graph(kRelu, 11);
    PassContext context;
    const auto report = lift_opset(graph, {target}, context);
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().code(), ErrorCode::kUsage);
  }
}

TEST(LiftOpset, LeavesModelsThatAreTooOld) {
  EXPECT_EQ(refusal(kRelu, 6), "those before 7 are not known");
}

// --- one operator keeps the model where it is ---------------------------------------------------

TEST(LiftOpset, LeavesExperimentalOperators) {
  EXPECT_EQ(refusal("input %x: float32[2]\n%y: float32[2] = Affine(%x)\noutput %y", 7),
            "node \"y\" (Affine): operator \"Affine\" is not part of operator set 7");
  EXPECT_EQ(refusal("input %x: float32[2]\n%y: float32[2] = MeanVarianceNormalization(%x)\n"
                    "output %y",
                    8),
            "node \"y\" (MeanVarianceNormalization): its experimental form has no later one");
}

TEST(LiftOpset, IgnoresOtherDomains) {
  const PassCheck check =
      lifted("input %x: float32[2]\n%y: float32[2] = com.example::Affine(%x)\noutput %y", 7);
  EXPECT_EQ(check.after.model.opset(), 17);
}

TEST(LiftOpset, LeavesSpatialZero) {
  EXPECT_EQ(refusal("input %x: float32[1,2]\nconst %s: float32[2] = [1.0, 2.0]\n"
                    "%y = BatchNormalization(%x, %s, %s, %s, %s) {spatial = 0}\noutput %y",
                    7),
            "node \"y\" (BatchNormalization): spatial = 0 has no later form");
}

TEST(LiftOpset, LeavesStatisticsThatAreRead) {
  EXPECT_EQ(refusal("input %x: float32[1,2]\nconst %s: float32[2] = [1.0, 2.0]\n"
                    "%y, %m: float32[2], %v: float32[2] = BatchNormalization(%x, %s, %s, %s, %s)\n"
                    "output %y\noutput %m",
                    9),
            "node \"y\" (BatchNormalization): its statistics are read");
}

TEST(LiftOpset, LeavesAMaskOfNumbers) {
  EXPECT_EQ(
      refusal("input %x: float32[2]\n%y, %m: float32[2] = Dropout(%x)\noutput %y\noutput %m", 7),
      "node \"y\" (Dropout): its mask of numbers is read");
}

TEST(LiftOpset, LeavesBoundsOfUnknownType) {
  EXPECT_EQ(refusal("input %x: float32[2]\n%s = com.example::Strange(%x)\n"
                    "%y = Clip(%s) {max = 6.0, min = 0.0}\noutput %y",
                    10),
            "node \"y\" (Clip): the element type that its attribute \"min\" is to have is not "
            "known");
}

TEST(LiftOpset, LeavesAResizeBothWays) {
  EXPECT_EQ(refusal("input %x: float32[1,1,4,4]\nconst %s: float32[4] = [1.0, 1.0, 2.0, 0.5]\n"
                    "%y = Resize(%x, %s)\noutput %y",
                    10),
            "node \"y\" (Resize): it makes one axis longer and another shorter");
}

TEST(LiftOpset, LeavesAModeThatWent) {
  EXPECT_EQ(refusal("input %x: float32[1,1,4,4]\nconst %r: float32[0] = []\n"
                    "const %s: float32[4] = [1.0, 1.0, 2.0, 2.0]\n"
                    "%y: float32[1,1,8,8] = Resize(%x, %r, %s) {coordinate_transformation_mode = "
                    "\"tf_half_pixel_for_nn\"}\noutput %y",
                    11),
            "node \"y\" (Resize): tf_half_pixel_for_nn went with operator set 13");
}

TEST(LiftOpset, NamesTheNodeInABody) {
  EXPECT_EQ(refusal("input %c: bool[]\ninput %x: float32[2]\n"
                    "%y: float32[2] = If(%c) {else_branch = graph \"e\" {\ncapture %x: float32[2]\n"
                    "%e: float32[2] = Affine(%x)\noutput %e\n}, then_branch = graph \"t\" {\n"
                    "capture %x: float32[2]\n%t: float32[2] = Relu(%x)\noutput %t\n}}\noutput %y",
                    11),
            "node \"y\" (If): node \"e\" (Affine): operator \"Affine\" is not part of operator set "
            "11");
}

// --- later targets -----------------------------------------------------------------------------

TEST(LiftOpset, LiftsTheAxesOfReductionsFrom18) {
  const std::string text = "input %x: float32[2,3]\n%y = ReduceMax(%x) {axes = [1]}\noutput %y";
  const PassCheck early = lifted(text, 11, 17);
  EXPECT_EQ(early.after.node(early.after.order().back()).inputs.size(), 1U);
  const PassCheck late = lifted(text, 11, 18);
  EXPECT_EQ(late.after.node(late.after.order().back()).inputs.size(), 2U);
  EXPECT_TRUE(late.compared);
}

TEST(LiftOpset, CountsTheOutputsOfSplitFrom18) {
  const PassCheck check =
      lifted("input %x: float32[4]\n%y, %z = Split(%x)\noutput %y\noutput %z", 13, 18);
  EXPECT_EQ(ir::int_attribute(check.after.node(check.after.order().back()), "num_outputs", 0), 2);
  EXPECT_TRUE(check.compared);
}

TEST(LiftOpset, RepeatsGroupParametersFrom21) {
  const PassCheck check = lifted(
      "input %x: float32[1,4,2]\nconst %s: float32[2] = [1.0, 2.0]\n"
      "const %b: float32[2] = [3.0, 4.0]\n"
      "%y = GroupNormalization(%x, %s, %b) {num_groups = 2}\noutput %y",
      18, 21);
  const ir::Node& node = check.after.node(check.after.order().back());
  EXPECT_EQ(check.after.constant(node.input(1))->to_floats(),
            (std::vector<float>{1.0F, 1.0F, 2.0F, 2.0F}));
  EXPECT_TRUE(check.compared);
}

TEST(LiftOpset, KeepsTheOldMeaningOfRoiAlignAndGridSample) {
  const PassCheck roi = lifted(
      "input %x: float32[1,1,4,4]\ninput %r: float32[1,4]\ninput %i: int64[1]\n"
      "%y: float32[1,1,1,1] = RoiAlign(%x, %r, %i)\noutput %y",
      10);
  EXPECT_EQ(ir::string_attribute(roi.after.node(roi.after.order().back()),
                                 "coordinate_transformation_mode", ""),
            "output_half_pixel");
  // Inference knows nothing of it; the file does.
  EXPECT_EQ(roi.after.value(roi.after.find_value("y")).type.to_string(), "float32[1,1,1,1]");
  const PassCheck grid = lifted(
      "input %x: float32[1,1,4,4]\ninput %g: float32[1,2,2,2]\n"
      "%y: float32[1,1,2,2] = GridSample(%x, %g) {mode = \"bicubic\"}\noutput %y",
      16, 20);
  EXPECT_EQ(ir::string_attribute(grid.after.node(grid.after.order().back()), "mode", ""), "cubic");
}

// Softmax over the last axes of an input whose rank is not known keeps its Flatten.
TEST(LiftOpset, LiftsSoftmaxOfUnknownRank) {
  const PassCheck check =
      lifted("input %x: float32[...]\n%y: float32[...] = Softmax(%x) {axis = 2}\noutput %y", 12);
  EXPECT_EQ(testing::operator_list(check.after), "Flatten Softmax Shape Reshape");
}

}  // namespace
}  // namespace octet::passes
