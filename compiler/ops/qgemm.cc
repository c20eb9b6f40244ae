// QGemm and MatMulIntegerToFloat of com.microsoft: products of quantized matrices. Sums wrap around
// at 32 bits. QGemm without a scale for its output gives float32.
#include "compiler/numerics/fixed_point.h"
#include "compiler/numerics/quantize.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/integer_operands.h"
#include "compiler/ops/matmul.h"

namespace octet::ops {
namespace {

namespace gemm {
enum Operand : size_t { kA = 0, kAScale, kAZero, kB, kBScale, kBZero, kBias, kYScale, kYZero };
}  // namespace gemm

Result<Facts> infer_qgemm(const InferContext& context) {
  if (!context.has_input(gemm::kB)) return malformed("input 3 is missing");
  OCTET_ASSIGN(ir::Shape shape, infer_gemm_shape(context, gemm::kB));
  if (!context.has_input(gemm::kYScale)) return one_fact(DType::kFloat32, std::move(shape));
  OCTET_ASSIGN(ir::ValueFacts out,
               quantized_output(context, std::move(shape), gemm::kYScale, gemm::kYZero, gemm::kA));
  return Facts{std::move(out)};
}

// Row i and column j of the product, and the elements of one factor along the sum.
struct Factor {
  int64_t rows = 0;
  int64_t columns = 0;
  bool transposed = false;
  int64_t at(int64_t row, int64_t column) const {
    return transposed ? column * rows + row : row * columns + column;
  }
};

Result<Factor> factor(const EvaluateContext& context, size_t operand, const char* attribute) {
  if (!context.has_input(operand)) return malformed("input ", operand, " is missing");
  const std::vector<int64_t>& shape = context.input(operand).shape();
  if (shape.size() != 2)
    return malformed("input ", operand, ": rank ", shape.size(), ", must be 2");
  Factor out{shape[0], shape[1], ir::int_attribute(context.node, attribute, 0) != 0};
  if (out.transposed) std::swap(out.rows, out.columns);
  return out;
}

// Zero points of the columns of B, as they broadcast to it.
std::vector<int64_t> column_zero_shape(const Tensor* zero, const Factor& b) {
  if (zero == nullptr || zero->element_count() == 1) return {};
  if (b.transposed) return {zero->element_count(), 1};
  return {zero->element_count()};
}

const Tensor* optional_input(const EvaluateContext& context, size_t i) {
  return context.has_input(i) ? &context.input(i) : nullptr;
}

Result<Scratch<int32_t>> gemm_sums(const EvaluateContext& context, const Factor& a,
                                   const Factor& b) {
  if (a.columns != b.rows) {
    return malformed("input 3: ", b.rows, " rows for ", a.columns, " columns of input 0");
  }
  const Tensor* a_zero = optional_input(context, gemm::kAZero);
  const Tensor* b_zero = optional_input(context, gemm::kBZero);
  OCTET_ASSIGN(auto x, less_zero_point(context, gemm::kA, a_zero, {}));
  OCTET_ASSIGN(auto w, less_zero_point(context, gemm::kB, b_zero, column_zero_shape(b_zero, b)));
  const auto count = checked_mul(a.rows, b.columns);
  if (!count) return resource_limit("the product is too large");
  OCTET_ASSIGN(auto out, Scratch<int32_t>::make(context, *count));
  const Tensor& left = context.input(gemm::kA);
  const Tensor& right = context.input(gemm::kB);
  const bool pairs = saturates_pairs(context, left, right);
  const uint8_t* u = pairs ? left.data<uint8_t>().data() : nullptr;
  const int8_t* s = pairs ? right.data<int8_t>().data() : nullptr;
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < b.columns; ++j) {
      uint32_t sum = 0;
      for (int64_t k = 0; k < a.columns; ++k) {
        sum +=
            x.span()[static_cast<size_t>(a.at(i, k))] * w.span()[static_cast<size_t>(b.at(k, j))];
      }
      if (pairs) {
        sum += pair_errors(
            a.columns, [&](int64_t k) { return int32_t{u[a.at(i, k)]}; },
            [&](int64_t k) { return int32_t{s[b.at(k, j)]}; });
      }
      out.span()[static_cast<size_t>(i * b.columns + j)] = static_cast<int32_t>(sum);
    }
  }
  return out;
}

// One number per column, from one or from as many as there are columns.
template <typename T>
Result<std::vector<T>> per_column(std::vector<T> values, int64_t columns, size_t operand) {
  if (static_cast<int64_t>(values.size()) == columns) return values;
  if (values.size() != 1) {
    return malformed("input ", operand, ": ", values.size(), " numbers for ", columns, " columns");
  }
  return std::vector<T>(static_cast<size_t>(columns), values.front());
}

// What sums are multiplied with before the output's scale: alpha * a_scale * b_scale.
Result<std::vector<float>> sum_scales(const EvaluateContext& context, size_t a_scale,
                                      size_t b_scale, float alpha, int64_t columns) {
  for (const size_t i : {a_scale, b_scale}) {
    if (!context.has_input(i)) return malformed("input ", i, " is missing");
  }
  OCTET_ASSIGN(const float a, scalar_scale(context, a_scale));
  OCTET_ASSIGN(std::vector<float> b, vector_scale(context, b_scale, columns));
  OCTET_ASSIGN(b, per_column(std::move(b), columns, b_scale));
  for (float& scale : b) scale *= alpha * a;
  return b;
}

// alpha * a_scale * b_scale / y_scale per column, for a device with fixed-point multipliers.
Result<std::vector<numerics::FixedPointMultiplier>> fixed_point_multipliers(
    const EvaluateContext& context, float alpha, float y_scale, int64_t columns) {
  OCTET_ASSIGN(const float a, scalar_scale(context, gemm::kAScale));
  OCTET_ASSIGN(std::vector<float> b, vector_scale(context, gemm::kBScale, columns));
  OCTET_ASSIGN(b, per_column(std::move(b), columns, gemm::kBScale));
  std::vector<numerics::FixedPointMultiplier> out;
  for (const float scale : b) {
    out.emplace_back(static_cast<double>(alpha) * fixed_point_factor(a, scale, y_scale));
  }
  return out;
}

Result<Tensors> evaluate_qgemm(const EvaluateContext& context) {
  OCTET_ASSIGN(const Factor a, factor(context, gemm::kA, "transA"));
  OCTET_ASSIGN(const Factor b, factor(context, gemm::kB, "transB"));
  const float alpha = ir::float_attribute(context.node, "alpha", 1.0F);
  OCTET_ASSIGN(std::vector<float> multipliers,
               sum_scales(context, gemm::kAScale, gemm::kBScale, alpha, b.columns));
  std::vector<int32_t> bias;
  if (context.has_input(gemm::kBias)) {
    OCTET_TRY(require_dtype(context, gemm::kBias, DType::kInt32));
    const auto c = context.input(gemm::kBias).data<int32_t>();
    OCTET_ASSIGN(bias,
                 per_column(std::vector<int32_t>(c.begin(), c.end()), b.columns, gemm::kBias));
  }
  OCTET_ASSIGN(auto sums, gemm_sums(context, a, b));
  const std::vector<int64_t> shape = {a.rows, b.columns};
  if (!context.has_input(gemm::kYScale)) {
    OCTET_ASSIGN(Tensor out, context.allocate(DType::kFloat32, shape));
    const numerics::OutputStage stage(std::move(multipliers), std::move(bias));
    stage.dequantize(sums.span(), out.mutable_data<float>());
    return one_tensor(std::move(out));
  }
  OCTET_ASSIGN(const OutputQuantization y, output_quantization(context, gemm::kYScale, gemm::kYZero,
                                                               context.input(gemm::kA).dtype()));
  OCTET_ASSIGN(Tensor out, context.allocate(y.dtype, shape));
  if (context.device.is_fixed_point()) {
    OCTET_ASSIGN(auto fixed, fixed_point_multipliers(context, alpha, y.scale, b.columns));
    const numerics::FixedPointStage stage(std::move(fixed), std::move(bias));
    stage.requantize(sums.span(), y.range,
                     {out.mutable_data<uint8_t>().data(), sums.span().size()});
    return one_tensor(std::move(out));
  }
  for (float& m : multipliers) m /= y.scale;
  const numerics::OutputStage stage(std::move(multipliers), std::move(bias));
  stage.requantize(sums.span(), y.range, {out.mutable_data<uint8_t>().data(), sums.span().size()});
  return one_tensor(std::move(out));
}

namespace to_float {
enum Operand : size_t { kA = 0, kB, kAScale, kBScale, kAZero, kBZero, kBias };
}  // namespace to_float

Result<Facts> infer_to_float(const InferContext& context) {
  OCTET_ASSIGN(ir::Shape shape, infer_matmul_shape(context, to_float::kA, to_float::kB));
  return one_fact(DType::kFloat32, std::move(shape));
}

Result<Tensors> evaluate_to_float(const EvaluateContext& context) {
  ir::Node node = context.node;
  node.domain.clear();
  node.op_type = "MatMulInteger";
  std::array<const Tensor*, 4> operands = {
      &context.input(to_float::kA), &context.input(to_float::kB),
      optional_input(context, to_float::kAZero), optional_input(context, to_float::kBZero)};
  OCTET_ASSIGN(
      const Tensors sums,
      find_schema(node)->evaluate(
          {node, context.opset, operands, context.budget, {}, nullptr, nullptr, context.device}));
  ChargedBytes charged(context.budget);
  charged.adopt(sums[0]);
  OCTET_ASSIGN(Tensor out, context.allocate(DType::kFloat32, sums[0].shape()));
  if (out.element_count() == 0) return one_tensor(std::move(out));
  const bool b_is_vector = context.input(to_float::kB).rank() < 2;
  const int64_t columns = b_is_vector ? 1 : sums[0].shape().back();
  OCTET_ASSIGN(std::vector<float> multipliers,
               sum_scales(context, to_float::kAScale, to_float::kBScale, 1.0F, columns));
  const std::span<float> to = out.mutable_data<float>();
  numerics::OutputStage(std::move(multipliers), {}).dequantize(sums[0].data<int32_t>(), to);
  if (context.has_input(to_float::kBias)) {
    OCTET_TRY(require_dtype(context, to_float::kBias, DType::kFloat32));
    const auto given = context.input(to_float::kBias).data<float>();
    OCTET_ASSIGN(const auto bias, per_column(std::vector<float>(given.begin(), given.end()),
                                             columns, to_float::kBias));
    for (size_t i = 0; i < to.size(); ++i) to[i] += bias[i % bias.size()];
  }
  return one_tensor(std::move(out));
}

std::optional<int64_t> columns_last(const ir::Node&, size_t rank) {
  if (rank < 2) return std::nullopt;
  return static_cast<int64_t>(rank) - 1;
}

std::optional<int64_t> gemm_columns(const ir::Node& node, size_t) {
  return ir::int_attribute(node, "transB", 0) != 0 ? 0 : 1;
}

}  // namespace

OpSchema QGemm_schema() {
  OpSchema schema;
  schema.name = "QGemm";
  schema.domain = "com.microsoft";
  schema.roles = {Role::kData,   Role::kParameter, Role::kParameter,
                  Role::kWeight, Role::kParameter, Role::kParameter,
                  Role::kBias,   Role::kParameter, Role::kParameter};
  schema.required = 2;  // of the others, zero points, bias and the output's scale may be omitted
  schema.max_inputs = 9;
  schema.weight_channel_axis = gemm_columns;
  schema.infer = infer_qgemm;
  schema.evaluate = evaluate_qgemm;
  return schema;
}

OpSchema MatMulIntegerToFloat_schema() {
  OpSchema schema;
  schema.name = "MatMulIntegerToFloat";
  schema.domain = "com.microsoft";
  schema.roles = {Role::kData,      Role::kWeight,    Role::kParameter, Role::kParameter,
                  Role::kParameter, Role::kParameter, Role::kBias};
  schema.required = 4;
  schema.max_inputs = 7;
  schema.weight_channel_axis = columns_last;
  schema.infer = infer_to_float;
  schema.evaluate = evaluate_to_float;
  return schema;
}

}  // namespace octet::ops
