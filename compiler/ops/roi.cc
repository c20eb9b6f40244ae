// RoiAlign (ai.onnx 10, 16, 22) and MaxRoiPool (1, 22): regions of a feature map as planes of one
// size. onnx/docs/Operators.md, by these names.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "compiler/ops/doubles.h"
#include "compiler/ops/index_operand.h"
#include "compiler/ops/infer_helpers.h"

namespace octet::ops {
namespace {

// Sampling points in one bin beyond which a region is refused: larger than any feature map.
constexpr double kMaxSamples = 1 << 16;

struct PooledSize {
  int64_t height = 1;
  int64_t width = 1;
};

Status check_pooled(const PooledSize& size) {
  constexpr int64_t kMax = int64_t{1} << 30;
  if (size.height >= 1 && size.width >= 1 && size.height <= kMax && size.width <= kMax) return {};
  return malformed("a pooled size of ", size.height, " by ", size.width);
}

Result<PooledSize> roi_align_size(const ir::Node& node) {
  const PooledSize out = {ir::int_attribute(node, "output_height", 1),
                          ir::int_attribute(node, "output_width", 1)};
  OCTET_TRY(check_pooled(out));
  return out;
}

enum class PoolMode { kAverage, kMax };

// One sample: weights of the four neighbours, all 0 outside of the map.
struct Sample {
  std::array<int64_t, 4> at{};
  std::array<double, 4> weight{};
};

Sample sample_at(double y, double x, int64_t height, int64_t width) {
  Sample out;
  // Also false for NaN.
  if (!(y >= -1 && y <= static_cast<double>(height) && x >= -1 &&
        x <= static_cast<double>(width))) {
    return out;
  }
  const auto along = [](double& v, int64_t extent, int64_t& low, int64_t& high) {
    v = std::max(v, 0.0);
    low = static_cast<int64_t>(std::floor(v));
    high = low + 1;
    if (low >= extent - 1) {
      low = high = extent - 1;
      v = static_cast<double>(low);
    }
  };
  int64_t y0 = 0, y1 = 0, x0 = 0, x1 = 0;
  along(y, height, y0, y1);
  along(x, width, x0, x1);
  const double ly = y - static_cast<double>(y0);
  const double lx = x - static_cast<double>(x0);
  out.at = {y0 * width + x0, y0 * width + x1, y1 * width + x0, y1 * width + x1};
  out.weight = {(1 - ly) * (1 - lx), (1 - ly) * lx, ly * (1 - lx), ly * lx};
  return out;
}

// One region in the coordinates of the map.
struct Region {
  double y = 0, x = 0;             // start
  double bin_h = 0, bin_w = 0;     // of one output element
  int64_t grid_h = 0, grid_w = 0;  // samples per bin
};

struct AlignAttributes {
  PooledSize size;
  PoolMode mode = PoolMode::kAverage;
  int64_t sampling = 0;
  double scale = 1;
  bool half_pixel = true;

  static Result<AlignAttributes> from(const ir::Node& node, int64_t opset) {
    AlignAttributes out;
    OCTET_ASSIGN(out.size, roi_align_size(node));
    const std::string mode = ir::string_attribute(node, "mode", "avg");
    if (mode != "avg" && mode != "max") return malformed("attribute mode: not one of avg, max");
    if (mode == "max") out.mode = PoolMode::kMax;
    out.sampling = ir::int_attribute(node, "sampling_ratio", 0);
    if (out.sampling < 0) return malformed("attribute sampling_ratio is ", out.sampling);
    out.scale = ir::float_attribute(node, "spatial_scale", 1.0F);
    const std::string shift = ir::string_attribute(node, "coordinate_transformation_mode",
                                                   opset < 16 ? "output_half_pixel" : "half_pixel");
    if (shift != "half_pixel" && shift != "output_half_pixel") {
      return malformed(
          "attribute coordinate_transformation_mode: not one of half_pixel, "
          "output_half_pixel");
    }
    out.half_pixel = shift == "half_pixel";
    return out;
  }

  Result<Region> region(const double* roi) const {
    const double shift = half_pixel ? 0.5 : 0.0;
    double width = (roi[2] - roi[0]) * scale;
    double height = (roi[3] - roi[1]) * scale;
    if (!half_pixel) {
      width = std::max(width, 1.0);
      height = std::max(height, 1.0);
    }
    Region out;
    out.x = roi[0] * scale - shift;
    out.y = roi[1] * scale - shift;
    out.bin_h = height / static_cast<double>(size.height);
    out.bin_w = width / static_cast<double>(size.width);
    const double rows = sampling > 0 ? static_cast<double>(sampling) : std::ceil(out.bin_h);
    const double columns = sampling > 0 ? static_cast<double>(sampling) : std::ceil(out.bin_w);
    if (!(std::max(rows, 0.0) * std::max(columns, 0.0) <= kMaxSamples && rows <= kMaxSamples &&
          columns <= kMaxSamples)) {
      return resource_limit("a region of ", height, " by ", width, " takes too many samples");
    }
    out.grid_h = static_cast<int64_t>(std::max(0.0, rows));
    out.grid_w = static_cast<int64_t>(std::max(0.0, columns));
    return out;
  }
};

// The value of one bin. Of 'max', the text's reference takes the greatest weighted neighbour.
double pooled(const AlignAttributes& attributes, const Region& region, const double* plane,
              int64_t height, int64_t width, int64_t ph, int64_t pw) {
  double sum = 0;
  double best = -std::numeric_limits<double>::infinity();
  for (int64_t iy = 0; iy < region.grid_h; ++iy) {
    for (int64_t ix = 0; ix < region.grid_w; ++ix) {
      const double y =
          region.y + static_cast<double>(ph) * region.bin_h +
          (static_cast<double>(iy) + 0.5) * region.bin_h / static_cast<double>(region.grid_h);
      const double x =
          region.x + static_cast<double>(pw) * region.bin_w +
          (static_cast<double>(ix) + 0.5) * region.bin_w / static_cast<double>(region.grid_w);
      const Sample sample = sample_at(y, x, height, width);
      for (size_t k = 0; k < 4; ++k) {
        const double value = sample.weight[k] * plane[sample.at[k]];
        sum += value;
        best = std::max(best, value);
      }
    }
  }
  const int64_t count = region.grid_h * region.grid_w;
  if (count == 0) return 0;
  return attributes.mode == PoolMode::kMax ? best : sum / static_cast<double>(count);
}

Result<Tensors> evaluate_roi_align(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_TRY(require_rank(context, 0, 4));
  OCTET_TRY(require_dtype(context, 1, x.dtype()));
  OCTET_TRY(require_shape(context, 1, std::vector<int64_t>{-1, 4}));
  const int64_t count = context.input(1).shape()[0];
  OCTET_TRY(require_shape(context, 2, std::vector<int64_t>{count}));
  OCTET_ASSIGN(const auto attributes, AlignAttributes::from(context.node, context.opset));
  OCTET_ASSIGN(const IndexReader batches, IndexReader::make(context, 2));
  OCTET_ASSIGN(auto from, doubles_of(context, 0));
  OCTET_ASSIGN(auto rois, doubles_of(context, 1));
  const int64_t channels = x.shape()[1];
  const int64_t height = x.shape()[2];
  const int64_t width = x.shape()[3];
  const std::vector<int64_t> shape = {count, channels, attributes.size.height,
                                      attributes.size.width};
  OCTET_ASSIGN(const int64_t y_count, element_product(shape));
  OCTET_ASSIGN(auto y, Scratch<double>::make(context, y_count));
  if (y_count > 0 && x.element_count() == 0) return malformed("input 0: no elements");
  size_t at = 0;
  for (int64_t r = 0; r < count; ++r) {
    OCTET_ASSIGN(const int64_t batch, batches.at(r, x.shape()[0]));
    OCTET_ASSIGN(const Region region, attributes.region(rois.span().data() + r * 4));
    for (int64_t c = 0; c < channels; ++c) {
      const double* plane = from.span().data() + (batch * channels + c) * height * width;
      for (int64_t ph = 0; ph < attributes.size.height; ++ph) {
        for (int64_t pw = 0; pw < attributes.size.width; ++pw) {
          y[at++] = pooled(attributes, region, plane, height, width, ph, pw);
        }
      }
    }
  }
  OCTET_ASSIGN(Tensor out, tensor_of_doubles(context, x.dtype(), shape, y.span()));
  return one_tensor(std::move(out));
}

Facts pooled_facts(const InferContext& context, const PooledSize& size) {
  const ir::Shape& x = context.shape(0);
  const ir::Shape& rois = context.shape(1);
  return one_fact(context.type(0).storage,
                  ir::Shape({rois.has_rank() ? rois[0] : ir::Dim(), x.has_rank() ? x[1] : ir::Dim(),
                             size.height, size.width}));
}

Result<Facts> infer_roi_align(const InferContext& context) {
  OCTET_TRY(common_dtype(context, {0, 1}));
  OCTET_TRY(require_rank(context, 0, 4));
  OCTET_TRY(require_rank(context, 1, 2));
  OCTET_TRY(require_rank(context, 2, 1));
  OCTET_ASSIGN(const PooledSize size, roi_align_size(context.node));
  return pooled_facts(context, size);
}

// MaxRoiPool.

Result<PooledSize> max_roi_size(const ir::Node& node) {
  const auto shape = ir::ints_attribute(node, "pooled_shape");
  if (shape.size() != 2) return malformed("attribute pooled_shape: must be two numbers");
  const PooledSize out = {shape[0], shape[1]};
  OCTET_TRY(check_pooled(out));
  return out;
}

// First and last element, rounded and cut to the map, of bin `i` of `bins` over [start, end].
struct Span {
  int64_t first = 0;
  int64_t last = 0;  // not included
};

Span bin_span(double start, double end, int64_t bins, int64_t i, int64_t extent) {
  // Half away from zero, as the first implementation (Caffe's) had it.
  const double first = std::floor(std::abs(start) + 0.5) * (start < 0 ? -1 : 1);
  const double last = std::floor(std::abs(end) + 0.5) * (end < 0 ? -1 : 1);
  const double size = std::max(last - first + 1, 1.0) / static_cast<double>(bins);
  const auto cut = [&](double v) {
    if (!(v > 0)) return int64_t{0};
    return v >= static_cast<double>(extent) ? extent : static_cast<int64_t>(v);
  };
  return {cut(std::floor(static_cast<double>(i) * size) + first),
          cut(std::ceil(static_cast<double>(i + 1) * size) + first)};
}

Result<Tensors> evaluate_max_roi_pool(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_TRY(require_rank(context, 0, 4));
  OCTET_TRY(require_dtype(context, 1, x.dtype()));
  OCTET_TRY(require_shape(context, 1, std::vector<int64_t>{-1, 5}));
  OCTET_ASSIGN(const PooledSize size, max_roi_size(context.node));
  const double scale = ir::float_attribute(context.node, "spatial_scale", 1.0F);
  OCTET_ASSIGN(auto from, doubles_of(context, 0));
  OCTET_ASSIGN(auto rois, doubles_of(context, 1));
  const int64_t count = context.input(1).shape()[0];
  const int64_t channels = x.shape()[1];
  const int64_t height = x.shape()[2];
  const int64_t width = x.shape()[3];
  const std::vector<int64_t> shape = {count, channels, size.height, size.width};
  OCTET_ASSIGN(const int64_t y_count, element_product(shape));
  OCTET_ASSIGN(auto y, Scratch<double>::make(context, y_count));
  size_t at = 0;
  for (int64_t r = 0; r < count; ++r) {
    const double* roi = rois.span().data() + r * 5;
    for (int i = 0; i < 5; ++i) {
      if (!std::isfinite(roi[i])) return malformed("input 1: region ", r, " is not finite");
    }
    if (!(roi[0] >= 0 && roi[0] < static_cast<double>(x.shape()[0]))) {
      return malformed("input 1: region ", r, " is of sample ", roi[0], " of ", x.shape()[0]);
    }
    const auto batch = static_cast<int64_t>(std::floor(roi[0]));
    for (int64_t c = 0; c < channels; ++c) {
      const double* plane = from.span().data() + (batch * channels + c) * height * width;
      for (int64_t ph = 0; ph < size.height; ++ph) {
        const Span rows = bin_span(roi[2] * scale, roi[4] * scale, size.height, ph, height);
        for (int64_t pw = 0; pw < size.width; ++pw) {
          const Span columns = bin_span(roi[1] * scale, roi[3] * scale, size.width, pw, width);
          double best = -std::numeric_limits<double>::infinity();
          for (int64_t i = rows.first; i < rows.last; ++i) {
            for (int64_t j = columns.first; j < columns.last; ++j) {
              best = std::max(best, plane[i * width + j]);
            }
          }
          const bool empty = rows.first >= rows.last || columns.first >= columns.last;
          y[at++] = empty ? 0 : best;
        }
      }
    }
  }
  OCTET_ASSIGN(Tensor out, tensor_of_doubles(context, x.dtype(), shape, y.span()));
  return one_tensor(std::move(out));
}

Result<Facts> infer_max_roi_pool(const InferContext& context) {
  OCTET_TRY(common_dtype(context, {0, 1}));
  OCTET_TRY(require_rank(context, 0, 4));
  OCTET_TRY(require_rank(context, 1, 2));
  OCTET_ASSIGN(const PooledSize size, max_roi_size(context.node));
  return pooled_facts(context, size);
}

}  // namespace

OpSchema RoiAlign_schema() {
  return {.name = "RoiAlign",
          .since = 10,
          .roles = {Role::kData, Role::kParameter, Role::kIndex},
          .required = 3,
          .max_inputs = 3,
          .infer = infer_roi_align,
          .evaluate = evaluate_roi_align};
}

OpSchema MaxRoiPool_schema() {
  return {.name = "MaxRoiPool",
          .roles = {Role::kData, Role::kParameter},
          .required = 2,
          .max_inputs = 2,
          .infer = infer_max_roi_pool,
          .evaluate = evaluate_max_roi_pool};
}

}  // namespace octet::ops
