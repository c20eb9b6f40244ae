#include "compiler/ops/infer_helpers.h"

#include "compiler/numerics/dtype.h"

namespace octet::ops {

Result<Facts> infer_same_as_input(const InferContext& context) {
  return one_fact(context.type(0).storage, context.shape(0));
}

ir::ValueFacts passed_through(const InferContext& context, ir::Shape shape) {
  const ir::TensorType& type = context.type(0);
  ir::ValueFacts out = fact(type.storage, std::move(shape));
  if (type.quant && type.quant->per_tensor()) out.type.quant = type.quant;
  return out;
}

Result<int64_t> normalize_axis(int64_t axis, size_t rank, std::string_view what) {
  const int64_t count = static_cast<int64_t>(rank);
  if (axis < -count || axis >= count) {
    return malformed(what, " ", axis, " for a rank of ", count);
  }
  return axis < 0 ? axis + count : axis;
}

Result<std::vector<int64_t>> normalize_axes(std::span<const int64_t> axes, size_t rank,
                                            std::string_view what) {
  std::vector<int64_t> out;
  std::vector<bool> seen(rank, false);
  for (int64_t axis : axes) {
    OCTET_ASSIGN(int64_t normal, normalize_axis(axis, rank, what));
    if (seen[static_cast<size_t>(normal)]) return malformed(what, " ", axis, " given twice");
    seen[static_cast<size_t>(normal)] = true;
    out.push_back(normal);
  }
  return out;
}

namespace {

// Joins the element type of one more operand into `dtype`, which operand `first` gave.
Status join_dtype(const InferContext& context, size_t operand, DType& dtype, size_t& first) {
  if (!context.has_input(operand)) return {};
  const DType storage = context.type(operand).storage;
  if (storage == DType::kUndefined) return {};
  if (dtype == DType::kUndefined) {
    dtype = storage;
    first = operand;
  } else if (dtype != storage) {
    return malformed("input ", operand, ": ", numerics::dtype_name(storage), " where input ", first,
                     " is ", numerics::dtype_name(dtype));
  }
  return {};
}

}  // namespace

Result<DType> common_dtype(const InferContext& context, std::initializer_list<size_t> operands) {
  DType dtype = DType::kUndefined;
  size_t first = 0;
  for (size_t operand : operands) OCTET_TRY(join_dtype(context, operand, dtype, first));
  return dtype;
}

Result<DType> common_dtype_of_all(const InferContext& context) {
  DType dtype = DType::kUndefined;
  size_t first = 0;
  for (size_t i = 0; i < context.input_count(); ++i) {
    OCTET_TRY(join_dtype(context, i, dtype, first));
  }
  return dtype;
}

Status require_rank(const InferContext& context, size_t operand, size_t rank) {
  if (!context.has_input(operand) || !context.shape(operand).has_rank()) return {};
  if (context.shape(operand).rank() == rank) return {};
  return malformed("input ", operand, ": rank ", context.shape(operand).rank(), ", must be ", rank);
}

std::optional<std::vector<int64_t>> constant_int64s(const InferContext& context, size_t operand) {
  const ir::Tensor* tensor = context.constant(operand);
  if (tensor == nullptr || !numerics::is_integer(tensor->dtype())) return std::nullopt;
  return tensor->to_int64s();
}

}  // namespace octet::ops
