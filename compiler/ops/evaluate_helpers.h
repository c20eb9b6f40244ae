// Small parts that the evaluation of many operators shares: choosing the loop for an element type,
// 16-bit floats by way of float32, and loops over broadcast operands.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "compiler/numerics/half.h"
#include "compiler/ops/broadcast.h"
#include "compiler/ops/schema.h"

namespace octet::ops {

using ir::DType;
using ir::Tensor;
using Tensors = std::vector<Tensor>;

inline bool is_half(DType dtype) { return dtype == DType::kFloat16 || dtype == DType::kBfloat16; }

Error unsupported_dtype(const EvaluateContext& context, DType dtype);

// kMalformed, naming the operand, when its element type is not `dtype`.
Status require_dtype(const EvaluateContext& context, size_t operand, DType dtype);

// Runs `evaluate` with every float16 and bfloat16 operand widened to float32, and rounds the
// float32 outputs to the first such type. For operators whose narrow operands are all of one type.
// For + - * / and sqrt that is the correctly rounded result (Figueroa 1995: 24 >= 2 * 11 + 2).
Result<Tensors> through_float32(const EvaluateContext& context, EvaluateFunction evaluate);

// `tensor` as float32: itself when it is, else widened (16-bit floats) or rounded (float64). The
// copy is charged to the budget.
Result<Tensor> to_float32(const EvaluateContext& context, const Tensor& tensor);
// A float32 tensor rounded to a 16-bit float type.
Result<Tensor> to_half(const EvaluateContext& context, const Tensor& tensor, DType dtype);

// Integers of 2 and 4 bits, which are packed; and the same numbers as int8 or uint8. Packing wants
// numbers that fit.
bool is_packed_integer(DType dtype);
Result<Tensor> unpack_integers(const EvaluateContext& context, const Tensor& packed);
Result<Tensor> pack_integers(const EvaluateContext& context, const Tensor& bytes, DType dtype);

// float8 and float4, which have no arithmetic of their own; and the same numbers as float32.
bool is_tiny_float(DType dtype);
Result<Tensor> widen_tiny_floats(const EvaluateContext& context, const Tensor& tiny);
// Sets element `index` of a zero-filled float8 or float4 tensor with the given bytes.
void set_tiny_float(uint8_t* bytes, int64_t index, float x, DType dtype,
                    numerics::Overflow overflow);

// Calls visit(T()) with the C++ type of the elements; kUnsupported for other types.
template <typename Visit>
Result<Tensors> visit_float(const EvaluateContext& context, DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::kFloat32:
      return visit(float());
    case DType::kFloat64:
      return visit(double());
    default:
      return unsupported_dtype(context, dtype);
  }
}

template <typename Visit>
Result<Tensors> visit_integer(const EvaluateContext& context, DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::kInt8:
      return visit(int8_t());
    case DType::kInt16:
      return visit(int16_t());
    case DType::kInt32:
      return visit(int32_t());
    case DType::kInt64:
      return visit(int64_t());
    case DType::kUint8:
      return visit(uint8_t());
    case DType::kUint16:
      return visit(uint16_t());
    case DType::kUint32:
      return visit(uint32_t());
    case DType::kUint64:
      return visit(uint64_t());
    default:
      return unsupported_dtype(context, dtype);
  }
}

template <typename Visit>
Result<Tensors> visit_number(const EvaluateContext& context, DType dtype, Visit&& visit) {
  if (dtype == DType::kFloat32) return visit(float());
  if (dtype == DType::kFloat64) return visit(double());
  return visit_integer(context, dtype, std::forward<Visit>(visit));
}

// Integer arithmetic modulo 2^bits without signed overflow: T's values in an unsigned type that is
// not promoted to int.
template <typename T>
using Wrapping = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <typename T>
T wrapping_add(T a, T b) {
  return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
}
template <typename T>
T wrapping_sub(T a, T b) {
  return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
}
template <typename T>
T wrapping_mul(T a, T b) {
  return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
}

// out[i] = f(a[i]).
template <typename In, typename Out, typename F>
void map_elements(const In* a, Out* out, int64_t count, F f) {
  for (int64_t i = 0; i < count; ++i) out[i] = f(a[i]);
}

// out = f(a, b) over broadcast operands of element type A, `out` having the broadcast shape.
template <typename A, typename B, typename Out, typename F>
void map_broadcast(const Tensor& a, const Tensor& b, Tensor& out, F f) {
  const auto plan = make_broadcast_plan<2>(out.shape(), {a.shape(), b.shape()});
  const A* pa = a.data<A>().data();
  const B* pb = b.data<B>().data();
  Out* po = out.mutable_data<Out>().data();
  for_each_run(plan, [&](int64_t to, const std::array<int64_t, 2>& from) {
    const A* x = pa + from[0];
    const B* y = pb + from[1];
    Out* z = po + to;
    if (plan.run_stride[0] == 1 && plan.run_stride[1] == 1) {
      for (int64_t i = 0; i < plan.run; ++i) z[i] = f(x[i], y[i]);
    } else if (plan.run_stride[0] == 1) {
      const B fixed = *y;
      for (int64_t i = 0; i < plan.run; ++i) z[i] = f(x[i], fixed);
    } else {  // both standing still would be an axis without any operand
      const A fixed = *x;
      for (int64_t i = 0; i < plan.run; ++i) z[i] = f(fixed, y[i]);
    }
  });
}

// A zero-filled output of the shape that two operands broadcast to.
Result<Tensor> allocate_broadcast(const EvaluateContext& context, DType dtype, const Tensor& a,
                                  const Tensor& b);

inline Tensors one_tensor(Tensor tensor) {
  Tensors out;
  out.push_back(std::move(tensor));
  return out;
}

}  // namespace octet::ops
