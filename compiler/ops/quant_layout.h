// Which scale belongs to which element: the granularities of QuantizeLinear and DequantizeLinear
// (per tensor; along an axis since version 13; in blocks along an axis since version 21).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/ops/schema.h"

namespace octet::ops {

struct QuantLayout {
  ir::Granularity granularity = ir::Granularity::kPerTensor;
  int64_t axis = 0;        // per-axis and blocked
  int64_t block_size = 0;  // blocked
};

// From the node's attributes and the shapes of data and scale; nothing where an unknown shape
// leaves it open. One scale is per tensor whatever its rank. kMalformed with the numbers when they
// do not fit ("input 1: 63 scales for an axis of extent 64 [Q4]").
Result<std::optional<QuantLayout>> quant_layout(const ir::Node& node, int64_t opset,
                                                const ir::Shape& data, const ir::Shape& scale);

// Quantization parameters of integers of type `storage` from operands that are constant; nothing
// when they are not, or when `storage` is no integer type. A zero point that is absent is 0.
// kMalformed when they break a rule of QuantParams.
Result<std::optional<ir::QuantParams>> constant_quant_params(const InferContext& context,
                                                             size_t scale, size_t zero_point,
                                                             ir::DType storage,
                                                             const QuantLayout& layout,
                                                             const ir::Shape& shape);

// Calls visit(first element, count, index of the first scale, step of the scale index) for runs of
// elements that cover the shape in row-major order; the step is 0 or 1. `scale_shape` and the
// layout are those of quant_layout.
template <typename Visit>
void for_each_scale_run(const QuantLayout& layout, const std::vector<int64_t>& shape,
                        Visit&& visit) {
  int64_t total = 1;
  for (int64_t extent : shape) total *= extent;
  if (total == 0) return;
  if (layout.granularity == ir::Granularity::kPerTensor) {
    visit(int64_t{0}, total, int64_t{0}, int64_t{0});
    return;
  }
  const auto axis = static_cast<size_t>(layout.axis);
  const int64_t count = shape[axis];
  int64_t inner = 1;
  for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  const bool blocked = layout.granularity == ir::Granularity::kBlocked;
  const int64_t block = blocked ? std::min(layout.block_size, count) : 1;
  const int64_t blocks = (count + block - 1) / block;
  for (int64_t start = 0; start < total; start += count * inner) {
    const int64_t scales = blocked ? start / (count * inner) * blocks : 0;
    if (inner == 1 && !blocked) {
      visit(start, count, int64_t{0}, int64_t{1});
      continue;
    }
    for (int64_t a = 0; a < count; a += inner == 1 ? block : 1) {
      const int64_t at = start + a * inner;
      if (!blocked) {
        visit(at, inner, a, int64_t{0});
      } else if (inner == 1) {
        visit(at, std::min(block, count - a), scales + a / block, int64_t{0});
      } else {
        visit(at, inner, (scales + a / block) * inner, int64_t{1});
      }
    }
  }
}

}  // namespace octet::ops
