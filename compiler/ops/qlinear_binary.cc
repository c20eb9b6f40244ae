// QLinearAdd and QLinearMul of com.microsoft: two quantized operands, broadcast, to a quantized
// result. Formulas: compiler/numerics/integer_arithmetic.h, and fixed_point.h on devices with that.
#include "compiler/numerics/fixed_point.h"
#include "compiler/ops/broadcast.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/integer_operands.h"

namespace octet::ops {
namespace {

enum Operand : size_t { kA = 0, kAScale, kAZero, kB, kBScale, kBZero, kYScale, kYZero };

Result<Facts> infer(const InferContext& context) {
  if (!context.has_input(kB)) return malformed("input 3 is missing");
  OCTET_TRY(common_dtype(context, {kA, kB}));
  OCTET_ASSIGN(ir::Shape shape, broadcast_shapes(context.shape(kA), context.shape(kB)));
  OCTET_ASSIGN(ir::ValueFacts out,
               quantized_output(context, std::move(shape), kYScale, kYZero, kA));
  return Facts{std::move(out)};
}

// to = combine(a, b), an element at a time.
template <typename Combine>
void map_operands(const QuantizedOperand& a, const QuantizedOperand& b,
                  const BroadcastPlan<2>& plan, Combine&& combine, uint8_t* to) {
  for_each_run(plan, [&](int64_t first, const std::array<int64_t, 2>& from) {
    for (int64_t i = 0; i < plan.run; ++i) {
      to[first + i] = static_cast<uint8_t>(
          combine(a[from[0] + i * plan.run_stride[0]], b[from[1] + i * plan.run_stride[1]]));
    }
  });
}

template <typename Formula>
void combine(const QuantizedOperand& a, const QuantizedOperand& b, const OutputQuantization& y,
             const BroadcastPlan<2>& plan, uint8_t* to) {
  const Formula formula(a.scale, a.zero_point, b.scale, b.zero_point, y.scale, y.range.zero_point);
  map_operands(
      a, b, plan,
      [&](int32_t p, int32_t q) { return numerics::round_saturated(formula(p, q), y.range); }, to);
}

template <typename Formula, typename FixedPointFormula, typename NeonFormula>
Result<Tensors> evaluate(const EvaluateContext& context) {
  OCTET_ASSIGN(const QuantizedOperand a, quantized_operand(context, kA, kAScale, kAZero));
  OCTET_ASSIGN(const QuantizedOperand b, quantized_operand(context, kB, kBScale, kBZero));
  OCTET_ASSIGN(const OutputQuantization y, output_quantization(context, kYScale, kYZero, a.dtype));
  OCTET_ASSIGN(Tensor out,
               allocate_broadcast(context, y.dtype, context.input(kA), context.input(kB)));
  uint8_t* to = out.mutable_data<uint8_t>().data();
  const std::vector<int64_t>& a_shape = context.input(kA).shape();
  const std::vector<int64_t>& b_shape = context.input(kB).shape();
  const auto plan = make_broadcast_plan<2>(out.shape(), {a_shape, b_shape});
  if (context.device.is_fixed_point()) {
    const FixedPointFormula formula(a.scale, a.zero_point, b.scale, b.zero_point, y.scale, y.range);
    map_operands(a, b, plan, formula, to);
  } else if (context.device.is_neon()) {
    const NeonFormula formula(a.scale, a.zero_point, b.scale, b.zero_point, y.scale, y.range);
    map_operands(a, b, plan, formula, to);
  } else if (first_stands_still(plan)) {
    combine<Formula>(b, a, y, make_broadcast_plan<2>(out.shape(), {b_shape, a_shape}), to);
  } else {
    combine<Formula>(a, b, y, plan, to);
  }
  return one_tensor(std::move(out));
}

OpSchema schema_of(std::string_view name, EvaluateFunction evaluate) {
  OpSchema schema;
  schema.name = name;
  schema.domain = "com.microsoft";
  schema.roles = {Role::kData,      Role::kParameter, Role::kParameter, Role::kData,
                  Role::kParameter, Role::kParameter, Role::kParameter, Role::kParameter};
  schema.required = 2;  // of the others, zero points may be omitted
  schema.max_inputs = 8;
  schema.infer = infer;
  schema.evaluate = evaluate;
  return schema;
}

}  // namespace

OpSchema QLinearAdd_schema() {
  return schema_of("QLinearAdd",
                   evaluate<numerics::QuantizedAdd, numerics::FixedPointAdd, numerics::NeonAdd>);
}
OpSchema QLinearMul_schema() {
  return schema_of("QLinearMul",
                   evaluate<numerics::QuantizedMul, numerics::FixedPointMul, numerics::NeonMul>);
}

}  // namespace octet::ops
