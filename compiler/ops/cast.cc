// Cast and CastLike: between numbers and bool. Strings are refused.
//
// Rules (ONNX Cast, versions 9 to 23): float to integer truncates toward zero (out of range and NaN
// are left open by the standard; see numerics::cast_to_integer, but for 2 and 4 bits its tests keep
// the low bits); integer to narrower integer keeps the low bits; to bool is "not zero"; float to
// float rounds half to even, and float8 saturates unless `saturate` is 0.
#include <bit>
#include <cmath>
#include <limits>

#include "compiler/numerics/dtype.h"
#include "compiler/numerics/quantize.h"
#include "compiler/ops/elements.h"
#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

using numerics::Overflow;

// The float next to x on the side of zero or away from it whose last bit is 1, unless x is a float:
// rounding that to a narrower format gives what rounding x itself would (Boldo and Melquiond 2008).
float round_to_odd(double x) {
  const float nearest = static_cast<float>(x);
  if (!std::isfinite(x) || static_cast<double>(nearest) == x) return nearest;
  if (std::isinf(nearest)) return std::copysign(std::numeric_limits<float>::max(), nearest);
  if ((std::bit_cast<uint32_t>(nearest) & 1) != 0) return nearest;
  return std::nextafter(nearest, static_cast<double>(nearest) < x
                                     ? std::numeric_limits<float>::infinity()
                                     : -std::numeric_limits<float>::infinity());
}

template <typename From>
float to_float_exactly_or_odd(From x) {
  if constexpr (std::is_same_v<From, float>) {
    return x;
  } else {
    return round_to_odd(static_cast<double>(x));
  }
}

template <typename From, typename To>
To convert(From x, DType to) {
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return static_cast<To>(numerics::cast_to_integer(static_cast<double>(x), to));
  } else {
    return static_cast<To>(x);
  }
}

// Low bits of an integer, read as an integer of that many bits.
int64_t keep_bits(int64_t x, DType to) {
  const int unused = 64 - numerics::bit_width(to);
  const auto shifted = static_cast<uint64_t>(x) << unused;
  return numerics::is_signed_integer(to) ? static_cast<int64_t>(shifted) >> unused
                                         : static_cast<int64_t>(shifted >> unused);
}

// The operand in a type with a C++ equivalent: narrow floats become float32, packed integers int8
// or uint8, bool uint8 of 0 and 1. None of that rounds.
Result<Tensor> widen(const EvaluateContext& context, const Tensor& x) {
  const DType dtype = x.dtype();
  if (is_half(dtype)) return to_float32(context, x);
  if (dtype == DType::kBool) {
    OCTET_ASSIGN(Tensor out, context.allocate(DType::kUint8, x.shape()));
    map_elements(x.data<uint8_t>().data(), out.mutable_data<uint8_t>().data(), x.element_count(),
                 [](uint8_t v) -> uint8_t { return v != 0 ? 1 : 0; });
    return out;
  }
  if (is_tiny_float(dtype)) return widen_tiny_floats(context, x);
  if (is_packed_integer(dtype)) return unpack_integers(context, x);
  return x;
}

template <typename From>
Result<Tensors> cast_to_narrow_float(const EvaluateContext& context, const Tensor& x, DType to) {
  const bool saturate = ir::int_attribute(context.node, "saturate", 1) != 0;
  const Overflow overflow = saturate ? Overflow::kSaturate : Overflow::kNonFinite;
  if (to == DType::kFloat8E8M0 && ir::string_attribute(context.node, "round_mode", "up") != "up") {
    return unsupported("round_mode other than up cannot be executed");
  }
  OCTET_ASSIGN(Tensor out, context.allocate(to, x.shape()));
  const From* from = x.data<From>().data();
  const int64_t count = x.element_count();
  if (to == DType::kFloat16) {
    map_elements(from, out.mutable_data<uint16_t>().data(), count,
                 [](From v) { return numerics::float_to_half(to_float_exactly_or_odd(v)); });
  } else if (to == DType::kBfloat16) {
    map_elements(from, out.mutable_data<uint16_t>().data(), count,
                 [](From v) { return numerics::float_to_bfloat16(to_float_exactly_or_odd(v)); });
  } else {
    uint8_t* bytes = out.mutable_data<uint8_t>().data();
    for (int64_t i = 0; i < count; ++i) {
      set_tiny_float(bytes, i, to_float_exactly_or_odd(from[i]), to, overflow);
    }
  }
  return one_tensor(std::move(out));
}

template <typename From>
Result<Tensors> cast_to_packed(const EvaluateContext& context, const Tensor& x, DType to) {
  OCTET_ASSIGN(Tensor out, context.allocate(to, x.shape()));
  const From* from = x.data<From>().data();
  for (int64_t i = 0; i < x.element_count(); ++i) {
    out.set_from_int64(i, keep_bits(convert<From, int64_t>(from[i], DType::kInt64), to));
  }
  return one_tensor(std::move(out));
}

template <typename From>
Result<Tensors> cast_from(const EvaluateContext& context, const Tensor& x, DType to) {
  if (to == DType::kBool) {
    OCTET_ASSIGN(Tensor out, context.allocate(to, x.shape()));
    map_elements(x.data<From>().data(), out.mutable_data<uint8_t>().data(), x.element_count(),
                 [](From v) -> uint8_t { return v != From(0) ? 1 : 0; });
    return one_tensor(std::move(out));
  }
  if (is_half(to) || is_tiny_float(to)) {
    return cast_to_narrow_float<From>(context, x, to);
  }
  if (is_packed_integer(to)) return cast_to_packed<From>(context, x, to);
  return visit_number(context, to, [&](auto tag) -> Result<Tensors> {
    using To = decltype(tag);
    OCTET_ASSIGN(Tensor out, context.allocate(to, x.shape()));
    map_elements(x.data<From>().data(), out.mutable_data<To>().data(), x.element_count(),
                 [to](From v) { return convert<From, To>(v, to); });
    return one_tensor(std::move(out));
  });
}

Result<Tensors> cast(const EvaluateContext& context, DType to) {
  const Tensor& x = context.input(0);
  if (x.dtype() == to) return one_tensor(x);
  if (x.dtype() == DType::kString || to == DType::kString) {
    return unsupported(context.node.op_type, " from ", numerics::dtype_name(x.dtype()), " to ",
                       numerics::dtype_name(to), " cannot be executed");
  }
  OCTET_ASSIGN(const Tensor wide, widen(context, x));
  auto out = visit_number(context, wide.dtype(),
                          [&](auto tag) { return cast_from<decltype(tag)>(context, wide, to); });
  if (context.budget != nullptr && wide.bytes().data() != x.bytes().data()) {
    context.budget->release(static_cast<int64_t>(wide.bytes().size()));
  }
  return out;
}

Result<DType> target_of(const ir::Node& node) {
  const int64_t to = ir::int_attribute(node, "to", 0);
  if (to < 0 || to > std::numeric_limits<int32_t>::max() ||
      !numerics::is_known_dtype(static_cast<int32_t>(to))) {
    return malformed("to = ", to, " is no element type");
  }
  return static_cast<DType>(to);
}

Result<Tensors> evaluate_cast(const EvaluateContext& context) {
  OCTET_ASSIGN(const DType to, target_of(context.node));
  return cast(context, to);
}

Result<Tensors> evaluate_cast_like(const EvaluateContext& context) {
  return cast(context, context.input(1).dtype());
}

Facts cast_facts(const InferContext& context, DType to) {
  Facts facts = one_fact(to, context.shape(0));
  if (numerics::is_integer(context.type(0).storage)) {
    facts[0].elements = kept_elements(context.elements(0), facts[0].type);
  }
  return facts;
}

Result<Facts> infer_cast(const InferContext& context) {
  OCTET_ASSIGN(const DType to, target_of(context.node));
  return cast_facts(context, to);
}

Result<Facts> infer_cast_like(const InferContext& context) {
  return cast_facts(context, context.type(1).storage);
}

}  // namespace

OpSchema Cast_schema() {
  OpSchema schema;
  schema.name = "Cast";
  schema.infer = infer_cast;
  schema.evaluate = evaluate_cast;
  return schema;
}

OpSchema CastLike_schema() {
  OpSchema schema;
  schema.name = "CastLike";
  schema.since = 15;
  schema.roles = {Role::kData, Role::kParameter};
  schema.required = 2;
  schema.max_inputs = 2;
  schema.infer = infer_cast_like;
  schema.evaluate = evaluate_cast_like;
  return schema;
}

}  // namespace octet::ops
