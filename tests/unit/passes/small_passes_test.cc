// normalize_gemm, eliminate_common_subexpressions, remove_dead_nodes, remove_initializer_inputs,
// share_equal_weights.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/pass_harness.h"

namespace octet::passes {
namespace {

using testing::after_pass;
using testing::check_pass;
using testing::pass_graph;

std::string gemm(const std::string& operands, const std::string& attributes) {
  const auto check = check_pass(
      "normalize_gemm", pass_graph(cat("input %x: float32[2,2]\ninput %v: float32[2,2]\n"
                                       "input %d: float32[2]\nconst %c: float32[2] = [1.0, 2.0]\n"
                                       "const %w: float32[2,2] = [1.0, 2.0, 3.0, 4.0]\n%y = Gemm(",
                                       operands, ") {", attributes, "}\noutput %y")));
  const ir::Node& node = check.after.node(check.after.order().back());
  std::string out;
  for (const auto& [name, value] : node.attributes) out += name + " ";
  return out;
}

TEST(NormalizeGemm, KeepsWhatIsNotConstant) {
  EXPECT_EQ(gemm("%x, %w, %c", "alpha = 2.0, beta = 3.0"), "");
  EXPECT_EQ(gemm("%x, %v, %c", "alpha = 2.0, beta = 3.0"), "alpha ");
  EXPECT_EQ(gemm("%x, %w, %d", "alpha = 2.0, beta = 3.0"), "beta ");
  EXPECT_EQ(gemm("%x, %w", "beta = 3.0"), "");
  EXPECT_EQ(gemm("%x, %w", "alpha = inf"), "alpha ");
  EXPECT_EQ(gemm("%x, %w", "alpha = 3e+38"), "alpha ");
  EXPECT_EQ(gemm("%x, %w, %c", "transA = 1, transB = 1"), "transB ");
  EXPECT_EQ(gemm("%x, %w, %c", "alpha = 1.0, beta = 1.0"), "alpha beta ");
}

TEST(NormalizeGemm, SaysThatASharedWeightIsCopied) {
  const auto check = check_pass("normalize_gemm", pass_graph(R"(
    input %x: float32[2,2]
    const %w: float32[2,2] = [1.0, 2.0, 3.0, 4.0]
    %y = Gemm(%x, %w) {alpha = 2.0}
    %z = MatMul(%x, %w)
    output %y
    output %z)"));
  ASSERT_EQ(check.report.notes.size(), 1U);
  EXPECT_EQ(check.report.notes.front(),
            "node \"y\" (Gemm): the shared weight \"w\" is copied, 16 bytes");
}

TEST(EliminateCommonSubexpressions, KeepsNodesThatDiffer) {
  const std::string head = "input %x: float32[2,3]\ninput %z: float32[2,3]\n";
  const auto merged = [&](const std::string& lines) {
    return after_pass("eliminate_common_subexpressions",
                      head + lines + "%y = Sub(%a, %b)\noutput %y");
  };
  EXPECT_EQ(merged("%a = Relu(%x)\n%b = Relu(%x)\n"), "Relu Sub");
  EXPECT_EQ(merged("%a = Relu(%x)\n%b = Relu(%z)\n"), "Relu Relu Sub");
  EXPECT_EQ(merged("%a = Relu(%x)\n%b = Neg(%x)\n"), "Relu Neg Sub");
  EXPECT_EQ(merged("%a = Elu(%x) {alpha = 1.0}\n%b = Elu(%x) {alpha = 2.0}\n"), "Elu Elu Sub");
  EXPECT_EQ(merged("%a = Elu(%x)\n%b = Elu(%x) {alpha = 1.0}\n"), "Elu Elu Sub");
}

TEST(EliminateCommonSubexpressions, KeepsOutputsTheirNames) {
  EXPECT_EQ(after_pass("eliminate_common_subexpressions", R"(
    input %x: float32[2]
    %a = Relu(%x)
    %b = Relu(%x)
    output %a
    output %b)"),
            "Relu Relu");
}

TEST(EliminateCommonSubexpressions, KeepsWhatIsRandomOrUnknownOrQuantizes) {
  for (const char* op :
       {"RandomNormalLike(%x)", "com.example::Strange(%x)", "QuantizeLinear(%x, %s, %z)"}) {
    const std::string type = std::string(op).starts_with("Q") ? "int8[2]" : "float32[2]";
    const auto check = check_pass(
        "eliminate_common_subexpressions",
        pass_graph(cat(
            "input %x: float32[2]\nconst %s: float32[] = 0.5\nconst %z: int8[] = 0\n%a: ", type,
            " = ", op, "\n%b: ", type, " = ", op, "\n%y = Concat(%a, %b) {axis = 0}\noutput %y")));
    EXPECT_FALSE(check.report.changed) << op;
  }
}

TEST(RemoveDeadNodes, KeepsNodesWithoutOutputs) {
  EXPECT_EQ(after_pass("remove_dead_nodes", R"(
    input %x: float32[2]
    () = com.example::Print(%x)
    %dead: float32[2] = com.example::Strange(%x)
    %y = Relu(%x)
    output %y)"),
            "Print Relu");
}

TEST(RemoveDeadNodes, KeepsWhatABodyReads) {
  EXPECT_EQ(after_pass("remove_dead_nodes", R"(
    input %c: bool[]
    input %x: float32[2]
    %n = Neg(%x)
    %y: float32[2] = If(%c) {else_branch = graph "else" {
      capture %n: float32[2]
      %e: float32[2] = Relu(%n)
      output %e
    }, then_branch = graph "then" {
      capture %n: float32[2]
      %t: float32[2] = Abs(%n)
      output %t
    }}
    output %y)"),
            "Neg If");
}

TEST(RemoveInitializerInputs, LeavesInputsWithoutDefaults) {
  const auto check = check_pass("remove_initializer_inputs", pass_graph(R"(
    input %x: float32[2]
    %y = Relu(%x)
    output %y)"));
  EXPECT_FALSE(check.report.changed);
}

TEST(ShareEqualWeights, KeepsWhatIsReadInAnotherWay) {
  const auto changed = [](const std::string& constants, const std::string& lines) {
    return check_pass("share_equal_weights", pass_graph(cat("input %x: float32[2,2]\n", constants,
                                                            lines, "%y = Add(%a, %b)\noutput %y")))
        .report.changed;
  };
  const std::string equal =
      "const %v: float32[2,2] = [1.0, 2.0, 3.0, 4.0]\nconst %w: float32[2,2] = [1.0, 2.0, 3.0, "
      "4.0]\n";
  const std::string signs =
      "const %v: float32[2,2] = [1.0, 2.0, 3.0, 0.0]\nconst %w: float32[2,2] = [1.0, 2.0, 3.0, "
      "-0.0]\n";
  const std::string shapes =
      "const %v: float32[2,1] = [1.0, 2.0]\nconst %w: float32[2] = [1.0, 2.0]\n";
  EXPECT_TRUE(changed(equal, "%a = MatMul(%x, %v)\n%b = MatMul(%x, %w)\n"));
  EXPECT_FALSE(changed(signs, "%a = MatMul(%x, %v)\n%b = MatMul(%x, %w)\n"));
  EXPECT_FALSE(changed(shapes, "%a = MatMul(%x, %v)\n%b = MatMul(%x, %w)\n"));
  EXPECT_FALSE(changed(equal, "%a = MatMul(%x, %v)\n%b = Gemm(%x, %w)\n"));
  EXPECT_FALSE(changed(equal, "%a = Gemm(%x, %v)\n%b = Gemm(%x, %w) {transB = 1}\n"));
  EXPECT_FALSE(changed(equal, "%a = MatMul(%x, %v)\n%b = MatMul(%w, %x)\n"));
  EXPECT_FALSE(changed(equal, "%a = MatMul(%x, %v)\n%c = MatMul(%x, %w)\n%b = Mul(%c, %w)\n"));
}

}  // namespace
}  // namespace octet::passes
