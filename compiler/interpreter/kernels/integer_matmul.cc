// QLinearMatMul, QGemm and MatMulIntegerToFloat with a constant second factor of rank 2, on
// oneDNN's int8 matrix product.
#include "compiler/interpreter/kernels/integer_linear.h"
#include "compiler/ops/broadcast.h"
#include "compiler/ops/integer_operands.h"

namespace octet::interpreter {
namespace {

using Type = dnnl::memory::data_type;

// Where the three operators have their operands; SIZE_MAX for those that they do not have.
struct Positions {
  size_t a = 0, a_scale = 0, a_zero = 0, b = 0, b_scale = 0, b_zero = 0;
  size_t bias = SIZE_MAX, y_scale = SIZE_MAX, y_zero = SIZE_MAX;
};

constexpr Positions kQLinearMatMul = {0, 1, 2, 3, 4, 5, SIZE_MAX, 6, 7};
constexpr Positions kQGemm = {0, 1, 2, 3, 4, 5, 6, 7, 8};
constexpr Positions kToFloat = {0, 2, 4, 1, 3, 5};

enum class Orientation { kPlain, kTransposed };

std::optional<IntegerLinearOutput> linear_output(const KernelRequest& request, const Positions& at,
                                                 float a_scale, int64_t columns) {
  auto multipliers = scales_of(request, at.b_scale, columns);
  auto bias = integer_bias(request, at.bias, columns);
  if (!multipliers || !bias) return std::nullopt;
  if (at.y_scale == SIZE_MAX || !request.has_input(at.y_scale)) {
    for (float& m : *multipliers) m *= a_scale;
    return IntegerLinearOutput{std::move(*multipliers), std::move(*bias), std::nullopt};
  }
  const auto y = output_range(request, at.y_scale, at.y_zero);
  if (!y) return std::nullopt;
  IntegerLinearOutput out{{}, std::move(*bias), y->range};
  for (float& m : *multipliers) {
    if (request.device.is_fixed_point()) {
      out.fixed.emplace_back(ops::fixed_point_factor(a_scale, m, y->scale));
    }
    m = ops::output_multiplier(a_scale, m, y->scale);
  }
  out.multipliers = std::move(*multipliers);
  return out;
}

Result<KernelPtr> make(const KernelRequest& request, const Positions& at, Orientation b_layout) {
  const Operand& a = request.input(at.a);
  const Operand& b = request.input(at.b);
  const bool fits = is_byte(a.dtype) && a.shape.size() >= 2 && b.constant != nullptr &&
                    b.dtype == ir::DType::kInt8 && b.shape.size() == 2 &&
                    is_zero(request, at.b_zero);
  auto given = scale_and_zero(request, at.a_scale, at.a_zero);
  if (!fits || !given) return KernelPtr();
  const bool transposed = b_layout == Orientation::kTransposed;
  const int64_t depth = b.shape[transposed ? 1 : 0];
  const int64_t columns = b.shape[transposed ? 0 : 1];
  const int64_t rows = a.count() / depth;
  if (a.shape.back() != depth) return KernelPtr();
  auto output = linear_output(request, at, given->scale, columns);
  if (!output) return KernelPtr();
  if (request.device.saturates_pairs() && a.dtype == ir::DType::kUint8) {
    output->pair_errors = PairErrors::of_matmul(
        *b.constant, {depth, columns, transposed ? 1 : columns, transposed ? depth : 1});
  }
  const auto products =
      fold_zero_point(*b.constant, transposed ? 0 : 1, a.dtype, given->zero_point, *output);
  if (!products) return KernelPtr();
  const ProductTypes types = product_types(*products, a.dtype, request.outputs[0].dtype);
  IntegerLinearParts parts;
  parts.products = *products;
  parts.source_zero_point = given->zero_point;
  parts.threads = request.threads;
  const onednn::Dims b_strides = transposed ? onednn::Dims{1, depth} : onednn::Dims{columns, 1};
  parts.weights_as_stored = onednn::Desc({depth, columns}, Type::s8, b_strides);
  onednn::LinearDescs descs;
  descs.src = onednn::Desc({rows, depth}, types.src, onednn::Dims{depth, 1});
  descs.weights = onednn::Desc({depth, columns}, types.weights, dnnl::memory::format_tag::any);
  descs.bias = parts.bias = product_bias(*products, *output, 2);
  descs.dst = onednn::Desc({rows, columns}, types.dst, onednn::Dims{columns, 1});
  const ThreadCount count(request.threads);
  OCTET_ASSIGN(const auto desc, onednn::described([&] {
                 return onednn::make_matmul(
                     request.engine, descs,
                     integer_attributes(*products, given->zero_point, *output));
               }));
  if (!desc || is_slow(*desc)) return KernelPtr();
  OCTET_ASSIGN(parts.primitive,
               onednn::guarded([&]() -> dnnl::primitive { return dnnl::matmul(*desc); }));
  parts.src = desc->src_desc();
  parts.weights = desc->weights_desc();
  parts.dst = desc->dst_desc();
  parts.scratch = desc->scratchpad_desc();
  return make_integer_linear(request, {at.a, at.b, at.bias}, std::move(parts), std::move(*output));
}

}  // namespace

Result<KernelPtr> make_qlinear_matmul(const KernelRequest& request) {
  return make(request, kQLinearMatMul, Orientation::kPlain);
}

Result<KernelPtr> make_qgemm(const KernelRequest& request) {
  if (ir::int_attribute(request.node, "transA", 0) != 0 ||
      ir::float_attribute(request.node, "alpha", 1.0F) != 1.0F) {
    return KernelPtr();
  }
  const bool transposed = ir::int_attribute(request.node, "transB", 0) != 0;
  return make(request, kQGemm, transposed ? Orientation::kTransposed : Orientation::kPlain);
}

Result<KernelPtr> make_matmul_to_float(const KernelRequest& request) {
  if (request.has_input(6)) return KernelPtr();
  return make(request, kToFloat, Orientation::kPlain);
}

}  // namespace octet::interpreter
