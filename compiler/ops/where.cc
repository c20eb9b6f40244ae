// Where: a choice between two operands, element by element, with numpy broadcasting.

#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

Result<Facts> infer_where(const InferContext& context) {
  OCTET_ASSIGN(DType dtype, common_dtype(context, {1, 2}));
  const DType condition = context.type(0).storage;
  if (condition != DType::kUndefined && condition != DType::kBool) {
    return malformed("input 0: ", numerics::dtype_name(condition), ", must be bool");
  }
  OCTET_ASSIGN(ir::Shape shape, broadcast_shapes(context.shape(1), context.shape(2)));
  OCTET_ASSIGN(shape, broadcast_shapes(context.shape(0), shape));
  return one_fact(dtype, std::move(shape));
}

template <typename T>
void choose(const std::array<const Tensor*, 3>& operands, Tensor& out) {
  const auto plan = make_broadcast_plan<3>(
      out.shape(), {operands[0]->shape(), operands[1]->shape(), operands[2]->shape()});
  const uint8_t* condition = operands[0]->data<uint8_t>().data();
  const T* x = operands[1]->data<T>().data();
  const T* y = operands[2]->data<T>().data();
  T* to = out.mutable_data<T>().data();
  const auto step = plan.run_stride;
  for_each_run(plan, [&](int64_t at, const std::array<int64_t, 3>& from) {
    for (int64_t i = 0; i < plan.run; ++i) {
      to[at + i] = condition[from[0] + i * step[0]] != 0 ? x[from[1] + i * step[1]]
                                                         : y[from[2] + i * step[2]];
    }
  });
}

Result<Tensors> choose_strings(const EvaluateContext& context, std::vector<int64_t> shape) {
  const auto plan = make_broadcast_plan<3>(
      shape, {context.input(0).shape(), context.input(1).shape(), context.input(2).shape()});
  const uint8_t* condition = context.input(0).data<uint8_t>().data();
  const auto step = plan.run_stride;
  std::vector<std::string> chosen;
  for_each_run(plan, [&](int64_t, const std::array<int64_t, 3>& from) {
    for (int64_t i = 0; i < plan.run; ++i) {
      const bool first = condition[from[0] + i * step[0]] != 0;
      const auto index = static_cast<size_t>(first ? from[1] + i * step[1] : from[2] + i * step[2]);
      chosen.push_back(context.input(first ? 1 : 2).strings()[index]);
    }
  });
  OCTET_ASSIGN(Tensor out, Tensor::of_strings(std::move(shape), std::move(chosen)));
  return one_tensor(std::move(out));
}

Result<Tensors> evaluate_where(const EvaluateContext& context) {
  OCTET_TRY(require_dtype(context, 0, DType::kBool));
  const DType dtype = context.input(1).dtype();
  OCTET_TRY(require_dtype(context, 2, dtype));
  OCTET_ASSIGN(std::vector<int64_t> shape,
               broadcast_extents(context.input(1).shape(), context.input(2).shape()));
  OCTET_ASSIGN(shape, broadcast_extents(context.input(0).shape(), shape));
  if (dtype == DType::kString) return choose_strings(context, std::move(shape));
  OCTET_ASSIGN(const size_t width, element_width(dtype));
  OCTET_ASSIGN(Tensor out, context.allocate(dtype, std::move(shape)));
  const std::array<const Tensor*, 3> operands = {&context.input(0), &context.input(1),
                                                 &context.input(2)};
  switch (width) {
    case 1:
      choose<uint8_t>(operands, out);
      break;
    case 2:
      choose<uint16_t>(operands, out);
      break;
    case 4:
      choose<uint32_t>(operands, out);
      break;
    case 8:
      choose<uint64_t>(operands, out);
      break;
    default:
      return unsupported_dtype(context, dtype);
  }
  return one_tensor(std::move(out));
}

}  // namespace

OpSchema Where_schema() {
  OpSchema schema;
  schema.name = "Where";
  schema.since = 9;
  schema.roles = {Role::kIndex, Role::kData, Role::kData};
  schema.required = 3;
  schema.max_inputs = 3;
  schema.behaviour = QuantBehaviour::kSameScale;
  schema.infer = infer_where;
  schema.evaluate = evaluate_where;
  return schema;
}

}  // namespace octet::ops
