// Matrix products in plain loops over any element types; MatMul, Gemm, MatMulInteger and
// QLinearMatMul are this with different ways to read, accumulate and store.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "compiler/ops/broadcast.h"
#include "compiler/ops/scratch.h"

namespace octet::ops {

// numpy.matmul of two known shapes (onnx MatMul): stacks of [m, k] and [k, n] matrices, stacked
// axes broadcast; a vector operand becomes a matrix whose extra axis is dropped from the output.
struct MatMulShape {
  int64_t m = 1;
  int64_t k = 1;
  int64_t n = 1;
  std::vector<int64_t> batch;    // broadcast stacked axes
  std::vector<int64_t> batch_a;  // stacked axes of the operands
  std::vector<int64_t> batch_b;
  std::vector<int64_t> output;  // shape of the output

  static Result<MatMulShape> from(std::span<const int64_t> a, std::span<const int64_t> b);
};

// Visits the products of a stack: visit(offset of the first factor's matrix, offset of the
// second's), in the order of the output.
template <typename Visit>
void for_each_matrix(const MatMulShape& shape, Visit&& visit) {
  const auto plan = make_broadcast_plan<2>(shape.batch, {shape.batch_a, shape.batch_b});
  for_each_run(plan, [&](int64_t, const std::array<int64_t, 2>& at) {
    for (int64_t r = 0; r < plan.run; ++r) {
      visit((at[0] + r * plan.run_stride[0]) * shape.m * shape.k,
            (at[1] + r * plan.run_stride[1]) * shape.k * shape.n);
    }
  });
}

// load_a(index) and load_b(index) take element offsets and give Acc; store(index, column, Acc)
// takes the sums, each output element once, in row-major order.
template <typename Acc, typename LoadA, typename LoadB, typename Store>
Status reference_matmul(const EvaluateContext& context, const MatMulShape& shape, LoadA&& load_a,
                        LoadB&& load_b, Store&& store) {
  if (shape.m == 0 || shape.n == 0) return {};
  OCTET_ASSIGN(auto scratch, Scratch<Acc>::make(context, shape.n));
  const std::span<Acc> sums = scratch.span();
  int64_t out = 0;
  for_each_matrix(shape, [&](int64_t a, int64_t b) {
    for (int64_t i = 0; i < shape.m; ++i) {
      std::fill(sums.begin(), sums.end(), Acc());
      for (int64_t p = 0; p < shape.k; ++p) {
        const Acc x = load_a(a + i * shape.k + p);
        const int64_t row = b + p * shape.n;
        for (int64_t j = 0; j < shape.n; ++j) sums[static_cast<size_t>(j)] += x * load_b(row + j);
      }
      for (int64_t j = 0; j < shape.n; ++j) store(out++, j, sums[static_cast<size_t>(j)]);
    }
  });
  return {};
}

// Shape inference of a product of operands `a` and `b`: MatMul and MatMulInteger 0 and 1,
// QLinearMatMul 0 and 3.
Result<ir::Shape> infer_matmul_shape(const InferContext& context, size_t a, size_t b);
// The same for a node with the attributes of Gemm.
Result<ir::Shape> infer_gemm_shape(const InferContext& context, size_t b);

}  // namespace octet::ops
