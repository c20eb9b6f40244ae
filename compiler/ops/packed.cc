#include "compiler/ops/packed.h"

#include "compiler/ops/scratch.h"

namespace octet::ops {
namespace {

struct Packing {
  int bits = 8;
  int64_t per_byte() const { return 8 / bits; }
  unsigned mask() const { return (1U << bits) - 1U; }
};

Packing packing_of(DType dtype) { return {numerics::bit_width(dtype)}; }

Result<Tensor> unpacked(const EvaluateContext& context, const Tensor& tensor) {
  const Packing packing = packing_of(tensor.dtype());
  OCTET_ASSIGN(Tensor out, context.allocate(DType::kUint8, tensor.shape()));
  const auto from = tensor.bytes();
  const auto to = out.mutable_data<uint8_t>();
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    const auto byte = std::to_integer<unsigned>(from[static_cast<size_t>(i / packing.per_byte())]);
    const auto shift = static_cast<unsigned>(i % packing.per_byte() * packing.bits);
    to[static_cast<size_t>(i)] = static_cast<uint8_t>(byte >> shift & packing.mask());
  }
  return out;
}

Result<Tensor> packed(const EvaluateContext& context, const Tensor& tensor, DType dtype) {
  const Packing packing = packing_of(dtype);
  OCTET_ASSIGN(Tensor out, context.allocate(dtype, tensor.shape()));
  const auto from = tensor.data<uint8_t>();
  const auto to = out.mutable_data<uint8_t>();
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    const auto shift = static_cast<unsigned>(i % packing.per_byte() * packing.bits);
    uint8_t& byte = to[static_cast<size_t>(i / packing.per_byte())];
    byte = static_cast<uint8_t>(byte | (from[static_cast<size_t>(i)] & packing.mask()) << shift);
  }
  return out;
}

}  // namespace

bool is_packed(DType dtype) {
  const int bits = numerics::bit_width(dtype);
  return bits == 2 || bits == 4;
}

Result<Tensors> through_bytes(const EvaluateContext& context, EvaluateFunction evaluate) {
  const DType narrow = context.input(0).dtype();
  ChargedBytes temporaries(context.budget);
  Tensors wide(context.inputs.size());
  std::vector<const Tensor*> inputs(context.inputs.begin(), context.inputs.end());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] == nullptr) continue;
    const DType dtype = inputs[i]->dtype();
    if (dtype == DType::kUint8 || (is_packed(dtype) && dtype != narrow)) {
      return malformed("input ", i, ": ", numerics::dtype_name(dtype), " where input 0 is ",
                       numerics::dtype_name(narrow));
    }
    if (!is_packed(dtype)) continue;
    OCTET_ASSIGN(wide[i], unpacked(context, *inputs[i]));
    temporaries.adopt(wide[i]);
    inputs[i] = &wide[i];
  }
  OCTET_ASSIGN(Tensors outputs, evaluate({context.node, context.opset, inputs, context.budget}));
  for (Tensor& output : outputs) {
    if (output.dtype() != DType::kUint8) continue;
    temporaries.adopt(output);
    OCTET_ASSIGN(output, packed(context, output, narrow));
  }
  return outputs;
}

}  // namespace octet::ops
