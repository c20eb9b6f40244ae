// And, Or, Xor, Not, Equal, Greater, GreaterOrEqual, Less, LessOrEqual: results are bool. Operands
// broadcast as numpy does since version 7.
#include <functional>

#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

Result<Facts> infer_comparison(const InferContext& context) {
  OCTET_TRY(common_dtype(context, {0, 1}));
  OCTET_ASSIGN(ir::Shape shape, broadcast_shapes(context.shape(0), context.shape(1)));
  return one_fact(DType::kBool, std::move(shape));
}

// Bytes of a bool tensor that come from a file may be any number: every one but 0 is true.
struct AndOp {
  uint8_t operator()(uint8_t a, uint8_t b) const { return a != 0 && b != 0 ? 1 : 0; }
};
struct OrOp {
  uint8_t operator()(uint8_t a, uint8_t b) const { return a != 0 || b != 0 ? 1 : 0; }
};
struct XorOp {
  uint8_t operator()(uint8_t a, uint8_t b) const { return (a != 0) != (b != 0) ? 1 : 0; }
};
struct SameBoolOp {
  uint8_t operator()(uint8_t a, uint8_t b) const { return (a != 0) == (b != 0) ? 1 : 0; }
};

template <typename F>
Result<Tensors> evaluate_logic(const EvaluateContext& context) {
  OCTET_TRY(require_dtype(context, 0, DType::kBool));
  OCTET_TRY(require_dtype(context, 1, DType::kBool));
  OCTET_ASSIGN(Tensor out,
               allocate_broadcast(context, DType::kBool, context.input(0), context.input(1)));
  map_broadcast<uint8_t, uint8_t, uint8_t>(context.input(0), context.input(1), out, F());
  return one_tensor(std::move(out));
}

Result<Tensors> evaluate_not(const EvaluateContext& context) {
  OCTET_TRY(require_dtype(context, 0, DType::kBool));
  OCTET_ASSIGN(Tensor out, context.allocate(DType::kBool, context.input(0).shape()));
  map_elements(context.input(0).data<uint8_t>().data(), out.mutable_data<uint8_t>().data(),
               out.element_count(), [](uint8_t x) -> uint8_t { return x == 0 ? 1 : 0; });
  return one_tensor(std::move(out));
}

template <typename Compare>
Result<Tensors> evaluate_comparison(const EvaluateContext& context) {
  const DType dtype = context.input(0).dtype();
  OCTET_TRY(require_dtype(context, 1, dtype));
  if (is_half(dtype)) return through_float32(context, evaluate_comparison<Compare>);
  return visit_number(context, dtype, [&](auto tag) -> Result<Tensors> {
    using T = decltype(tag);
    OCTET_ASSIGN(Tensor out,
                 allocate_broadcast(context, DType::kBool, context.input(0), context.input(1)));
    map_broadcast<T, T, uint8_t>(context.input(0), context.input(1), out,
                                 [](T a, T b) -> uint8_t { return Compare()(a, b) ? 1 : 0; });
    return one_tensor(std::move(out));
  });
}

Result<Tensors> equal_strings(const EvaluateContext& context) {
  const Tensor& a = context.input(0);
  const Tensor& b = context.input(1);
  OCTET_ASSIGN(Tensor out, allocate_broadcast(context, DType::kBool, a, b));
  uint8_t* to = out.mutable_data<uint8_t>().data();
  const auto plan = make_broadcast_plan<2>(out.shape(), {a.shape(), b.shape()});
  for_each_run(plan, [&](int64_t at, const std::array<int64_t, 2>& from) {
    for (int64_t i = 0; i < plan.run; ++i) {
      const auto ia = static_cast<size_t>(from[0] + i * plan.run_stride[0]);
      const auto ib = static_cast<size_t>(from[1] + i * plan.run_stride[1]);
      to[at + i] = a.strings()[ia] == b.strings()[ib] ? 1 : 0;
    }
  });
  return one_tensor(std::move(out));
}

// Bool since version 7 (integers too), all numbers since 11, strings since 19.
Result<Tensors> evaluate_equal(const EvaluateContext& context) {
  const DType dtype = context.input(0).dtype();
  OCTET_TRY(require_dtype(context, 1, dtype));
  if (dtype == DType::kBool) return evaluate_logic<SameBoolOp>(context);
  if (dtype == DType::kString) return equal_strings(context);
  return evaluate_comparison<std::equal_to<>>(context);
}

OpSchema comparison(std::string_view name, EvaluateFunction evaluate) {
  OpSchema schema;
  schema.name = name;
  schema.roles = {Role::kData, Role::kData};
  schema.required = 2;
  schema.max_inputs = 2;
  schema.infer = infer_comparison;
  schema.evaluate = evaluate;
  return schema;
}

OpSchema symmetric(std::string_view name, EvaluateFunction evaluate) {
  OpSchema schema = comparison(name, evaluate);
  schema.commutative = true;
  return schema;
}

OpSchema since(int64_t version, OpSchema schema) {
  schema.since = version;
  return schema;
}

}  // namespace

OpSchema And_schema() { return symmetric("And", evaluate_logic<AndOp>); }
OpSchema Or_schema() { return symmetric("Or", evaluate_logic<OrOp>); }
OpSchema Xor_schema() { return symmetric("Xor", evaluate_logic<XorOp>); }
OpSchema Equal_schema() { return symmetric("Equal", evaluate_equal); }
OpSchema Greater_schema() { return comparison("Greater", evaluate_comparison<std::greater<>>); }
OpSchema GreaterOrEqual_schema() {
  return since(12, comparison("GreaterOrEqual", evaluate_comparison<std::greater_equal<>>));
}
OpSchema Less_schema() { return comparison("Less", evaluate_comparison<std::less<>>); }
OpSchema LessOrEqual_schema() {
  return since(12, comparison("LessOrEqual", evaluate_comparison<std::less_equal<>>));
}
OpSchema Not_schema() {
  OpSchema schema;
  schema.name = "Not";
  schema.infer = infer_same_as_input;
  schema.evaluate = evaluate_not;
  return schema;
}

}  // namespace octet::ops
