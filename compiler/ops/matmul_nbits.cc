// MatMulNBits of com.microsoft: A times a weight of N columns and K rows that is stored column by
// column in blocks of 2-, 4- or 8-bit numbers.
//
//   B [N, blocks, block_size * bits / 8] bytes, the lowest bits first
//   w[k, n] = (q - zero point) * scale, both of column n and of k's block (g_idx[k], if given)
//
// Scales are float, N * blocks of them. Zero points are bytes packed as B is, a byte sequence per
// column, or as many floats as scales; 2^(bits - 1) where they are omitted.
#include <array>

#include "compiler/ops/delegate.h"
#include "compiler/ops/doubles.h"
#include "compiler/ops/matmul.h"

namespace octet::ops {
namespace {

enum Operand : size_t { kA = 0, kB, kScales, kZeros, kGroups, kBias };

struct Geometry {
  int64_t rows = 0;     // K
  int64_t columns = 0;  // N
  int64_t bits = 4;
  int64_t block = 32;
  int64_t blocks = 0;  // per column
  int64_t block_bytes = 0;
  int64_t zero_bytes = 0;  // of packed zero points, per column

  static Result<Geometry> from(const ir::Node& node) {
    constexpr int64_t kMost = int64_t{1} << 30;
    Geometry out;
    out.rows = ir::int_attribute(node, "K", 0);
    out.columns = ir::int_attribute(node, "N", 0);
    out.bits = ir::int_attribute(node, "bits", 4);
    out.block = ir::int_attribute(node, "block_size", 0);
    if (out.bits != 2 && out.bits != 4 && out.bits != 8) {
      return unsupported("bits is ", out.bits, ": 2, 4 and 8 can be executed");
    }
    const bool power_of_two = out.block >= 16 && (out.block & (out.block - 1)) == 0;
    if (!power_of_two || out.block > kMost) {
      return malformed("block_size is ", out.block, ", must be a power of two from 16 on");
    }
    if (out.rows < 1 || out.columns < 1 || out.rows > kMost || out.columns > kMost) {
      return malformed("K is ", out.rows, " and N is ", out.columns);
    }
    out.blocks = (out.rows + out.block - 1) / out.block;
    out.block_bytes = out.block * out.bits / 8;
    out.zero_bytes = (out.blocks * out.bits + 7) / 8;
    return out;
  }
};

Result<Facts> infer(const InferContext& context) {
  OCTET_ASSIGN(const Geometry g, Geometry::from(context.node));
  const ir::Shape& a = context.shape(kA);
  if (!a.has_rank()) return one_fact(context.type(kA).storage, {});
  if (a.rank() == 0) return malformed("input 0: rank 0, must be at least 1");
  std::vector<ir::Dim> dims = a.dims();
  if (dims.back().is_static() && dims.back().extent() != g.rows) {
    return malformed("input 0: ", dims.back().extent(), " columns for K = ", g.rows);
  }
  dims.back() = ir::Dim(g.columns);
  return one_fact(context.type(kA).storage, ir::Shape(std::move(dims)));
}

// The number at `index` of packed bytes.
int32_t packed(const uint8_t* bytes, int64_t index, int64_t bits) {
  const int64_t at = index * bits;
  return (bytes[at / 8] >> (at % 8)) & ((1 << bits) - 1);
}

Status require_count(const EvaluateContext& context, size_t operand, int64_t count) {
  const int64_t found = context.input(operand).element_count();
  if (found == count) return {};
  return malformed("input ", operand, ": ", found, " elements, must be ", count);
}

// Zero points by column and block.
class Zeros {
 public:
  static Result<Zeros> make(const EvaluateContext& context, const Geometry& g) {
    Zeros out;
    out.g_ = g;
    if (!context.has_input(kZeros)) return out;
    const Tensor& zeros = context.input(kZeros);
    if (zeros.dtype() == DType::kUint8) {
      OCTET_TRY(require_count(context, kZeros, g.columns * g.zero_bytes));
      out.bytes_ = zeros.data<uint8_t>().data();
      return out;
    }
    if (zeros.dtype() != context.input(kA).dtype())
      return unsupported_dtype(context, zeros.dtype());
    OCTET_TRY(require_count(context, kZeros, g.columns * g.blocks));
    out.real_ = &zeros;
    return out;
  }
  double at(int64_t column, int64_t block) const {
    if (bytes_ != nullptr) return packed(bytes_ + column * g_.zero_bytes, block, g_.bits);
    if (real_ != nullptr) return real_->at_as_double(column * g_.blocks + block);
    return 1 << (g_.bits - 1);
  }

 private:
  Geometry g_;
  const uint8_t* bytes_ = nullptr;
  const Tensor* real_ = nullptr;
};

Result<Scratch<int64_t>> blocks_of_rows(const EvaluateContext& context, const Geometry& g) {
  OCTET_ASSIGN(auto out, Scratch<int64_t>::make(context, g.rows));
  for (int64_t k = 0; k < g.rows; ++k) out[static_cast<size_t>(k)] = k / g.block;
  if (!context.has_input(kGroups)) return out;
  OCTET_TRY(require_dtype(context, kGroups, DType::kInt32));
  const auto groups = context.input(kGroups).data<int32_t>();
  // As many as K, or as K filled up to whole blocks.
  if (static_cast<int64_t>(groups.size()) < g.rows) {
    return malformed("input 4: ", groups.size(), " numbers for K = ", g.rows);
  }
  for (size_t k = 0; k < out.span().size(); ++k) {
    if (groups[k] < 0 || groups[k] >= g.blocks) {
      return malformed("input 4: block ", groups[k], " of ", g.blocks);
    }
    out[k] = groups[k];
  }
  return out;
}

// The weight as real numbers, row by row.
Result<Scratch<double>> real_weight(const EvaluateContext& context, const Geometry& g) {
  OCTET_TRY(require_dtype(context, kB, DType::kUint8));
  OCTET_TRY(require_count(context, kB, g.columns * g.blocks * g.block_bytes));
  OCTET_TRY(require_count(context, kScales, g.columns * g.blocks));
  OCTET_ASSIGN(const auto scales, doubles_of(context, kScales));
  OCTET_ASSIGN(const Zeros zeros, Zeros::make(context, g));
  OCTET_ASSIGN(auto blocks, blocks_of_rows(context, g));
  const auto count = checked_mul(g.rows, g.columns);
  if (!count) return resource_limit("K times N overflows");
  OCTET_ASSIGN(auto out, Scratch<double>::make(context, *count));
  const uint8_t* bytes = context.input(kB).data<uint8_t>().data();
  for (int64_t n = 0; n < g.columns; ++n) {
    const uint8_t* column = bytes + n * g.blocks * g.block_bytes;
    for (int64_t k = 0; k < g.rows; ++k) {
      const int64_t block = blocks[static_cast<size_t>(k)];
      const double q = packed(column, k, g.bits);
      out[static_cast<size_t>(k * g.columns + n)] =
          (q - zeros.at(n, block)) * scales.elements()[static_cast<size_t>(n * g.blocks + block)];
    }
  }
  return out;
}

Result<Tensors> evaluate(const EvaluateContext& context) {
  OCTET_ASSIGN(const Geometry g, Geometry::from(context.node));
  const Tensor& a = context.input(kA);
  if (!numerics::is_floating_point(a.dtype())) return unsupported_dtype(context, a.dtype());
  if (a.rank() == 0 || a.shape().back() != g.rows) {
    return malformed("input 0: shape ", a.type().shape.to_string(), " for K = ", g.rows);
  }
  OCTET_ASSIGN(const auto x, doubles_of(context, kA));
  OCTET_ASSIGN(const auto w, real_weight(context, g));
  OCTET_ASSIGN(const auto bias, optional_doubles_of(context, kBias));
  if (context.has_input(kBias)) OCTET_TRY(require_count(context, kBias, g.columns));
  std::vector<int64_t> shape = a.shape();
  shape.back() = g.columns;
  const auto count = checked_product(shape);
  if (!count) return resource_limit("the product is too large");
  OCTET_ASSIGN(auto out, Scratch<double>::make(context, *count));
  for (int64_t i = 0; i < *count / g.columns; ++i) {
    double* row = out.span().data() + i * g.columns;
    for (int64_t n = 0; n < g.columns && context.has_input(kBias); ++n) {
      row[n] = bias.elements()[static_cast<size_t>(n)];
    }
    for (int64_t k = 0; k < g.rows; ++k) {
      const double v = x.elements()[static_cast<size_t>(i * g.rows + k)];
      const double* from = w.elements().data() + k * g.columns;
      for (int64_t n = 0; n < g.columns; ++n) row[n] += v * from[n];
    }
  }
  OCTET_ASSIGN(Tensor y, tensor_of_doubles(context, a.dtype(), std::move(shape), out.span()));
  return one_tensor(std::move(y));
}

}  // namespace

OpSchema MatMulNBits_schema() {
  return {.name = "MatMulNBits",
          .domain = "com.microsoft",
          .roles = {Role::kData, Role::kParameter, Role::kParameter, Role::kParameter, Role::kIndex,
                    Role::kBias},
          .required = 3,
          .max_inputs = 6,
          .infer = infer,
          .evaluate = evaluate};
}

}  // namespace octet::ops
