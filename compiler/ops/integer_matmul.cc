// MatMulInteger (version 10) and QLinearMatMul (versions 10 to 23). Sums wrap around at 32 bits.
#include "compiler/numerics/fixed_point.h"
#include "compiler/numerics/quantize.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/integer_operands.h"
#include "compiler/ops/matmul.h"

namespace octet::ops {
namespace {

// The shape under which per-row parameters of the first factor broadcast to it: a vector of them
// runs over the rows, otherwise the axes are given.
std::vector<int64_t> row_shape(const Tensor& parameters, const std::vector<int64_t>& data) {
  if (parameters.element_count() == 1) return {};
  if (parameters.rank() == 1 && data.size() > 1) return {parameters.shape()[0], 1};
  return parameters.shape();
}

// Per-column parameters of the second factor: a vector runs over the columns.
std::vector<int64_t> column_shape(const Tensor& parameters) {
  if (parameters.element_count() == 1) return {};
  return parameters.shape();
}

// Adds to each sum what saturating pairs change in it.
void add_pair_errors(const MatMulShape& shape, const Tensor& a, const Tensor& b,
                     std::span<int32_t> sums) {
  const uint8_t* pa = a.data<uint8_t>().data();
  const int8_t* pb = b.data<int8_t>().data();
  size_t out = 0;
  for_each_matrix(shape, [&](int64_t a_at, int64_t b_at) {
    for (int64_t i = 0; i < shape.m; ++i) {
      for (int64_t j = 0; j < shape.n; ++j, ++out) {
        const uint32_t errors = pair_errors(
            shape.k, [&](int64_t p) { return int32_t{pa[a_at + i * shape.k + p]}; },
            [&](int64_t p) { return int32_t{pb[b_at + p * shape.n + j]}; });
        sums[out] = static_cast<int32_t>(static_cast<uint32_t>(sums[out]) + errors);
      }
    }
  });
}

// Sums of products into int32 elements of the product's shape.
Status multiply(const EvaluateContext& context, const MatMulShape& shape, size_t b_operand,
                const Tensor* a_zero, const Tensor* b_zero, std::span<int32_t> out) {
  std::vector<int64_t> a_shape;
  std::vector<int64_t> b_shape;
  if (a_zero != nullptr) a_shape = row_shape(*a_zero, context.input(0).shape());
  if (b_zero != nullptr) b_shape = column_shape(*b_zero);
  OCTET_ASSIGN(auto a, less_zero_point(context, 0, a_zero, std::move(a_shape)));
  OCTET_ASSIGN(auto b, less_zero_point(context, b_operand, b_zero, std::move(b_shape)));
  if (out.empty()) return {};
  const uint32_t* pa = a.span().data();
  const uint32_t* pb = b.span().data();
  int32_t* to = out.data();
  OCTET_TRY(reference_matmul<uint32_t>(
      context, shape, [pa](int64_t i) { return pa[i]; }, [pb](int64_t i) { return pb[i]; },
      [to](int64_t i, int64_t, uint32_t sum) { to[i] = static_cast<int32_t>(sum); }));
  if (saturates_pairs(context, context.input(0), context.input(b_operand))) {
    add_pair_errors(shape, context.input(0), context.input(b_operand), out);
  }
  return {};
}

Result<Facts> infer_matmul_integer(const InferContext& context) {
  OCTET_ASSIGN(ir::Shape shape, infer_matmul_shape(context, 0, 1));
  return one_fact(DType::kInt32, std::move(shape));
}

Result<Tensors> evaluate_matmul_integer(const EvaluateContext& context) {
  OCTET_ASSIGN(const MatMulShape shape,
               MatMulShape::from(context.input(0).shape(), context.input(1).shape()));
  OCTET_ASSIGN(Tensor out, context.allocate(DType::kInt32, shape.output));
  OCTET_TRY(multiply(context, shape, 1, context.has_input(2) ? &context.input(2) : nullptr,
                     context.has_input(3) ? &context.input(3) : nullptr,
                     out.mutable_data<int32_t>()));
  return one_tensor(std::move(out));
}

// Operand positions of QLinearMatMul.
enum Operand : size_t { kAScale = 1, kAZero, kB, kBScale, kBZero, kYScale, kYZero };

Result<Facts> infer_qlinear_matmul(const InferContext& context) {
  OCTET_ASSIGN(ir::Shape shape, infer_matmul_shape(context, 0, kB));
  OCTET_ASSIGN(ir::ValueFacts out, quantized_output(context, std::move(shape), kYScale, kYZero));
  return Facts{std::move(out)};
}

// Scales as float32 under another shape.
Result<Tensor> scales_as(const EvaluateContext& context, size_t operand,
                         std::vector<int64_t> shape) {
  OCTET_ASSIGN(const std::vector<float> scales,
               vector_scale(context, operand, context.input(operand).element_count()));
  return Tensor::of<float>(std::move(shape), scales);
}

// float32, or float64 for fixed point. One multiplier per row and column of the product, as far as
// the scales differ. A vector factor has no axis in the product, so it has one scale.
Result<Tensor> output_multipliers(const EvaluateContext& context) {
  const Tensor& a = context.input(kAScale);
  const Tensor& b = context.input(kBScale);
  const bool a_is_vector = context.input(0).rank() < 2;
  const bool b_is_vector = context.input(kB).rank() < 2;
  if (a_is_vector && a.element_count() != 1) return malformed("input 1: scales for a vector");
  if (b_is_vector && b.element_count() != 1) return malformed("input 4: scales for a vector");
  std::vector<int64_t> a_shape = row_shape(a, context.input(0).shape());
  if (b_is_vector && !a_shape.empty()) a_shape.pop_back();  // no axis of columns
  std::vector<int64_t> b_shape = column_shape(b);
  if (a_is_vector && b_shape.size() > 1) b_shape.erase(b_shape.end() - 2);
  if (checked_product(a_shape) != a.element_count()) {
    return malformed("input 1: scales of shape ", ir::Shape::of(a.shape()).to_string());
  }
  if (checked_product(b_shape) != b.element_count()) {
    return malformed("input 4: scales of shape ", ir::Shape::of(b.shape()).to_string());
  }
  OCTET_ASSIGN(const float y_scale, scalar_scale(context, kYScale));
  OCTET_ASSIGN(const Tensor a_scales, scales_as(context, kAScale, std::move(a_shape)));
  OCTET_ASSIGN(const Tensor b_scales, scales_as(context, kBScale, std::move(b_shape)));
  if (context.device.is_fixed_point()) {
    OCTET_ASSIGN(Tensor out, allocate_broadcast(context, DType::kFloat64, a_scales, b_scales));
    map_broadcast<float, float, double>(a_scales, b_scales, out, [y_scale](float x, float y) {
      return fixed_point_factor(x, y, y_scale);
    });
    return out;
  }
  OCTET_ASSIGN(Tensor out, allocate_broadcast(context, DType::kFloat32, a_scales, b_scales));
  map_broadcast<float, float, float>(a_scales, b_scales, out, [y_scale](float x, float y) {
    return output_multiplier(x, y, y_scale);
  });
  return out;
}

Result<Tensors> evaluate_qlinear_matmul(const EvaluateContext& context) {
  OCTET_ASSIGN(const MatMulShape shape,
               MatMulShape::from(context.input(0).shape(), context.input(kB).shape()));
  const DType dtype = context.input(kYZero).dtype();
  if (dtype != DType::kInt8 && dtype != DType::kUint8) return unsupported_dtype(context, dtype);
  OCTET_ASSIGN(const int32_t zero_point, scalar_zero_point(context, kYZero, dtype));
  OCTET_ASSIGN(const Tensor multipliers, output_multipliers(context));
  OCTET_ASSIGN(const std::vector<int64_t> joined,
               broadcast_extents(shape.output, multipliers.shape()));
  if (joined != shape.output) return malformed("the scales do not broadcast to the product");
  OCTET_ASSIGN(Tensor sums, Tensor::zeros(DType::kInt32, shape.output));
  ChargedBytes charged(context.budget);
  OCTET_TRY(charged.charge(static_cast<int64_t>(sums.bytes().size())));
  charged.adopt(multipliers);
  OCTET_TRY(multiply(context, shape, kB, &context.input(kAZero), &context.input(kBZero),
                     sums.mutable_data<int32_t>()));
  OCTET_ASSIGN(Tensor out, context.allocate(dtype, shape.output));
  const numerics::IntegerRange bounds = numerics::integer_range(dtype);
  const numerics::QuantizedRange range{zero_point, static_cast<int32_t>(bounds.min),
                                       static_cast<int32_t>(bounds.max)};
  if (context.device.is_fixed_point()) {
    map_broadcast<int32_t, double, uint8_t>(sums, multipliers, out, [&](int32_t sum, double m) {
      return static_cast<uint8_t>(
          numerics::requantize(sum, numerics::FixedPointMultiplier(m), range));
    });
    return one_tensor(std::move(out));
  }
  map_broadcast<int32_t, float, uint8_t>(sums, multipliers, out, [&](int32_t sum, float m) {
    return static_cast<uint8_t>(numerics::requantize(sum, m, zero_point, range.qmin, range.qmax));
  });
  return one_tensor(std::move(out));
}

std::optional<int64_t> last_axis(const ir::Node&, size_t rank) {
  if (rank < 2) return std::nullopt;
  return static_cast<int64_t>(rank) - 1;
}

}  // namespace

OpSchema MatMulInteger_schema() {
  OpSchema schema;
  schema.name = "MatMulInteger";
  schema.since = 10;
  schema.roles = {Role::kData, Role::kWeight, Role::kParameter, Role::kParameter};
  schema.required = 2;
  schema.max_inputs = 4;
  schema.weight_channel_axis = last_axis;
  schema.infer = infer_matmul_integer;
  schema.evaluate = evaluate_matmul_integer;
  return schema;
}

OpSchema QLinearMatMul_schema() {
  OpSchema schema;
  schema.name = "QLinearMatMul";
  schema.since = 10;
  schema.roles = {Role::kData,      Role::kParameter, Role::kParameter, Role::kWeight,
                  Role::kParameter, Role::kParameter, Role::kParameter, Role::kParameter};
  schema.required = 8;
  schema.max_inputs = 8;
  schema.weight_channel_axis = last_axis;
  schema.infer = infer_qlinear_matmul;
  schema.evaluate = evaluate_qlinear_matmul;
  return schema;
}

}  // namespace octet::ops
