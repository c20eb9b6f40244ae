// Resize and Upsample of float32 images along their two spatial axes, nearest or linear, in the
// layout of their operand.
#include "compiler/ops/resize.h"

#include <algorithm>
#include <cmath>

#include "compiler/interpreter/kernel.h"
#include "compiler/interpreter/kernels/vector_math.h"

namespace octet::interpreter {
namespace {

using ops::ResizeAttributes;
using ops::ResizeAxis;

// What an output index reads: two input indices, and the weight of the second.
struct Tap {
  int64_t first = 0;
  int64_t second = 0;
  float weight = 0.0F;
};

struct Images {
  int64_t count = 1;  // batch and blocks of channels
  int64_t block = 1;  // channels at each position
  std::vector<Tap> rows;
  std::vector<Tap> columns;
  int64_t in_rows = 1;
  int64_t in_columns = 1;
};

OCTET_VECTORIZED void blend_rows(const float* a, const float* b, float weight, float* y,
                                 int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) y[i] = a[i] * (1.0F - weight) + b[i] * weight;
}

OCTET_VECTORIZED void blend_columns(const float* row, const Tap* taps, int64_t columns,
                                    int64_t block, float* y) {
  for (int64_t c = 0; c < columns; ++c, y += block) {
    const float* a = row + taps[c].first * block;
    const float* b = row + taps[c].second * block;
    const float weight = taps[c].weight;
#pragma omp simd
    for (int64_t l = 0; l < block; ++l) y[l] = a[l] * (1.0F - weight) + b[l] * weight;
  }
}

void blend_single_columns(const float* row, const Tap* taps, int64_t columns, float* y) {
  for (int64_t c = 0; c < columns; ++c) {
    y[c] = row[taps[c].first] * (1.0F - taps[c].weight) + row[taps[c].second] * taps[c].weight;
  }
}

class LinearResizeKernel : public Kernel {
 public:
  explicit LinearResizeKernel(Images images) : images_(std::move(images)) {
    scratch_bytes = images_.in_columns * images_.block * static_cast<int64_t>(sizeof(float));
  }
  Status execute(const Execution& e) const override {
    const Images& m = images_;
    const float* x = e.input<float>(0);
    float* y = e.output<float>();
    auto* row = reinterpret_cast<float*>(e.scratch);
    const int64_t in_row = m.in_columns * m.block;
    const auto columns = static_cast<int64_t>(m.columns.size());
    for (int64_t n = 0; n < m.count; ++n, x += m.in_rows * in_row) {
      for (const Tap& tap : m.rows) {
        blend_rows(x + tap.first * in_row, x + tap.second * in_row, tap.weight, row, in_row);
        if (m.block == 1) {
          blend_single_columns(row, m.columns.data(), columns, y);
        } else {
          blend_columns(row, m.columns.data(), columns, m.block, y);
        }
        y += columns * m.block;
      }
    }
    return {};
  }

 private:
  Images images_;
};

class NearestResizeKernel : public Kernel {
 public:
  explicit NearestResizeKernel(Images images) : images_(std::move(images)) {}
  Status execute(const Execution& e) const override {
    const Images& m = images_;
    const float* x = e.input<float>(0);
    float* y = e.output<float>();
    for (int64_t n = 0; n < m.count; ++n, x += m.in_rows * m.in_columns * m.block) {
      for (const Tap& row : m.rows) {
        const float* from = x + row.first * m.in_columns * m.block;
        for (const Tap& column : m.columns) {
          std::copy_n(from + column.first * m.block, m.block, y);
          y += m.block;
        }
      }
    }
    return {};
  }

 private:
  Images images_;
};

// Scales along all axes, from constants; empty when they are not.
std::vector<float> scales_of(const KernelRequest& request) {
  const std::vector<int64_t>& x = request.input(0).shape;
  const std::vector<int64_t>& y = request.outputs[0].shape;
  const ops::ResizeOperands at = ops::resize_operands(request.node, request.opset);
  const auto constant = [&](size_t i) -> const ir::Tensor* {
    return i != 0 && request.has_input(i) ? request.input(i).constant.get() : nullptr;
  };
  const ir::Tensor* scales = constant(at.scales);
  if (scales != nullptr && scales->element_count() > 0) return scales->to_floats();
  if (at.scales == 0) return ir::floats_attribute(request.node, "scales");
  const ir::Tensor* sizes = constant(at.sizes);
  std::vector<float> out;
  if (sizes == nullptr || sizes->element_count() == 0) return out;
  for (size_t i = 0; i < x.size(); ++i) {
    out.push_back(static_cast<float>(y[i]) / static_cast<float>(x[i]));
  }
  return out;
}

std::vector<Tap> taps_of(const ResizeAttributes& attributes, const ResizeAxis& axis) {
  std::vector<Tap> out;
  for (int64_t i = 0; i < axis.output; ++i) {
    if (axis.is_identity()) {
      out.push_back({i, i, 0.0F});
    } else if (attributes.mode == ops::ResizeMode::kNearest) {
      const int64_t from = ops::resize_nearest(attributes, axis, i);
      out.push_back({from, from, 0.0F});
    } else {
      const float last = static_cast<float>(axis.input - 1);
      const float at = std::clamp(ops::resize_coordinate(attributes, axis, i), 0.0F, last);
      const float base = std::floor(at);
      const auto first = static_cast<int64_t>(base);
      out.push_back({first, std::min(first + 1, axis.input - 1), at - base});
    }
  }
  return out;
}

bool fits(const KernelRequest& request, const ResizeAttributes& attributes) {
  const bool plain_mode = attributes.mode != ops::ResizeMode::kCubic &&
                          attributes.outside != ResizeAttributes::Outside::kExcluded &&
                          attributes.antialias != ResizeAttributes::Antialias::kOn &&
                          attributes.policy == ops::AspectPolicy::kStretch &&
                          attributes.coordinates != ops::CoordinateMode::kTfCropAndResize;
  const std::vector<int64_t>& x = request.input(0).shape;
  const std::vector<int64_t>& y = request.outputs[0].shape;
  constexpr int64_t kMostTaps = 1 << 16;  // along an axis: they are not charged
  return plain_mode && request.input(0).is_float() && x.size() == 4 && y.size() == 4 &&
         y[2] <= kMostTaps && y[3] <= kMostTaps && x[0] == y[0] && x[1] == y[1] &&
         !ir::has_attribute(request.node, "axes");
}

}  // namespace

Result<KernelPtr> make_resize(const KernelRequest& request) {
  OCTET_ASSIGN(const auto attributes, ResizeAttributes::from(request.node, request.opset));
  if (!fits(request, attributes)) return KernelPtr();
  const std::vector<float> scales = scales_of(request);
  if (scales.size() != 4 || scales[0] != 1.0F || scales[1] != 1.0F) return KernelPtr();
  const std::vector<int64_t>& x = request.input(0).shape;
  const std::vector<int64_t>& y = request.outputs[0].shape;
  const auto axis = [&](size_t i) {
    ResizeAxis out;
    out.input = x[i];
    out.output = y[i];
    out.scale = scales[i];
    return out;
  };
  Images images;
  const auto block = request.input(0).layout.channel_block();
  images.block = block.value_or(1);
  images.count = x[0] * ((x[1] + images.block - 1) / images.block);
  images.rows = taps_of(attributes, axis(2));
  images.columns = taps_of(attributes, axis(3));
  images.in_rows = x[2];
  images.in_columns = x[3];
  KernelPtr kernel;
  if (attributes.mode == ops::ResizeMode::kNearest) {
    kernel = std::make_unique<NearestResizeKernel>(std::move(images));
  } else {
    kernel = std::make_unique<LinearResizeKernel>(std::move(images));
  }
  const Layout layout = block ? request.input(0).layout : Layout();
  kernel->needs.assign(request.inputs.size(), InputNeed::nothing());
  kernel->needs[0] = InputNeed::in(layout);
  kernel->output_layouts = {block ? channel_blocked(y, *block) : Layout()};
  return kernel;
}

}  // namespace octet::interpreter
