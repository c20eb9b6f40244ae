// QLinearSoftmax of com.microsoft. As ONNX Runtime computes it: exponentials from a table of
// float32 by distance from the greatest element of the row, added in float32, and round_half_even(e
// * floor(1 / y_scale) / sum) + y_zero, saturated. (For int8, ONNX Runtime wraps around where this
// saturates.)
//
// Before version 13 of the standard, which attribute `opset` names, all axes from `axis` (default
// 1) on are one row; since then rows run along `axis` (default -1) alone.
#include <array>
#include <cmath>
#include <limits>

#include "compiler/numerics/quantize.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/integer_operands.h"

namespace octet::ops {
namespace {

enum Operand : size_t { kX = 0, kXScale, kXZero, kYScale, kYZero };

constexpr int64_t kAlongOneAxis = 13;

Result<int64_t> axis_of(const ir::Node& node, size_t rank) {
  const bool one_axis = ir::int_attribute(node, "opset", kAlongOneAxis) >= kAlongOneAxis;
  return normalize_axis(ir::int_attribute(node, "axis", one_axis ? -1 : 1), rank);
}

Result<Facts> infer(const InferContext& context) {
  const ir::Shape& x = context.shape(kX);
  if (x.has_rank()) OCTET_TRY(axis_of(context.node, x.rank()));
  OCTET_ASSIGN(ir::ValueFacts out, quantized_output(context, x, kYScale, kYZero, kX));
  return Facts{std::move(out)};
}

// exp(scale * (i - 255)) by i, times a power of e that keeps the sum of a row within float32.
std::array<float, 256> exponentials(float scale, int64_t row) {
  const float most = std::numeric_limits<float>::max() / static_cast<float>(row);
  const double reserve = 5.0;
  const double shift =
      std::max(0.0, std::log(static_cast<double>(most)) - reserve) / static_cast<double>(scale);
  std::array<float, 256> out;
  for (int32_t i = 0; i < 256; ++i) {
    out[static_cast<size_t>(i)] =
        static_cast<float>(std::exp((i - 255 + shift) * static_cast<double>(scale)));
  }
  return out;
}

// The tensor as [outer, count, inner]; rows run over `count`.
struct View {
  int64_t outer = 1;
  int64_t count = 1;
  int64_t inner = 1;
};

View view_of(const ir::Node& node, const std::vector<int64_t>& shape, size_t axis) {
  const bool one_axis = ir::int_attribute(node, "opset", kAlongOneAxis) >= kAlongOneAxis;
  View view;
  for (size_t a = 0; a < shape.size(); ++a) {
    (a < axis ? view.outer : a == axis || !one_axis ? view.count : view.inner) *= shape[a];
  }
  return view;
}

struct Row {
  int64_t first;
  int64_t count;
  int64_t step;
};

void softmax(const QuantizedOperand& x, const std::array<float, 256>& table, const Row& row,
             const OutputQuantization& y, uint8_t* to) {
  const auto at = [&](int64_t i) { return row.first + i * row.step; };
  int32_t top = x[at(0)];
  for (int64_t i = 1; i < row.count; ++i) top = std::max(top, x[at(i)]);
  const auto exponential = [&](int64_t i) {
    return table[static_cast<size_t>(255 - top + x[at(i)])];
  };
  float sum = 0.0F;
  for (int64_t i = 0; i < row.count; ++i) sum += exponential(i);
  const float steps = std::floor(1.0F / y.scale);
  for (int64_t i = 0; i < row.count; ++i) {
    const float share = sum == 0.0F ? 0.0F : exponential(i) * steps / sum;
    to[at(i)] = static_cast<uint8_t>(
        numerics::quantize(share, 1.0F, y.range.zero_point, y.range.qmin, y.range.qmax));
  }
}

Result<Tensors> evaluate(const EvaluateContext& context) {
  OCTET_ASSIGN(const QuantizedOperand x, quantized_operand(context, kX, kXScale, kXZero));
  OCTET_ASSIGN(const OutputQuantization y, output_quantization(context, kYScale, kYZero, x.dtype));
  const std::vector<int64_t>& shape = context.input(kX).shape();
  OCTET_ASSIGN(const int64_t axis, axis_of(context.node, shape.size()));
  OCTET_ASSIGN(Tensor out, context.allocate(y.dtype, shape));
  if (out.element_count() == 0) return one_tensor(std::move(out));
  const View view = view_of(context.node, shape, static_cast<size_t>(axis));
  const auto table = exponentials(x.scale, view.count);
  uint8_t* to = out.mutable_data<uint8_t>().data();
  for (int64_t o = 0; o < view.outer; ++o) {
    for (int64_t i = 0; i < view.inner; ++i) {
      softmax(x, table, {o * view.count * view.inner + i, view.count, view.inner}, y, to);
    }
  }
  return one_tensor(std::move(out));
}

}  // namespace

OpSchema QLinearSoftmax_schema() {
  return {.name = "QLinearSoftmax",
          .domain = "com.microsoft",
          .roles = {Role::kData, Role::kParameter},
          .required = 2,
          .max_inputs = 5,
          .infer = infer,
          .evaluate = evaluate};
}

}  // namespace octet::ops
