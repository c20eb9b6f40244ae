// Add, Sub, Mul, Div, Mod, Pow, BitShift and the bitwise operators: two operands, numpy
// broadcasting (onnx/docs/Operators.md; versions 7 to 27 compute the same, later ones take more
// types). Integers wrap around.
#include <cmath>
#include <limits>

#include "compiler/base/checked.h"
#include "compiler/numerics/quantize.h"
#include "compiler/ops/elements.h"
#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

Result<Facts> infer_broadcast(const InferContext& context) {
  OCTET_ASSIGN(DType dtype, common_dtype(context, {0, 1}));
  OCTET_ASSIGN(ir::Shape shape, broadcast_shapes(context.shape(0), context.shape(1)));
  return one_fact(dtype, std::move(shape));
}

template <DimFunction combine>
Result<Facts> infer_arithmetic(const InferContext& context) {
  OCTET_ASSIGN(Facts facts, infer_broadcast(context));
  facts[0].elements = combined_elements(context, facts[0].type, combine);
  return facts;
}

// out = F(a, b) on numbers of one type; F::exact is the integer form.
template <typename F>
Result<Tensors> evaluate_numbers(const EvaluateContext& context) {
  const DType dtype = context.input(0).dtype();
  if (is_half(dtype)) return through_float32(context, evaluate_numbers<F>);
  OCTET_TRY(require_dtype(context, 1, dtype));
  return visit_number(context, dtype, [&](auto tag) -> Result<Tensors> {
    using T = decltype(tag);
    OCTET_ASSIGN(Tensor out,
                 allocate_broadcast(context, dtype, context.input(0), context.input(1)));
    map_broadcast<T, T, T>(context.input(0), context.input(1), out, F());
    return one_tensor(std::move(out));
  });
}

struct AddOp {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return a + b;
    } else {
      return wrapping_add(a, b);
    }
  }
};

struct SubOp {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return a - b;
    } else {
      return wrapping_sub(a, b);
    }
  }
};

struct MulOp {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return a * b;
    } else {
      return wrapping_mul(a, b);
    }
  }
};

// Integers: toward zero; the least value over -1 wraps around to itself.
struct DivOp {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return a / b;
    } else if constexpr (std::is_signed_v<T>) {
      return b == T(-1) ? wrapping_sub(T(0), a) : static_cast<T>(a / b);
    } else {
      return static_cast<T>(a / b);
    }
  }
};

// fmod = 0: the result has the sign of the divisor, as in Python.
struct FloorModOp {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::fmod(a, b);
    } else if constexpr (std::is_signed_v<T>) {
      if (b == T(-1)) return 0;
      const T rest = static_cast<T>(a % b);
      return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
    } else {
      return static_cast<T>(a % b);
    }
  }
};

// fmod = 1: the result has the sign of the dividend, as in C.
struct FmodOp {
  template <typename T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::fmod(a, b);
    } else if constexpr (std::is_signed_v<T>) {
      return b == T(-1) ? T(0) : static_cast<T>(a % b);
    } else {
      return static_cast<T>(a % b);
    }
  }
};

// Integer divisors must not be zero where an element is computed.
Status check_divisor(const EvaluateContext& context) {
  const Tensor& divisor = context.input(1);
  if (!numerics::is_integer(divisor.dtype())) return {};
  OCTET_ASSIGN(std::vector<int64_t> shape,
               broadcast_extents(context.input(0).shape(), divisor.shape()));
  if (checked_product(shape) == 0) return {};
  const size_t width = static_cast<size_t>(numerics::bit_width(divisor.dtype()) / 8);
  if (width == 0) return unsupported_dtype(context, divisor.dtype());
  const std::byte* at = divisor.bytes().data();
  for (int64_t i = 0; i < divisor.element_count(); ++i, at += width) {
    bool zero = true;
    for (size_t k = 0; zero && k < width; ++k) zero = at[k] == std::byte{0};
    if (zero) return malformed("division by zero");
  }
  return {};
}

Result<Tensors> evaluate_div(const EvaluateContext& context) {
  OCTET_TRY(check_divisor(context));
  return evaluate_numbers<DivOp>(context);
}

Result<Tensors> evaluate_mod(const EvaluateContext& context) {
  OCTET_TRY(check_divisor(context));
  if (ir::int_attribute(context.node, "fmod", 0) != 0) return evaluate_numbers<FmodOp>(context);
  if (!numerics::is_integer(context.input(0).dtype())) {
    return malformed("fmod must be 1 for ", numerics::dtype_name(context.input(0).dtype()));
  }
  return evaluate_numbers<FloorModOp>(context);
}

// base^exponent modulo 2^bits; a negative exponent truncates 1 / base^|exponent| toward zero, and
// 0 to a negative power is 0 (the standard leaves it open).
template <typename T, typename E>
T integer_power(T base, E exponent) {
  if constexpr (std::is_signed_v<E>) {
    if (exponent < 0) {
      if (base == T(1)) return 1;
      if (std::is_signed_v<T> && base == static_cast<T>(-1)) return exponent % 2 == 0 ? T(1) : base;
      return 0;
    }
  }
  T out = 1;
  T square = base;
  for (auto left = static_cast<uint64_t>(exponent); left != 0; left >>= 1) {
    if ((left & 1) != 0) out = wrapping_mul(out, square);
    square = wrapping_mul(square, square);
  }
  return out;
}

// Squares and cubes are the powers that networks are made of.
template <typename T>
T float_power(T base, T exponent) {
  const double wide = static_cast<double>(base);
  if (exponent == T(2)) return base * base;
  if (exponent == T(3)) return static_cast<T>(wide * wide * wide);
  return std::pow(base, exponent);
}

struct PowOp {
  DType dtype;  // of the base and the result
  template <typename T, typename E>
  T compute(T base, E exponent) const {
    if constexpr (std::is_floating_point_v<T> && std::is_same_v<T, E>) {
      return float_power(base, exponent);
    } else if constexpr (std::is_floating_point_v<T>) {
      return static_cast<T>(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
    } else if constexpr (std::is_floating_point_v<E>) {
      return static_cast<T>(numerics::cast_to_integer(
          std::pow(static_cast<double>(base), static_cast<double>(exponent)), dtype));
    } else {
      return integer_power(base, exponent);
    }
  }
};

// The exponent may be of another type than the base (since version 12).
Result<Tensors> evaluate_pow(const EvaluateContext& context) {
  const DType base = context.input(0).dtype();
  const DType exponent = context.input(1).dtype();
  if (is_half(base)) return through_float32(context, evaluate_pow);
  if (is_half(exponent)) {
    OCTET_ASSIGN(Tensor wide, to_float32(context, context.input(1)));
    const std::array<const Tensor*, 2> inputs = {&context.input(0), &wide};
    return evaluate_pow({context.node, context.opset, inputs, context.budget});
  }
  return visit_number(context, base, [&](auto base_tag) -> Result<Tensors> {
    return visit_number(context, exponent, [&](auto exponent_tag) -> Result<Tensors> {
      using T = decltype(base_tag);
      using E = decltype(exponent_tag);
      OCTET_ASSIGN(Tensor out,
                   allocate_broadcast(context, base, context.input(0), context.input(1)));
      const PowOp op{base};
      map_broadcast<T, E, T>(context.input(0), context.input(1), out,
                             [op](T a, E b) { return op.compute(a, b); });
      return one_tensor(std::move(out));
    });
  });
}

Result<Facts> infer_pow(const InferContext& context) {
  OCTET_ASSIGN(ir::Shape shape, broadcast_shapes(context.shape(0), context.shape(1)));
  return one_fact(context.type(0).storage, std::move(shape));
}

template <typename F>
Result<Tensors> evaluate_bits(const EvaluateContext& context) {
  const DType dtype = context.input(0).dtype();
  OCTET_TRY(require_dtype(context, 1, dtype));
  return visit_integer(context, dtype, [&](auto tag) -> Result<Tensors> {
    using T = decltype(tag);
    OCTET_ASSIGN(Tensor out,
                 allocate_broadcast(context, dtype, context.input(0), context.input(1)));
    map_broadcast<T, T, T>(context.input(0), context.input(1), out, F());
    return one_tensor(std::move(out));
  });
}

struct BitAndOp {
  template <typename T>
  T operator()(T a, T b) const {
    return static_cast<T>(a & b);
  }
};
struct BitOrOp {
  template <typename T>
  T operator()(T a, T b) const {
    return static_cast<T>(a | b);
  }
};
struct BitXorOp {
  template <typename T>
  T operator()(T a, T b) const {
    return static_cast<T>(a ^ b);
  }
};

// Shifting by the width or more gives 0. Of signed types, which the standard does not allow, the
// bits move as if they were unsigned.
struct ShiftLeftOp {
  template <typename T>
  T operator()(T a, T b) const {
    using U = std::make_unsigned_t<T>;
    const auto by = static_cast<uint64_t>(static_cast<U>(b));
    return by >= sizeof(T) * 8 ? T(0)
                               : static_cast<T>(static_cast<uint64_t>(static_cast<U>(a)) << by);
  }
};
struct ShiftRightOp {
  template <typename T>
  T operator()(T a, T b) const {
    using U = std::make_unsigned_t<T>;
    const auto by = static_cast<uint64_t>(static_cast<U>(b));
    return by >= sizeof(T) * 8 ? T(0)
                               : static_cast<T>(static_cast<uint64_t>(static_cast<U>(a)) >> by);
  }
};

Result<Tensors> evaluate_bit_shift(const EvaluateContext& context) {
  const std::string direction = ir::string_attribute(context.node, "direction", "");
  if (direction == "LEFT") return evaluate_bits<ShiftLeftOp>(context);
  if (direction == "RIGHT") return evaluate_bits<ShiftRightOp>(context);
  return malformed("direction must be LEFT or RIGHT");
}

OpSchema binary(std::string_view name, InferFunction infer, EvaluateFunction evaluate) {
  OpSchema schema;
  schema.name = name;
  schema.roles = {Role::kData, Role::kData};
  schema.required = 2;
  schema.max_inputs = 2;
  schema.infer = infer;
  schema.evaluate = evaluate;
  return schema;
}

OpSchema arithmetic(std::string_view name, InferFunction infer, EvaluateFunction evaluate) {
  OpSchema schema = binary(name, infer, evaluate);
  schema.behaviour = QuantBehaviour::kComputes;
  return schema;
}

OpSchema bitwise(std::string_view name, EvaluateFunction evaluate) {
  OpSchema schema = binary(name, infer_broadcast, evaluate);
  schema.since = 18;
  schema.commutative = true;
  return schema;
}

}  // namespace

OpSchema Add_schema() {
  OpSchema schema = arithmetic("Add", infer_arithmetic<add_dims>, evaluate_numbers<AddOp>);
  schema.commutative = true;
  return schema;
}
OpSchema Sub_schema() {
  return arithmetic("Sub", infer_arithmetic<sub_dims>, evaluate_numbers<SubOp>);
}
OpSchema Mul_schema() {
  OpSchema schema = arithmetic("Mul", infer_arithmetic<mul_dims>, evaluate_numbers<MulOp>);
  schema.commutative = true;
  return schema;
}
OpSchema Div_schema() { return arithmetic("Div", infer_arithmetic<div_dims>, evaluate_div); }
OpSchema Pow_schema() { return binary("Pow", infer_pow, evaluate_pow); }
OpSchema Mod_schema() {
  OpSchema schema = binary("Mod", infer_arithmetic<mod_dims>, evaluate_mod);
  schema.since = 10;
  return schema;
}
OpSchema BitShift_schema() {
  OpSchema schema = binary("BitShift", infer_broadcast, evaluate_bit_shift);
  schema.since = 11;
  return schema;
}
OpSchema BitwiseAnd_schema() { return bitwise("BitwiseAnd", evaluate_bits<BitAndOp>); }
OpSchema BitwiseOr_schema() { return bitwise("BitwiseOr", evaluate_bits<BitOrOp>); }
OpSchema BitwiseXor_schema() { return bitwise("BitwiseXor", evaluate_bits<BitXorOp>); }

}  // namespace octet::ops
