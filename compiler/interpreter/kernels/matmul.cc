// MatMul and Gemm on oneDNN. Constant second factors are packed in the layout that it prefers.
#include "compiler/ops/matmul.h"

#include <algorithm>

#include "compiler/interpreter/kernels/linear.h"
#include "compiler/ops/broadcast.h"

namespace octet::interpreter {
namespace {

using onednn::Dims;
using ops::MatMulShape;

// Descriptors of the two factors and the product as oneDNN sees them.
struct Factors {
  onednn::Desc a;
  onednn::Desc b;  // as it lies
  onednn::Desc product;
  Dims b_dims;
  int64_t n = 0;
  size_t rank = 2;
};

Dims with(const std::vector<int64_t>& batch, size_t batch_rank, int64_t rows, int64_t columns) {
  Dims out(batch_rank - batch.size(), 1);
  out.insert(out.end(), batch.begin(), batch.end());
  out.push_back(rows);
  out.push_back(columns);
  return out;
}

int64_t product(const std::vector<int64_t>& extents) {
  int64_t out = 1;
  for (int64_t e : extents) out *= e;
  return out;
}

Factors factors_of(const MatMulShape& s) {
  Factors out;
  out.n = s.n;
  if (product(s.batch_b) == 1) {  // one matrix for all rows
    const int64_t rows = product(s.batch) * s.m;
    out.a = plain_desc(Dims{rows, s.k});
    out.b_dims = {s.k, s.n};
    out.product = plain_desc(Dims{rows, s.n});
  } else if (s.batch_a == s.batch_b) {
    const int64_t count = product(s.batch);
    out.a = plain_desc(Dims{count, s.m, s.k});
    out.b_dims = {count, s.k, s.n};
    out.product = plain_desc(Dims{count, s.m, s.n});
    out.rank = 3;
  } else {
    const size_t rank = s.batch.size();
    out.a = plain_desc(with(s.batch_a, rank, s.m, s.k));
    out.b_dims = with(s.batch_b, rank, s.k, s.n);
    out.product = plain_desc(with(s.batch, rank, s.m, s.n));
    out.rank = rank + 2;
  }
  out.b = plain_desc(out.b_dims);
  return out;
}

Result<KernelPtr> make(const KernelRequest& request, const Factors& factors, float scale,
                       const std::optional<LinearBias>& bias) {
  onednn::LinearDescs descs{factors.a, factors.b, {}, factors.product};
  if (request.input(1).constant != nullptr) descs.weights = any_desc(factors.b_dims);
  if (bias) descs.bias = plain_desc(bias->dims);
  OCTET_ASSIGN(const auto desc, onednn::described([&] {
                 return onednn::make_matmul(request.engine, descs, linear_attributes(request));
               }));
  if (!desc || is_slow(*desc)) return KernelPtr();
  return make_linear_kernel<dnnl::matmul>(request, *desc, {factors.b, scale}, bias, Layout(),
                                          Layout());
}

Dims bias_dims(size_t rank, int64_t n) {
  Dims dims(rank, 1);
  dims.back() = n;
  return dims;
}

// Gemm's operand C as a bias: one number, or one per column. Nothing for other shapes.
std::optional<LinearBias> gemm_bias(const KernelRequest& request, int64_t n, float beta) {
  if (!request.has_input(2)) return std::nullopt;
  const Operand& c = request.input(2);
  const bool row = c.count() == n && (c.shape.empty() || c.shape.back() == n);
  if (!row && c.count() != 1) return std::nullopt;
  if (c.constant == nullptr && (beta != 1.0F || c.count() != n)) return std::nullopt;
  return LinearBias{2, n, beta, {1, n}};
}

}  // namespace

Result<KernelPtr> make_matmul(const KernelRequest& request) {
  if (!all_float(request)) return KernelPtr();
  OCTET_ASSIGN(const MatMulShape shape,
               MatMulShape::from(request.input(0).shape, request.input(1).shape));
  if (shape.k == 0 || shape.output != request.outputs[0].shape) return KernelPtr();
  const Factors factors = factors_of(shape);
  return make(request, factors, 1.0F,
              bias_of(request, SIZE_MAX, shape.n, bias_dims(factors.rank, shape.n)));
}

Result<KernelPtr> make_gemm(const KernelRequest& request) {
  const ir::Node& node = request.node;
  if (!all_float(request) || request.input(0).shape.size() != 2 ||
      request.input(1).shape.size() != 2 || request.outputs[0].shape.size() != 2) {
    return KernelPtr();
  }
  const bool transposed_a = ir::int_attribute(node, "transA", 0) != 0;
  const bool transposed_b = ir::int_attribute(node, "transB", 0) != 0;
  const float alpha = ir::float_attribute(node, "alpha", 1.0F);
  const float beta = ir::float_attribute(node, "beta", 1.0F);
  const auto matrix = [](const std::vector<int64_t>& shape, bool transposed) {
    return transposed ? strided_desc({shape[1], shape[0]}, {1, shape[1]}) : plain_desc(shape);
  };
  const std::vector<int64_t>& to = request.outputs[0].shape;
  Factors factors;
  factors.a = matrix(request.input(0).shape, transposed_a);
  factors.b = matrix(request.input(1).shape, transposed_b);
  factors.b_dims = onednn::blocking_of(factors.b)->dims;
  factors.product = plain_desc(to);
  factors.n = to[1];
  if (alpha != 1.0F && request.input(1).constant == nullptr) return KernelPtr();
  const auto bias = gemm_bias(request, factors.n, beta);
  if (request.has_input(2) && !bias) return KernelPtr();
  return make(request, factors, alpha, bias);
}

}  // namespace octet::interpreter
