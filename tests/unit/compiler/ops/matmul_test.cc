#include "tests/support/op_expect.h"

namespace octet::testing {
namespace {

Operand of_shape(std::vector<ir::Dim> dims) {
  return Operand::of_type(ir::DType::kFloat32, ir::Shape(std::move(dims)));
}

TEST(MatMul, MultipliesMatrices) {
  expect_output({"MatMul", {counting({2, 3}), counting({3, 2})}}, f32({2, 2}, {10, 13, 28, 40}));
}

TEST(MatMul, VectorsBecomeMatricesAndLoseTheExtraAxis) {
  expect_output({"MatMul", {counting({3}), counting({3})}}, f32({}, {5}));
  expect_output({"MatMul", {counting({2}), counting({2, 3})}}, f32({3}, {3, 4, 5}));
  expect_output({"MatMul", {counting({2, 2}), counting({2})}}, f32({2}, {1, 3}));
}

TEST(MatMul, StacksBroadcast) {
  expect_output({"MatMul", {counting({2, 1, 1, 2}), counting({3, 2, 1})}},
                f32({2, 3, 1, 1}, {1, 3, 5, 3, 13, 23}));
}

TEST(MatMul, IntegersWrap) {
  expect_output(
      {"MatMul",
       {ir::Tensor::of<int32_t>({1, 1}, {1 << 30}), ir::Tensor::of<int32_t>({1, 1}, {4})}},
      ir::Tensor::of<int32_t>({1, 1}, {0}));
}

TEST(MatMul, InfersNamedExtents) {
  EXPECT_EQ(inferred_shape(
                {"MatMul", {of_shape({ir::Dim::named("N"), 128, 64}), of_shape({64, ir::Dim()})}}),
            "[N,128,?]");
}

TEST(MatMul, ContradictingShapesAreRefused) {
  expect_malformed({"MatMul", {counting({2, 3}), counting({2, 3})}}, "2 rows for the 3 columns");
  expect_malformed({"MatMul", {f32({}, {1}), counting({2})}}, "scalar");
  expect_malformed({"MatMul", {counting({2, 1, 1}), counting({3, 1, 1})}}, "broadcast");
}

TEST(Gemm, TransposesScalesAndAdds) {
  expect_output({"Gemm",
                 {counting({2, 2}), counting({2, 2}), f32({2}, {100, 200})},
                 {{"transA", int64_t{1}}, {"transB", int64_t{1}}, {"alpha", 2.0F}, {"beta", 0.5F}}},
                f32({2, 2}, {54, 112, 56, 122}));
}

TEST(Gemm, CBroadcastsFromAnyAxis) {
  const auto a = f32({2, 1}, {1, 2});
  const auto b = f32({1, 2}, {1, 1});
  expect_output({"Gemm", {a, b, f32({2, 1}, {10, 20})}}, f32({2, 2}, {11, 11, 22, 22}));
  expect_output({"Gemm", {a, b, f32({}, {10})}}, f32({2, 2}, {11, 11, 12, 12}));
  expect_output({"Gemm", {a, b}}, f32({2, 2}, {1, 1, 2, 2}));
}

TEST(Gemm, MalformedNodesAreRefused) {
  expect_malformed({"Gemm", {counting({2, 3}), counting({2, 3})}}, "2 rows for the 3 columns");
  expect_malformed({"Gemm", {counting({2}), counting({2, 3})}}, "rank 1");
  expect_malformed({"Gemm", {counting({1, 2}), counting({2, 3}), counting({4, 3})}}, "input 2");
}

OpCase einsum(const std::string& equation, std::vector<Operand> operands) {
  return {"Einsum", std::move(operands), {{"equation", equation}}};
}

TEST(Einsum, CoversProductsTracesAndSums) {
  const auto a = counting({2, 2});
  expect_output(einsum("ij,jk->ik", {a, a}), f32({2, 2}, {2, 3, 6, 11}));
  expect_output(einsum("ij,jk", {a, a}), f32({2, 2}, {2, 3, 6, 11}));
  expect_output(einsum("ii->i", {a}), f32({2}, {0, 3}));
  expect_output(einsum("ii", {a}), f32({}, {3}));
  expect_output(einsum("ij->ji", {a}), f32({2, 2}, {0, 2, 1, 3}));
  expect_output(einsum("ij ->", {a}), f32({}, {6}));
  expect_output(einsum("i,j,k->ijk", {f32({1}, {2}), f32({2}, {1, 2}), f32({1}, {5})}),
                f32({1, 2, 1}, {10, 20}));
}

TEST(Einsum, EllipsisBroadcasts) {
  expect_output(einsum("...ij,...jk->...ik", {counting({2, 1, 1, 2}), counting({3, 2, 1})}),
                f32({2, 3, 1, 1}, {1, 3, 5, 3, 13, 23}));
  expect_output(einsum("i...->...", {counting({2, 2})}), f32({2}, {2, 4}));
}

TEST(Einsum, InfersTheOutput) {
  EXPECT_EQ(inferred_shape(einsum("bhid,bhjd->bhij", {of_shape({ir::Dim::named("B"), 4, 7, 8}),
                                                      of_shape({ir::Dim::named("B"), 4, 9, 8})})),
            "[B,4,7,9]");
}

TEST(Einsum, MalformedEquationsAreRefused) {
  const auto a = counting({2, 2});
  expect_malformed(einsum(std::string(10000, 'i'), {a}), "10000 characters");
  expect_malformed(einsum("ij->ik", {a}), "'k' is in no operand");
  expect_malformed(einsum("ij->ii", {a}), "'i' repeated");
  expect_malformed(einsum("ij,jk->ik", {a}), "2 terms for 1 inputs");
  expect_malformed(einsum("ijk->i", {a}), "rank 2 for a term with 3 labels");
  expect_malformed(einsum("i1->i", {a}), "unexpected character");
  expect_evaluation_error(einsum("ij,jk->ik", {counting({2, 3}), counting({2, 2})}),
                          ErrorCode::kMalformed, "extent 2");
}

TEST(Einsum, TooManyProductsAreRefused) {
  const auto a = counting({8192});
  expect_evaluation_error(einsum("a,b,c->", {a, a, a}), ErrorCode::kResourceLimit, "products");
}

}  // namespace
}  // namespace octet::testing
