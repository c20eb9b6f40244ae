#include "compiler/interpreter/kernels/integer_operands.h"

#include <algorithm>

#include "compiler/numerics/dtype.h"
#include "compiler/ops/broadcast.h"

namespace octet::interpreter {
namespace {

const ir::Tensor* constant(const KernelRequest& request, size_t operand) {
  return request.has_input(operand) ? request.input(operand).constant.get() : nullptr;
}

}  // namespace

std::optional<std::vector<float>> scales_of(const KernelRequest& request, size_t operand,
                                            int64_t count) {
  const ir::Tensor* scale = constant(request, operand);
  if (scale == nullptr || scale->dtype() != ir::DType::kFloat32) return std::nullopt;
  std::vector<float> out = scale->to_floats();
  if (out.size() == 1) out.resize(static_cast<size_t>(count), out.front());
  if (static_cast<int64_t>(out.size()) != count) return std::nullopt;
  return out;
}

std::optional<ScaleAndZero> scale_and_zero(const KernelRequest& request, size_t scale,
                                           size_t zero_point) {
  const auto scales = scales_of(request, scale, 1);
  if (!scales) return std::nullopt;
  ScaleAndZero out{scales->front(), 0};
  if (request.has_input(zero_point)) {
    const ir::Tensor* zero = constant(request, zero_point);
    if (zero == nullptr || !is_byte(zero->dtype()) || zero->element_count() != 1) return {};
    out.zero_point = static_cast<int32_t>(zero->at_as_int64(0));
  }
  return out;
}

bool is_zero(const KernelRequest& request, size_t operand) {
  if (!request.has_input(operand)) return true;
  const ir::Tensor* zero = constant(request, operand);
  if (zero == nullptr) return false;
  const std::vector<int64_t> values = zero->to_int64s();
  return std::all_of(values.begin(), values.end(), [](int64_t z) { return z == 0; });
}

std::optional<OutputRange> output_range(const KernelRequest& request, size_t scale,
                                        size_t zero_point) {
  const auto given = scale_and_zero(request, scale, zero_point);
  const ir::DType dtype = request.outputs[0].dtype;
  if (!given || !is_byte(dtype)) return std::nullopt;
  const numerics::IntegerRange range = numerics::integer_range(dtype);
  return OutputRange{
      given->scale,
      {given->zero_point, static_cast<int32_t>(range.min), static_cast<int32_t>(range.max)}};
}

Layout integer_layout(std::span<const int64_t> shape) {
  if (shape.size() < 3 || shape.size() > 5) return {};
  return channel_blocked(shape, shape[1]);
}

onednn::Desc integer_desc(std::span<const int64_t> shape, ir::DType dtype, const Layout& layout) {
  using Type = dnnl::memory::data_type;
  const Type type = dtype == ir::DType::kInt8    ? Type::s8
                    : dtype == ir::DType::kUint8 ? Type::u8
                                                 : Type::s32;
  if (layout.channel_block()) return channel_blocked_desc(shape, *layout.channel_block(), type);
  return {onednn::Dims(shape.begin(), shape.end()), type, ops::row_major_strides(shape)};
}

}  // namespace octet::interpreter
