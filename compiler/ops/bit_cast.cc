// BitCast (ai.onnx 26): the same bits under another element type of the same width.
// onnx/docs/Operators.md, BitCast.
#include <cstring>

#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

Result<DType> target_type(const ir::Node& node, DType from) {
  const int64_t to = ir::int_attribute(node, "to", 0);
  if (to < 1 || to > INT32_MAX || !numerics::is_known_dtype(static_cast<int32_t>(to))) {
    return malformed("attribute to is ", to);
  }
  const auto dtype = static_cast<DType>(to);
  if (from != DType::kUndefined && (numerics::bit_width(dtype) != numerics::bit_width(from) ||
                                    numerics::bit_width(dtype) == 0)) {
    return malformed("attribute to: ", numerics::dtype_name(dtype), " for elements of ",
                     numerics::dtype_name(from));
  }
  return dtype;
}

Result<Facts> infer_bit_cast(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, target_type(context.node, context.type(0).storage));
  return one_fact(dtype, context.shape(0));
}

Result<Tensors> evaluate_bit_cast(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const DType dtype, target_type(context.node, x.dtype()));
  OCTET_ASSIGN(Tensor y, context.allocate(dtype, x.shape()));
  if (x.element_count() == 0) return one_tensor(std::move(y));
  if (dtype == DType::kBool) {
    // A bool is 0 or 1 everywhere else.
    for (int64_t i = 0; i < x.element_count(); ++i) {
      writable_bytes(y)[i] =
          x.bytes()[static_cast<size_t>(i)] == std::byte{0} ? std::byte{0} : std::byte{1};
    }
    return one_tensor(std::move(y));
  }
  std::memcpy(writable_bytes(y), x.bytes().data(), x.bytes().size());
  return one_tensor(std::move(y));
}

}  // namespace

OpSchema BitCast_schema() {
  return {.name = "BitCast",
          .since = 26,
          .roles = {Role::kParameter},
          .infer = infer_bit_cast,
          .evaluate = evaluate_bit_cast};
}

}  // namespace octet::ops
