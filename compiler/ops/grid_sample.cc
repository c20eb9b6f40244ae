// GridSample (opset 16 for pictures, 20 for any number of spatial axes): the input read at
// positions that the grid gives, in [-1, 1] from edge to edge, last axis first.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "compiler/base/checked.h"
#include "compiler/numerics/quantize.h"
#include "compiler/ops/evaluate_helpers.h"
#include "compiler/ops/infer_helpers.h"
#include "compiler/ops/scratch.h"

namespace octet::ops {
namespace {

enum class Interpolation { kNearest, kLinear, kCubic };
enum class Padding { kZeros, kBorder, kReflection };

constexpr size_t kMaxSpatialRank = 8;

struct GridSampleAttributes {
  Interpolation interpolation = Interpolation::kLinear;
  Padding padding = Padding::kZeros;
  bool align_corners = false;

  static Result<GridSampleAttributes> from(const ir::Node& node) {
    GridSampleAttributes out;
    const std::string mode = ir::string_attribute(node, "mode", "linear");
    if (mode == "nearest")
      out.interpolation = Interpolation::kNearest;
    else if (mode == "cubic" || mode == "bicubic")
      out.interpolation = Interpolation::kCubic;
    else if (mode != "linear" && mode != "bilinear")
      return malformed("attribute mode: unknown");
    const std::string padding = ir::string_attribute(node, "padding_mode", "zeros");
    if (padding == "border")
      out.padding = Padding::kBorder;
    else if (padding == "reflection")
      out.padding = Padding::kReflection;
    else if (padding != "zeros")
      return malformed("attribute padding_mode: unknown");
    out.align_corners = ir::int_attribute(node, "align_corners", 0) != 0;
    return out;
  }
};

Status check_ranks(size_t x_rank, size_t grid_rank) {
  if (x_rank < 3 || x_rank > kMaxSpatialRank + 2) {
    return malformed("input 0: rank ", x_rank, ", must be 3 to ", kMaxSpatialRank + 2);
  }
  if (grid_rank != x_rank) {
    return malformed("input 1: rank ", grid_rank, " for a data rank of ", x_rank);
  }
  return {};
}

Result<Facts> infer_grid_sample(const InferContext& context) {
  OCTET_TRY(GridSampleAttributes::from(context.node));
  const ir::Shape& x = context.shape(0);
  const ir::Shape& grid = context.shape(1);
  if (!x.has_rank() || !grid.has_rank()) return one_fact(context.type(0).storage, ir::Shape());
  OCTET_TRY(check_ranks(x.rank(), grid.rank()));
  std::vector<ir::Dim> dims = grid.dims();
  dims.pop_back();
  dims.insert(dims.begin() + 1, x[1]);
  return one_fact(context.type(0).storage, ir::Shape(std::move(dims)));
}

// One spatial axis of the input and the borders that padding works with.
struct Axis {
  int64_t extent = 1;
  double low = -0.5;
  double high = 0.5;

  double reflected(double x) const {
    const double range = high - low;
    if (range <= 0) return low;
    const double distance = x < low ? low - x : x - high;
    const double turns = std::floor(distance / range);
    const double rest = distance - turns * range;
    const bool even = std::fmod(turns, 2.0) == 0.0;
    if (x < low) return even ? low + rest : high - rest;
    return even ? high - rest : low + rest;
  }

  // The element that index `i` reads, or -1 for a zero.
  int64_t element(Padding padding, double i) const {
    if (i >= 0 && i < static_cast<double>(extent)) return static_cast<int64_t>(i);
    if (padding == Padding::kZeros) return -1;
    if (padding == Padding::kReflection) i = std::trunc(reflected(i));
    return static_cast<int64_t>(std::clamp(i, 0.0, static_cast<double>(extent - 1)));
  }
};

struct Taps {
  std::array<int64_t, 4> elements{};  // -1: zero
  std::array<double, 4> weights{};
  size_t count = 0;
};

void set_weights(Interpolation interpolation, double t, Taps& taps) {
  if (interpolation == Interpolation::kNearest) {
    taps.weights = {1, 0, 0, 0};
    taps.count = 1;
  } else if (interpolation == Interpolation::kLinear) {
    taps.weights = {1 - t, t, 0, 0};
    taps.count = 2;
  } else {
    constexpr double kA = -0.75;
    const auto near = [](double d) { return ((kA + 2) * d - (kA + 3)) * d * d + 1; };
    const auto far = [](double d) { return ((kA * d - 5 * kA) * d + 8 * kA) * d - 4 * kA; };
    taps.weights = {far(t + 1), near(t), near(1 - t), far(2 - t)};
    taps.count = 4;
  }
}

Taps taps_at(const GridSampleAttributes& attributes, const Axis& axis, double position) {
  const auto extent = static_cast<double>(axis.extent);
  double x = attributes.align_corners ? (position + 1) / 2 * (extent - 1)
                                      : ((position + 1) * extent - 1) / 2;
  if (attributes.interpolation == Interpolation::kNearest) x = numerics::round_half_even(x);
  if (!std::isfinite(x)) x = axis.low - 4;  // outside, wherever that is
  if (x < axis.low || x > axis.high) {
    // Cubic taps are moved to the border one by one, as PyTorch and ONNX Runtime have it.
    const bool whole = attributes.interpolation != Interpolation::kCubic;
    if (attributes.padding == Padding::kBorder && whole) x = std::clamp(x, 0.0, extent - 1);
    if (attributes.padding == Padding::kReflection) x = axis.reflected(x);
  }
  if (attributes.interpolation == Interpolation::kNearest) x = numerics::round_half_even(x);
  const double base = std::floor(x);
  Taps taps;
  set_weights(attributes.interpolation, x - base, taps);
  const double first = taps.count == 4 ? base - 1 : base;
  for (size_t k = 0; k < taps.count; ++k) {
    taps.elements[k] = axis.element(attributes.padding, first + static_cast<double>(k));
  }
  return taps;
}

// The weighted sum over all combinations of the axes' taps.
template <typename T>
double sample(const T* plane, std::span<const Taps> taps, std::span<const int64_t> strides) {
  std::array<size_t, kMaxSpatialRank> index{};
  double sum = 0;
  for (;;) {
    double weight = 1;
    int64_t at = 0;
    for (size_t a = 0; a < taps.size(); ++a) {
      const int64_t element = taps[a].elements[index[a]];
      if (element < 0) weight = 0;
      weight *= taps[a].weights[index[a]];
      at += std::max<int64_t>(0, element) * strides[a];
    }
    if (weight != 0) sum += weight * static_cast<double>(plane[at]);
    size_t a = taps.size();
    for (;;) {
      if (a == 0) return sum;
      --a;
      if (++index[a] < taps[a].count) break;
      index[a] = 0;
    }
  }
}

// Integers as Cast would give them.
template <typename T>
T element_of(double value, DType dtype) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    return static_cast<T>(numerics::cast_to_integer(value, dtype));
  }
}

Result<Tensors> evaluate_grid_sample(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  const Tensor& grid = context.input(1);
  if (is_half(x.dtype())) return through_float32(context, evaluate_grid_sample);
  OCTET_ASSIGN(const auto attributes, GridSampleAttributes::from(context.node));
  OCTET_TRY(check_ranks(x.rank(), grid.rank()));
  const size_t rank = x.rank() - 2;
  if (grid.shape()[0] != x.shape()[0] || grid.shape().back() != static_cast<int64_t>(rank) ||
      !numerics::is_floating_point(grid.dtype())) {
    return malformed("input 1: ", grid.type().to_string(), " for data of ",
                     x.type().shape.to_string());
  }
  std::vector<int64_t> shape = grid.shape();
  shape.pop_back();
  shape.insert(shape.begin() + 1, x.shape()[1]);
  std::vector<Axis> axes(rank);
  for (size_t a = 0; a < rank; ++a) {
    axes[a].extent = x.shape()[a + 2];
    axes[a].low = attributes.align_corners ? 0 : -0.5;
    axes[a].high = static_cast<double>(axes[a].extent) - (attributes.align_corners ? 1 : 0.5);
  }
  return visit_number(context, x.dtype(), [&](auto zero) -> Result<Tensors> {
    using T = decltype(zero);
    OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), shape));
    if (y.element_count() == 0) return one_tensor(std::move(y));
    if (x.element_count() == 0) return malformed("input 0: no elements to sample");
    const auto all = row_major_strides(x.shape());
    const std::span<const int64_t> strides = std::span(all).subspan(2);
    const int64_t batch = shape[0];
    const int64_t channels = shape[1];
    const int64_t positions = y.element_count() / (batch * channels);
    std::vector<Taps> taps(rank);
    T* out = y.mutable_data<T>().data();
    for (int64_t np = 0; np < batch * positions; ++np) {
      for (size_t a = 0; a < rank; ++a) {
        const int64_t at = (np + 1) * static_cast<int64_t>(rank) - 1 - static_cast<int64_t>(a);
        taps[a] = taps_at(attributes, axes[a], grid.at_as_double(at));
      }
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t plane = np / positions * channels + c;
        const double value = sample(x.data<T>().data() + plane * all[1], taps, strides);
        out[plane * positions + np % positions] = element_of<T>(value, x.dtype());
      }
    }
    return one_tensor(std::move(y));
  });
}

}  // namespace

OpSchema GridSample_schema() {
  return {.name = "GridSample",
          .since = 16,
          .roles = {Role::kData, Role::kParameter},
          .required = 2,
          .max_inputs = 2,
          .infer = infer_grid_sample,
          .evaluate = evaluate_grid_sample};
}

}  // namespace octet::ops
