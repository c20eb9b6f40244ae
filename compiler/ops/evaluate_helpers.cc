#include "compiler/ops/evaluate_helpers.h"

#include "compiler/numerics/dtype.h"

namespace octet::ops {

Error unsupported_dtype(const EvaluateContext& context, DType dtype) {
  return unsupported(context.node.op_type, " of ", numerics::dtype_name(dtype),
                     " cannot be executed");
}

Status require_dtype(const EvaluateContext& context, size_t operand, DType dtype) {
  const DType actual = context.input(operand).dtype();
  if (actual == dtype) return {};
  return malformed("input ", operand, ": ", numerics::dtype_name(actual), ", must be ",
                   numerics::dtype_name(dtype));
}

Result<Tensor> to_float32(const EvaluateContext& context, const Tensor& tensor) {
  if (tensor.dtype() == DType::kFloat32) return tensor;
  OCTET_ASSIGN(Tensor out, context.allocate(DType::kFloat32, tensor.shape()));
  float* to = out.mutable_data<float>().data();
  if (tensor.dtype() == DType::kFloat16) {
    map_elements(tensor.data<uint16_t>().data(), to, tensor.element_count(),
                 [](uint16_t x) { return numerics::half_to_float(x); });
  } else if (tensor.dtype() == DType::kBfloat16) {
    map_elements(tensor.data<uint16_t>().data(), to, tensor.element_count(),
                 [](uint16_t x) { return numerics::bfloat16_to_float(x); });
  } else if (tensor.dtype() == DType::kFloat64) {
    map_elements(tensor.data<double>().data(), to, tensor.element_count(),
                 [](double x) { return static_cast<float>(x); });
  } else {
    return unsupported_dtype(context, tensor.dtype());
  }
  return out;
}

Result<Tensor> to_half(const EvaluateContext& context, const Tensor& tensor, DType dtype) {
  OCTET_ASSIGN(Tensor out, context.allocate(dtype, tensor.shape()));
  const float* from = tensor.data<float>().data();
  uint16_t* to = out.mutable_data<uint16_t>().data();
  if (dtype == DType::kFloat16) {
    map_elements(from, to, tensor.element_count(),
                 [](float x) { return numerics::float_to_half(x); });
  } else {
    map_elements(from, to, tensor.element_count(),
                 [](float x) { return numerics::float_to_bfloat16(x); });
  }
  return out;
}

Result<Tensors> through_float32(const EvaluateContext& context, EvaluateFunction evaluate) {
  DType narrow = DType::kUndefined;
  Tensors widened(context.inputs.size());
  std::vector<const Tensor*> inputs(context.inputs.begin(), context.inputs.end());
  int64_t charged = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] == nullptr || !is_half(inputs[i]->dtype())) continue;
    if (narrow == DType::kUndefined) narrow = inputs[i]->dtype();
    OCTET_ASSIGN(widened[i], to_float32(context, *inputs[i]));
    charged += static_cast<int64_t>(widened[i].bytes().size());
    inputs[i] = &widened[i];
  }
  const EvaluateContext inner{context.node, context.opset, inputs, context.budget};
  OCTET_ASSIGN(Tensors outputs, evaluate(inner));
  if (narrow == DType::kUndefined) return outputs;
  for (Tensor& output : outputs) {
    if (output.dtype() != DType::kFloat32) continue;
    charged += static_cast<int64_t>(output.bytes().size());
    OCTET_ASSIGN(output, to_half(context, output, narrow));
  }
  if (context.budget != nullptr) context.budget->release(charged);
  return outputs;
}

bool is_packed_integer(DType dtype) {
  return numerics::is_integer(dtype) && numerics::bit_width(dtype) < 8;
}

Result<Tensor> unpack_integers(const EvaluateContext& context, const Tensor& packed) {
  const bool is_signed = numerics::is_signed_integer(packed.dtype());
  OCTET_ASSIGN(Tensor out,
               context.allocate(is_signed ? DType::kInt8 : DType::kUint8, packed.shape()));
  uint8_t* to = out.mutable_data<uint8_t>().data();
  for (int64_t i = 0; i < packed.element_count(); ++i) {
    to[i] = static_cast<uint8_t>(packed.at_as_int64(i));  // modulo 256: int8 by its bits
  }
  return out;
}

Result<Tensor> pack_integers(const EvaluateContext& context, const Tensor& bytes, DType dtype) {
  OCTET_ASSIGN(Tensor out, context.allocate(dtype, bytes.shape()));
  for (int64_t i = 0; i < bytes.element_count(); ++i) out.set_from_int64(i, bytes.at_as_int64(i));
  return out;
}

bool is_tiny_float(DType dtype) {
  return numerics::is_floating_point(dtype) && numerics::bit_width(dtype) <= 8;
}

Result<Tensor> widen_tiny_floats(const EvaluateContext& context, const Tensor& tiny) {
  OCTET_ASSIGN(Tensor out, context.allocate(DType::kFloat32, tiny.shape()));
  float* to = out.mutable_data<float>().data();
  if (numerics::bit_width(tiny.dtype()) == 8) {
    map_elements(tiny.data<uint8_t>().data(), to, tiny.element_count(),
                 [&](uint8_t x) { return numerics::float8_to_float(x, tiny.dtype()); });
    return out;
  }
  for (int64_t i = 0; i < tiny.element_count(); ++i) {
    to[i] = static_cast<float>(tiny.at_as_double(i));
  }
  return out;
}

void set_tiny_float(uint8_t* bytes, int64_t index, float x, DType dtype,
                    numerics::Overflow overflow) {
  const uint8_t code = numerics::float_to_float8(x, dtype, overflow);
  if (numerics::bit_width(dtype) == 8) {
    bytes[index] = code;
  } else {
    bytes[index / 2] |= static_cast<uint8_t>((code & 0x0F) << (index % 2 * 4));
  }
}

Result<Tensor> allocate_broadcast(const EvaluateContext& context, DType dtype, const Tensor& a,
                                  const Tensor& b) {
  OCTET_ASSIGN(std::vector<int64_t> shape, broadcast_extents(a.shape(), b.shape()));
  return context.allocate(dtype, std::move(shape));
}

}  // namespace octet::ops
