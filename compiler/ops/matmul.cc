#include "compiler/ops/matmul.h"

#include <cmath>
#include <string_view>
#include <type_traits>

#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {

Result<MatMulShape> MatMulShape::from(std::span<const int64_t> a, std::span<const int64_t> b) {
  if (a.empty() || b.empty()) {
    return malformed("input ", a.empty() ? 0 : 1, ": a scalar, at least a vector is needed");
  }
  MatMulShape out;
  out.k = a.back();
  out.m = a.size() > 1 ? a[a.size() - 2] : 1;
  out.n = b.size() > 1 ? b.back() : 1;
  const int64_t rows = b.size() > 1 ? b[b.size() - 2] : b.back();
  if (rows != out.k) {
    return malformed("input 1: ", rows, " rows for the ", out.k, " columns of input 0");
  }
  if (a.size() > 2) out.batch_a.assign(a.begin(), a.end() - 2);
  if (b.size() > 2) out.batch_b.assign(b.begin(), b.end() - 2);
  OCTET_ASSIGN(out.batch, broadcast_extents(out.batch_a, out.batch_b));
  out.output = out.batch;
  if (a.size() > 1) out.output.push_back(out.m);
  if (b.size() > 1) out.output.push_back(out.n);
  return out;
}

Result<ir::Shape> infer_matmul_shape(const InferContext& context, size_t a, size_t b) {
  const ir::Shape& x = context.shape(a);
  const ir::Shape& y = context.shape(b);
  if (!x.has_rank() || !y.has_rank()) return ir::Shape();
  if (x.rank() == 0 || y.rank() == 0) {
    return malformed("input ", x.rank() == 0 ? a : b, ": a scalar, at least a vector is needed");
  }
  const ir::Dim& columns = x[x.rank() - 1];
  const ir::Dim& rows = y.rank() > 1 ? y[y.rank() - 2] : y[0];
  if (columns.is_static() && rows.is_static() && columns.extent() != rows.extent()) {
    return malformed("input ", b, ": ", rows.extent(), " rows for the ", columns.extent(),
                     " columns of input ", a);
  }
  const auto batch = [](const ir::Shape& shape) {
    if (shape.rank() <= 2) return ir::Shape(std::vector<ir::Dim>());
    return ir::Shape(std::vector<ir::Dim>(shape.dims().begin(), shape.dims().end() - 2));
  };
  OCTET_ASSIGN(const ir::Shape stacked, broadcast_shapes(batch(x), batch(y)));
  std::vector<ir::Dim> dims = stacked.dims();
  if (x.rank() > 1) dims.push_back(x[x.rank() - 2]);
  if (y.rank() > 1) dims.push_back(y[y.rank() - 1]);
  return ir::Shape(std::move(dims));
}

namespace {

Result<Facts> infer_matmul(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, common_dtype(context, {0, 1}));
  OCTET_ASSIGN(const ir::Shape shape, infer_matmul_shape(context, 0, 1));
  return one_fact(dtype, shape);
}

// What products of T are added up in: double for floats; integers wrap.
template <typename T>
using Accumulator = std::conditional_t<std::is_floating_point_v<T>, double, Wrapping<T>>;

// numpy.matmul; sums in double, rounded once.
Result<Tensors> evaluate_matmul(const EvaluateContext& context) {
  const Tensor& a = context.input(0);
  const Tensor& b = context.input(1);
  OCTET_TRY(require_dtype(context, 1, a.dtype()));
  if (is_half(a.dtype())) return through_float32(context, evaluate_matmul);
  OCTET_ASSIGN(const MatMulShape shape, MatMulShape::from(a.shape(), b.shape()));
  return visit_number(context, a.dtype(), [&](auto zero) -> Result<Tensors> {
    using T = decltype(zero);
    using Acc = Accumulator<T>;
    OCTET_ASSIGN(Tensor y, context.allocate(a.dtype(), shape.output));
    if (y.element_count() == 0) return one_tensor(std::move(y));
    const T* pa = a.data<T>().data();
    const T* pb = b.data<T>().data();
    T* out = y.mutable_data<T>().data();
    OCTET_TRY(reference_matmul<Acc>(
        context, shape, [pa](int64_t i) { return static_cast<Acc>(pa[i]); },
        [pb](int64_t i) { return static_cast<Acc>(pb[i]); },
        [out](int64_t i, int64_t, Acc sum) { out[i] = static_cast<T>(sum); }));
    return one_tensor(std::move(y));
  });
}

struct GemmAttributes {
  bool transpose_a = false;
  bool transpose_b = false;
  float alpha = 1.0F;
  float beta = 1.0F;

  static GemmAttributes from(const ir::Node& node) {
    return {ir::int_attribute(node, "transA", 0) != 0, ir::int_attribute(node, "transB", 0) != 0,
            ir::float_attribute(node, "alpha", 1.0F), ir::float_attribute(node, "beta", 1.0F)};
  }
};

Result<Facts> infer_gemm(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, common_dtype(context, {0, 1, 2}));
  OCTET_ASSIGN(const ir::Shape out, infer_gemm_shape(context, 1));
  if (context.has_input(2)) {
    OCTET_ASSIGN(const ir::Shape joined, broadcast_shapes(out, context.shape(2)));
    if (joined.has_rank() && !ir::compatible(out, joined)) {
      return malformed("input 2: shape ", context.shape(2).to_string(),
                       " does not broadcast to the product's ", out.to_string());
    }
  }
  return one_fact(dtype, out);
}

// What sums are made in: integers modulo 2^bits, with factors that are integers too.
template <typename T>
using GemmSum = std::conditional_t<std::is_floating_point_v<T>, double, Wrapping<T>>;

template <typename T>
Result<GemmSum<T>> gemm_factor(float factor, std::string_view name) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<double>(factor);
  } else {
    constexpr float kMax = 1 << 24;
    if (!(std::abs(factor) <= kMax) || std::trunc(factor) != factor) {
      return unsupported("attribute ", name, " is ", factor, ", of integers");
    }
    return static_cast<GemmSum<T>>(static_cast<int64_t>(factor));
  }
}

template <typename T>
void add_scaled(GemmSum<T> beta, const Tensor& c, std::span<GemmSum<T>> row, int64_t i) {
  // c is [M,N] or broadcasts to it: strides follow from its trailing axes.
  const T* pc = c.data<T>().data();
  const std::vector<int64_t>& s = c.shape();
  const int64_t columns = s.empty() ? 1 : s.back();
  const int64_t at = s.size() == 2 && s[0] != 1 ? i * columns : 0;
  for (size_t j = 0; j < row.size(); ++j) {
    const int64_t k = columns == 1 ? at : at + static_cast<int64_t>(j);
    row[j] += beta * static_cast<GemmSum<T>>(pc[k]);
  }
}

template <typename T>
Result<Tensors> gemm_of(const EvaluateContext& context, const GemmAttributes& gemm) {
  const Tensor& a = context.input(0);
  const Tensor& b = context.input(1);
  const int64_t m = a.shape()[gemm.transpose_a ? 1 : 0];
  const int64_t k = a.shape()[gemm.transpose_a ? 0 : 1];
  const int64_t n = b.shape()[gemm.transpose_b ? 0 : 1];
  if (b.shape()[gemm.transpose_b ? 1 : 0] != k) {
    return malformed("input 1: ", b.shape()[gemm.transpose_b ? 1 : 0], " rows for the ", k,
                     " columns of input 0");
  }
  if (context.has_input(2)) {
    OCTET_ASSIGN(const auto joined,
                 broadcast_extents(context.input(2).shape(), std::vector<int64_t>{m, n}));
    if (joined != std::vector<int64_t>{m, n}) {
      return malformed("input 2: does not broadcast to the product's shape");
    }
  }
  using Sum = GemmSum<T>;
  OCTET_ASSIGN(const Sum alpha, gemm_factor<T>(gemm.alpha, "alpha"));
  OCTET_ASSIGN(const Sum beta, gemm_factor<T>(gemm.beta, "beta"));
  OCTET_ASSIGN(Tensor y, context.allocate(a.dtype(), {m, n}));
  OCTET_ASSIGN(auto scratch, Scratch<Sum>::make(context, n));
  const std::span<Sum> row = scratch.span();
  const T* pa = a.data<T>().data();
  const T* pb = b.data<T>().data();
  T* out = y.mutable_data<T>().data();
  for (int64_t i = 0; n > 0 && i < m; ++i) {
    std::fill(row.begin(), row.end(), Sum());
    if (gemm.transpose_b) {
      for (int64_t j = 0; j < n; ++j) {
        Sum sum = 0;
        for (int64_t p = 0; p < k; ++p) {
          sum += static_cast<Sum>(pa[gemm.transpose_a ? p * m + i : i * k + p]) *
                 static_cast<Sum>(pb[j * k + p]);
        }
        row[static_cast<size_t>(j)] = sum;
      }
    } else {
      for (int64_t p = 0; p < k; ++p) {
        const auto x = static_cast<Sum>(pa[gemm.transpose_a ? p * m + i : i * k + p]);
        for (int64_t j = 0; j < n; ++j) {
          row[static_cast<size_t>(j)] += x * static_cast<Sum>(pb[p * n + j]);
        }
      }
    }
    for (Sum& sum : row) sum *= alpha;
    if (context.has_input(2)) add_scaled<T>(beta, context.input(2), row, i);
    for (int64_t j = 0; j < n; ++j) out[i * n + j] = static_cast<T>(row[static_cast<size_t>(j)]);
  }
  return one_tensor(std::move(y));
}

// alpha * A' * B' + beta * C; floats in double, rounded once.
Result<Tensors> evaluate_gemm(const EvaluateContext& context) {
  for (size_t i = 0; i < 2; ++i) {
    if (context.input(i).rank() != 2) {
      return malformed("input ", i, ": rank ", context.input(i).rank(), ", must be 2");
    }
  }
  const DType dtype = context.input(0).dtype();
  OCTET_TRY(require_dtype(context, 1, dtype));
  if (context.has_input(2)) OCTET_TRY(require_dtype(context, 2, dtype));
  if (is_half(dtype)) return through_float32(context, evaluate_gemm);
  return visit_number(context, dtype, [&](auto zero) {
    return gemm_of<decltype(zero)>(context, GemmAttributes::from(context.node));
  });
}

std::optional<int64_t> matmul_channel_axis(const ir::Node&, size_t weight_rank) {
  if (weight_rank < 2) return std::nullopt;
  return static_cast<int64_t>(weight_rank) - 1;
}

std::optional<int64_t> gemm_channel_axis(const ir::Node& node, size_t) {
  return ir::int_attribute(node, "transB", 0) != 0 ? 0 : 1;
}

}  // namespace

Result<ir::Shape> infer_gemm_shape(const InferContext& context, size_t b) {
  OCTET_TRY(require_rank(context, 0, 2));
  OCTET_TRY(require_rank(context, b, 2));
  const GemmAttributes gemm = GemmAttributes::from(context.node);
  const auto dim = [&](size_t operand, size_t axis) {
    const ir::Shape& shape = context.shape(operand);
    return shape.has_rank() ? shape[axis] : ir::Dim();
  };
  const ir::Dim columns = dim(0, gemm.transpose_a ? 0 : 1);
  const ir::Dim rows = dim(b, gemm.transpose_b ? 1 : 0);
  if (columns.is_static() && rows.is_static() && columns != rows) {
    return malformed("input ", b, ": ", rows.extent(), " rows for the ", columns.extent(),
                     " columns of input 0");
  }
  return ir::Shape({dim(0, gemm.transpose_a ? 1 : 0), dim(b, gemm.transpose_b ? 0 : 1)});
}

OpSchema MatMul_schema() {
  return {.name = "MatMul",
          .roles = {Role::kData, Role::kWeight},
          .required = 2,
          .max_inputs = 2,
          .behaviour = QuantBehaviour::kComputes,
          .weight_channel_axis = matmul_channel_axis,
          .infer = infer_matmul,
          .evaluate = evaluate_matmul};
}

OpSchema Gemm_schema() {
  return {.name = "Gemm",
          .roles = {Role::kData, Role::kWeight, Role::kBias},
          .required = 2,
          .max_inputs = 3,
          .behaviour = QuantBehaviour::kComputes,
          .weight_channel_axis = gemm_channel_axis,
          .infer = infer_gemm,
          .evaluate = evaluate_gemm};
}

}  // namespace octet::ops
