#include "compiler/ops/quant_layout.h"

#include <algorithm>

#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

Status check_block_extent(const ir::Shape& data, const ir::Shape& scale, size_t i,
                          const QuantLayout& layout) {
  if (!data[i].is_static() || !scale[i].is_static()) return {};
  const int64_t extent = data[i].extent();
  const int64_t block = static_cast<int64_t>(i) == layout.axis ? layout.block_size : 1;
  const int64_t wanted = extent / block + (extent % block != 0 ? 1 : 0);
  if (scale[i].extent() == wanted) return {};
  return malformed("input 1: ", scale[i].extent(), " scales on axis ", i, " of extent ", extent,
                   " in blocks of ", block, " [Q4]");
}

Result<std::optional<QuantLayout>> blocked_layout(const ir::Node& node, const ir::Shape& data,
                                                  const ir::Shape& scale, int64_t block_size) {
  if (!data.has_rank()) return std::optional<QuantLayout>();
  if (scale.rank() != data.rank()) {
    return malformed("input 1: rank ", scale.rank(), " for blocks of data of rank ", data.rank());
  }
  QuantLayout layout{ir::Granularity::kBlocked, 0, block_size};
  OCTET_ASSIGN(layout.axis, normalize_axis(ir::int_attribute(node, "axis", 1), data.rank()));
  for (size_t i = 0; i < data.rank(); ++i) OCTET_TRY(check_block_extent(data, scale, i, layout));
  return std::optional<QuantLayout>(layout);
}

}  // namespace

Result<std::optional<QuantLayout>> quant_layout(const ir::Node& node, int64_t opset,
                                                const ir::Shape& data, const ir::Shape& scale) {
  if (!scale.has_rank()) return std::optional<QuantLayout>();
  if (scale.element_count() == 1) return std::optional<QuantLayout>(QuantLayout());
  const int64_t block_size = opset >= 21 ? ir::int_attribute(node, "block_size", 0) : 0;
  if (block_size < 0) return malformed("block_size ", block_size);
  if (block_size > 0) return blocked_layout(node, data, scale, block_size);
  if (scale.rank() != 1) return malformed("input 1: rank ", scale.rank(), ", must be 0 or 1");
  if (opset < 13) {
    if (!scale[0].is_static()) return std::optional<QuantLayout>();
    return malformed("input 1: ", scale[0].extent(), " scales, must be 1 before opset 13 [Q4]");
  }
  if (!data.has_rank()) return std::optional<QuantLayout>();
  QuantLayout layout{ir::Granularity::kPerAxis, 0, 0};
  // A vector has no other axis; the default of 1 is not meant then.
  if (data.rank() != 1) {
    OCTET_ASSIGN(layout.axis, normalize_axis(ir::int_attribute(node, "axis", 1), data.rank()));
  }
  const ir::Dim& extent = data[static_cast<size_t>(layout.axis)];
  if (!scale[0].is_static()) return std::optional<QuantLayout>();  // perhaps one for all
  if (extent.is_static() && extent.extent() != scale[0].extent()) {
    return malformed("input 1: ", scale[0].extent(), " scales for an axis of extent ",
                     extent.extent(), " [Q4]");
  }
  return std::optional<QuantLayout>(layout);
}

Result<std::optional<ir::QuantParams>> constant_quant_params(const InferContext& context,
                                                             size_t scale, size_t zero_point,
                                                             ir::DType storage,
                                                             const QuantLayout& layout,
                                                             const ir::Shape& shape) {
  const ir::Tensor* scales = context.constant(scale);
  const ir::Tensor* zero_points = context.constant(zero_point);
  if (scales == nullptr || (zero_points == nullptr && context.has_input(zero_point)) ||
      !numerics::is_integer(storage) || numerics::bit_width(storage) > 32) {
    return std::optional<ir::QuantParams>();
  }
  if (!numerics::is_floating_point(scales->dtype())) {
    return malformed("input ", scale, ": ", numerics::dtype_name(scales->dtype()), " scales");
  }
  ir::QuantParams::Spec spec;
  spec.storage = storage;
  spec.granularity = layout.granularity;
  spec.axis = layout.axis;
  spec.block_size = layout.block_size;
  spec.scales = scales->to_floats();
  const numerics::IntegerRange range = numerics::integer_range(storage);
  spec.qmin = static_cast<int32_t>(range.min);
  spec.qmax = static_cast<int32_t>(std::min<int64_t>(range.max, INT32_MAX));
  spec.zero_points.assign(spec.scales.size(), 0);
  if (zero_points != nullptr) {
    if (!numerics::is_integer(zero_points->dtype())) {
      return malformed("input ", zero_point, ": ", numerics::dtype_name(zero_points->dtype()),
                       " zero points");
    }
    spec.zero_points.clear();
    for (int64_t z : zero_points->to_int64s()) spec.zero_points.push_back(static_cast<int32_t>(z));
  }
  auto params = ir::QuantParams::make(std::move(spec));
  if (!params.ok()) return params.error().in(cat("input ", scale));
  OCTET_TRY(params->check_against(shape).in(cat("input ", scale)));
  return std::optional<ir::QuantParams>(std::move(params).value());
}

}  // namespace octet::ops
