// DeformConv (ai.onnx 19, 22): a convolution whose taps are moved by offsets and weighted by a
// mask. In two spatial axes, like every implementation that is known. onnx/docs/Operators.md,
// DeformConv.
#include <algorithm>
#include <cmath>

#include "compiler/ops/doubles.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/window.h"

namespace octet::ops {
namespace {

constexpr size_t kX = 0;
constexpr size_t kWeight = 1;
constexpr size_t kOffset = 2;
constexpr size_t kBias = 3;
constexpr size_t kMask = 4;

struct DeformAttributes {
  ConvAttributes conv;
  int64_t offset_groups = 1;

  int64_t taps() const { return conv.axes[0].kernel * conv.axes[1].kernel; }
  int64_t outputs() const { return conv.axes[0].output * conv.axes[1].output; }

  static Result<DeformAttributes> from(const EvaluateContext& context) {
    const Tensor& x = context.input(kX);
    const Tensor& w = context.input(kWeight);
    if (x.rank() != 4 || w.rank() != 4) {
      return unsupported("input 0: rank ", x.rank(), "; only two spatial axes can be executed");
    }
    DeformAttributes out;
    OCTET_ASSIGN(out.conv, ConvAttributes::from(context.node, x.shape(), w.shape()));
    out.offset_groups = ir::int_attribute(context.node, "offset_group", 1);
    if (out.offset_groups < 1 || out.conv.in_channels % out.offset_groups != 0) {
      return malformed("attribute offset_group is ", out.offset_groups, " for ",
                       out.conv.in_channels, " channels");
    }
    // Kernel extents are those of a tensor in memory, groups at most its channels.
    const int64_t rows = out.offset_groups * out.taps();
    const int64_t height = out.conv.axes[0].output;
    const int64_t width = out.conv.axes[1].output;
    OCTET_TRY(require_shape(context, kOffset,
                            std::vector<int64_t>{out.conv.batch, 2 * rows, height, width}));
    if (context.has_input(kMask)) {
      OCTET_TRY(
          require_shape(context, kMask, std::vector<int64_t>{out.conv.batch, rows, height, width}));
    }
    if (context.has_input(kBias)) {
      OCTET_TRY(require_shape(context, kBias, std::vector<int64_t>{out.conv.out_channels}));
    }
    return out;
  }
};

// Linear between the four neighbours; elements outside of the plane are 0.
double interpolate(const double* plane, int64_t height, int64_t width, double y, double x) {
  if (!(y > -1 && y < static_cast<double>(height) && x > -1 && x < static_cast<double>(width))) {
    return 0;
  }
  const auto y0 = static_cast<int64_t>(std::floor(y));
  const auto x0 = static_cast<int64_t>(std::floor(x));
  const double ly = y - static_cast<double>(y0);
  const double lx = x - static_cast<double>(x0);
  const auto at = [&](int64_t i, int64_t j) {
    return i < 0 || j < 0 || i >= height || j >= width ? 0.0 : plane[i * width + j];
  };
  return (1 - ly) * ((1 - lx) * at(y0, x0) + lx * at(y0, x0 + 1)) +
         ly * ((1 - lx) * at(y0 + 1, x0) + lx * at(y0 + 1, x0 + 1));
}

// The sampled, masked inputs of one sample: [in_channels, taps, outputs].
void sample_columns(const DeformAttributes& a, const double* x, const double* offset,
                    const double* mask, std::span<double> columns) {
  const WindowAxis& rows = a.conv.axes[0];
  const WindowAxis& cols = a.conv.axes[1];
  const int64_t outputs = a.outputs();
  const int64_t per_group = a.conv.in_channels / a.offset_groups;
  size_t at = 0;
  for (int64_t c = 0; c < a.conv.in_channels; ++c) {
    const double* plane = x + c * rows.input * cols.input;
    for (int64_t tap = 0; tap < a.taps(); ++tap) {
      const int64_t row = c / per_group * a.taps() + tap;
      for (int64_t o = 0; o < outputs; ++o) {
        const int64_t oy = o / cols.output;
        const int64_t ox = o % cols.output;
        const double y = static_cast<double>(oy * rows.stride - rows.pad_begin +
                                             tap / cols.kernel * rows.dilation) +
                         offset[2 * row * outputs + o];
        const double xx = static_cast<double>(ox * cols.stride - cols.pad_begin +
                                              tap % cols.kernel * cols.dilation) +
                          offset[(2 * row + 1) * outputs + o];
        const double weight = mask != nullptr ? mask[row * outputs + o] : 1;
        columns[at++] = weight * interpolate(plane, rows.input, cols.input, y, xx);
      }
    }
  }
}

Result<Tensors> evaluate_deform_conv(const EvaluateContext& context) {
  const Tensor& x = context.input(kX);
  for (size_t i = 1; i < 5; ++i) {
    if (context.has_input(i)) OCTET_TRY(require_dtype(context, i, x.dtype()));
  }
  OCTET_ASSIGN(const auto a, DeformAttributes::from(context));
  OCTET_ASSIGN(auto from, doubles_of(context, kX));
  OCTET_ASSIGN(auto weight, doubles_of(context, kWeight));
  OCTET_ASSIGN(auto offset, doubles_of(context, kOffset));
  OCTET_ASSIGN(auto bias, optional_doubles_of(context, kBias));
  OCTET_ASSIGN(auto mask, optional_doubles_of(context, kMask));
  OCTET_ASSIGN(const int64_t column_count,
               element_product(std::vector<int64_t>{a.conv.in_channels, a.taps(), a.outputs()}));
  OCTET_ASSIGN(auto columns, Scratch<double>::make(context, column_count));
  OCTET_ASSIGN(const int64_t y_count, element_product(a.conv.output_shape()));
  OCTET_ASSIGN(auto y, Scratch<double>::make(context, y_count));
  const int64_t outputs = a.outputs();
  const int64_t in_group = a.conv.in_channels / a.conv.group;
  const int64_t out_group = a.conv.out_channels / a.conv.group;
  const int64_t plane = a.conv.axes[0].input * a.conv.axes[1].input;
  for (int64_t n = 0; n < a.conv.batch && y_count > 0; ++n) {
    const int64_t offset_rows = a.offset_groups * a.taps();
    sample_columns(a, from.span().data() + n * a.conv.in_channels * plane,
                   offset.span().data() + n * 2 * offset_rows * outputs,
                   mask.span().empty() ? nullptr : mask.span().data() + n * offset_rows * outputs,
                   columns.span());
    for (int64_t m = 0; m < a.conv.out_channels; ++m) {
      double* to = y.span().data() + (n * a.conv.out_channels + m) * outputs;
      if (!bias.span().empty()) std::fill_n(to, outputs, bias[static_cast<size_t>(m)]);
      for (int64_t k = 0; k < in_group * a.taps(); ++k) {
        const double w = weight[static_cast<size_t>(m * in_group * a.taps() + k)];
        const double* row =
            columns.span().data() + (m / out_group * in_group * a.taps() + k) * outputs;
        for (int64_t o = 0; o < outputs; ++o) to[o] += w * row[o];
      }
    }
  }
  OCTET_ASSIGN(Tensor out, tensor_of_doubles(context, x.dtype(), a.conv.output_shape(), y.span()));
  return one_tensor(std::move(out));
}

// Spatial extents are those of the offsets.
Result<Facts> infer_deform_conv(const InferContext& context) {
  OCTET_ASSIGN(const DType dtype, common_dtype(context, {kX, kWeight, kOffset, kBias, kMask}));
  const ir::Shape& x = context.shape(kX);
  const ir::Shape& w = context.shape(kWeight);
  const ir::Shape& offset = context.shape(kOffset);
  if (!x.has_rank() || !w.has_rank() || !offset.has_rank()) {
    return one_fact(dtype, ir::Shape());
  }
  OCTET_TRY(require_rank(context, kWeight, x.rank()));
  OCTET_TRY(require_rank(context, kOffset, x.rank()));
  if (x.rank() < 3) return malformed("input 0: rank ", x.rank(), "; at least 3 is needed");
  std::vector<ir::Dim> dims = offset.dims();
  dims[0] = x[0];
  dims[1] = w[0];
  return one_fact(dtype, ir::Shape(std::move(dims)));
}

}  // namespace

OpSchema DeformConv_schema() {
  return {.name = "DeformConv",
          .since = 19,
          .roles = {Role::kData, Role::kParameter, Role::kParameter, Role::kParameter,
                    Role::kParameter},
          .required = 3,
          .max_inputs = 5,
          .infer = infer_deform_conv,
          .evaluate = evaluate_deform_conv};
}

}  // namespace octet::ops
