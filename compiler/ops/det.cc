// Det (ai.onnx 11, 22): determinants of square matrices, by elimination with row exchange.
// onnx/docs/Operators.md, Det.
#include <algorithm>
#include <cmath>

#include "compiler/ops/doubles.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

// Of an n by n matrix, which is overwritten.
double determinant(double* m, int64_t n) {
  double out = 1;
  for (int64_t k = 0; k < n; ++k) {
    int64_t pivot = k;
    for (int64_t i = k + 1; i < n; ++i) {
      if (std::abs(m[i * n + k]) > std::abs(m[pivot * n + k])) pivot = i;
    }
    if (m[pivot * n + k] == 0) return 0;
    if (pivot != k) {
      std::swap_ranges(m + k * n, m + (k + 1) * n, m + pivot * n);
      out = -out;
    }
    out *= m[k * n + k];
    for (int64_t i = k + 1; i < n; ++i) {
      const double factor = m[i * n + k] / m[k * n + k];
      for (int64_t j = k; j < n; ++j) m[i * n + j] -= factor * m[k * n + j];
    }
  }
  return out;
}

Result<Tensors> evaluate_det(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  const auto& shape = x.shape();
  if (shape.size() < 2 || shape.back() != shape[shape.size() - 2]) {
    return malformed("input 0: ", x.type().to_string(), ", must be square matrices");
  }
  const int64_t n = shape.back();
  const std::vector<int64_t> batch(shape.begin(), shape.end() - 2);
  OCTET_ASSIGN(const int64_t count, element_product(batch));
  OCTET_ASSIGN(auto matrices, doubles_of(context, 0));
  OCTET_ASSIGN(auto y, Scratch<double>::make(context, count));
  for (int64_t i = 0; i < count; ++i) {
    y[static_cast<size_t>(i)] = determinant(matrices.span().data() + i * n * n, n);
  }
  OCTET_ASSIGN(Tensor out, tensor_of_doubles(context, x.dtype(), batch, y.span()));
  return one_tensor(std::move(out));
}

Result<Facts> infer_det(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  if (!x.has_rank()) return one_fact(context.type(0).storage, ir::Shape());
  if (x.rank() < 2) return malformed("input 0: rank ", x.rank(), "; at least 2 is needed");
  std::vector<ir::Dim> dims = x.dims();
  dims.resize(dims.size() - 2);
  return one_fact(context.type(0).storage, ir::Shape(std::move(dims)));
}

}  // namespace

OpSchema Det_schema() {
  return {.name = "Det",
          .since = 11,
          .roles = {Role::kData},
          .infer = infer_det,
          .evaluate = evaluate_det};
}

}  // namespace octet::ops
