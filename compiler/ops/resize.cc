// Resize and Upsample. Nearest moves elements of any type; linear and cubic are separable: one pass
// per axis, in double, rounded once.
#include "compiler/ops/resize.h"

#include <algorithm>
#include <cmath>

#include "compiler/numerics/quantize.h"
#include "compiler/ops/scratch.h"
#include "compiler/ops/shape_operands.h"
#include "compiler/ops/strided.h"

namespace octet::ops {
namespace {

// The axes that the node speaks of, in its order: all of them unless it has the attribute axes.
Result<std::vector<int64_t>> resized_axes(const ir::Node& node, size_t rank) {
  if (ir::has_attribute(node, "axes")) {
    return normalize_axes(ir::ints_attribute(node, "axes"), rank);
  }
  std::vector<int64_t> out(rank);
  for (size_t a = 0; a < rank; ++a) out[a] = static_cast<int64_t>(a);
  return out;
}

Status check_scales(const std::vector<float>& scales, size_t axes) {
  if (scales.size() != axes) {
    return malformed("scales: ", scales.size(), " numbers for ", axes, " axes");
  }
  for (float scale : scales) {
    if (!(scale > 0.0F) || std::isinf(scale)) return malformed("scales: ", scale);
  }
  return {};
}

Status check_sizes(const std::vector<MaybeNumber>& sizes, size_t axes) {
  if (sizes.size() != axes) {
    return malformed("sizes: ", sizes.size(), " numbers for ", axes, " axes");
  }
  for (const MaybeNumber& size : sizes) {
    if (size && *size < 0) return malformed("sizes: ", *size);
  }
  return {};
}

// Output extents for `sizes` under a policy that keeps the aspect ratio; `sizes` under kStretch.
void keep_aspect(AspectPolicy policy, const std::vector<int64_t>& inputs,
                 std::vector<int64_t>& sizes, std::vector<float>& scales) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    scales.push_back(static_cast<float>(sizes[i]) / static_cast<float>(inputs[i]));
  }
  if (policy == AspectPolicy::kStretch || scales.empty()) return;
  const float scale = policy == AspectPolicy::kNotLarger
                          ? *std::min_element(scales.begin(), scales.end())
                          : *std::max_element(scales.begin(), scales.end());
  for (size_t i = 0; i < inputs.size(); ++i) {
    scales[i] = scale;
    // Halfway cases go up.
    const double size = static_cast<double>(scale) * static_cast<double>(inputs[i]) + 0.5;
    sizes[i] = static_cast<int64_t>(std::floor(std::min(size, 4e18)));
  }
}

std::vector<float> floats_of(const Tensor& tensor) {
  return tensor.element_count() <= kMaxElements ? tensor.to_floats() : std::vector<float>();
}

Result<Facts> infer_resize(const InferContext& context) {
  const ir::Shape& x = context.shape(0);
  OCTET_ASSIGN(const auto attributes, ResizeAttributes::from(context.node, context.opset()));
  if (!x.has_rank()) return Facts{passed_through(context, x)};
  OCTET_ASSIGN(const auto axes, resized_axes(context.node, x.rank()));
  const ResizeOperands at = resize_operands(context.node, context.opset());
  std::vector<ir::Dim> dims = x.dims();
  const Tensor* constant = at.scales != 0 ? context.constant(at.scales) : nullptr;
  std::vector<float> scales =
      constant != nullptr ? floats_of(*constant) : ir::floats_attribute(context.node, "scales");
  const auto sizes =
      at.sizes != 0 && scales.empty() ? maybe_numbers(context, at.sizes) : std::nullopt;
  const bool sized = sizes && !sizes->empty();
  if (sized) OCTET_TRY(check_sizes(*sizes, axes.size()));
  if (!scales.empty()) OCTET_TRY(check_scales(scales, axes.size()));
  const auto elements = sized ? context.elements(at.sizes) : std::nullopt;
  for (size_t i = 0; i < axes.size(); ++i) {
    ir::Dim& dim = dims[static_cast<size_t>(axes[i])];
    if (sized && attributes.policy == AspectPolicy::kStretch) {
      dim = elements ? (*elements)[i] : ir::Dim();
    } else if (!scales.empty() && attributes.coordinates != CoordinateMode::kTfCropAndResize) {
      if (scales[i] == 1.0F) continue;
      if (dim.is_static()) {
        OCTET_ASSIGN(dim, resized_extent(dim.extent(), scales[i], 1.0F));
      } else {
        dim = ir::Dim();  // of another size than its name says
      }
    } else {
      dim = ir::Dim();
    }
  }
  return Facts{passed_through(context, ir::Shape(std::move(dims)))};
}

bool given(const EvaluateContext& context, size_t operand) {
  return operand != 0 && context.has_input(operand) && context.input(operand).element_count() > 0;
}

Status read_roi(const EvaluateContext& context, size_t operand, const std::vector<int64_t>& axes,
                std::vector<ResizeAxis>& plan) {
  if (!given(context, operand)) return malformed("input ", operand, " is missing");
  const std::vector<float> roi = floats_of(context.input(operand));
  if (roi.size() != 2 * axes.size()) {
    return malformed("roi: ", roi.size(), " numbers for ", axes.size(), " axes");
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    ResizeAxis& axis = plan[static_cast<size_t>(axes[i])];
    axis.roi_start = roi[i];
    axis.roi_end = roi[axes.size() + i];
    if (!std::isfinite(axis.roi_start) || !std::isfinite(axis.roi_end)) {
      return malformed("roi: not finite");
    }
  }
  return {};
}

// One entry per axis of the input.
Result<std::vector<ResizeAxis>> plan_axes(const EvaluateContext& context,
                                          const ResizeAttributes& attributes) {
  const std::vector<int64_t>& x = context.input(0).shape();
  OCTET_ASSIGN(const auto axes, resized_axes(context.node, x.size()));
  const ResizeOperands at = resize_operands(context.node, context.opset);
  std::vector<ResizeAxis> plan(x.size());
  for (size_t a = 0; a < x.size(); ++a) plan[a].input = plan[a].output = x[a];
  if (attributes.coordinates == CoordinateMode::kTfCropAndResize) {
    OCTET_TRY(read_roi(context, at.roi, axes, plan));
  }
  std::vector<float> scales = at.scales == 0 ? ir::floats_attribute(context.node, "scales")
                              : given(context, at.scales) ? floats_of(context.input(at.scales))
                                                          : std::vector<float>();
  std::vector<int64_t> sizes;
  if (given(context, at.sizes)) {
    if (!scales.empty()) return malformed("both scales and sizes are given");
    OCTET_ASSIGN(sizes, numbers_of(context, at.sizes));
    OCTET_TRY(check_sizes({sizes.begin(), sizes.end()}, axes.size()));
    std::vector<int64_t> inputs;
    for (int64_t a : axes) inputs.push_back(x[static_cast<size_t>(a)]);
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i] == 0 && sizes[i] != 0) return malformed("input 0: no elements to resize");
      if (inputs[i] == 0) inputs[i] = sizes[i] = 1;
    }
    keep_aspect(attributes.policy, inputs, sizes, scales);
    for (size_t i = 0; i < axes.size(); ++i) {
      if (x[static_cast<size_t>(axes[i])] == 0) sizes[i] = 0;
    }
  } else {
    OCTET_TRY(check_scales(scales, axes.size()));
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    ResizeAxis& axis = plan[static_cast<size_t>(axes[i])];
    axis.scale = scales[i];
    if (sizes.empty()) {
      OCTET_ASSIGN(axis.output,
                   resized_extent(axis.input, axis.scale, axis.roi_end - axis.roi_start));
    } else {
      axis.output = sizes[i];
    }
  }
  return plan;
}

// Weights of the input elements that output index `x` reads.
struct Taps {
  int64_t first = 0;  // may be outside of the axis
  std::vector<double> weights;
};

// The filter at a distance from its centre; of cubic, Keys's (1981).
double filter_at(const ResizeAttributes& attributes, double distance) {
  const double d = std::abs(distance);
  if (attributes.mode == ResizeMode::kLinear) return std::max(0.0, 1 - d);
  const double a = static_cast<double>(attributes.cubic_coefficient);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

// Where the axis shrinks and antialiasing is on, the filter is stretched by the inverse of the
// scale and its weights are made to sum to 1.
Taps taps_at(const ResizeAttributes& attributes, const ResizeAxis& axis, int64_t x) {
  const auto at = static_cast<double>(resize_coordinate(attributes, axis, x));
  // Everything beyond the edge reads the edge; the bound keeps the conversion defined.
  const double bounded = std::clamp(at, -4.0, static_cast<double>(axis.input) + 3.0);
  const double base = std::floor(bounded);
  const double t = bounded - base;
  const bool stretched = attributes.antialias == ResizeAttributes::Antialias::kOn;
  // No scale in use is smaller than one element for the whole axis.
  const double least = 1.0 / static_cast<double>(axis.input);
  const double scale = stretched ? std::clamp(static_cast<double>(axis.scale), least, 1.0) : 1.0;
  const double support = attributes.mode == ResizeMode::kLinear ? 1 : 2;
  const auto reach = static_cast<int64_t>(std::ceil(support / scale));
  Taps out;
  out.first = static_cast<int64_t>(base) - reach + 1;
  for (int64_t k = 1 - reach; k <= reach; ++k) {
    out.weights.push_back(filter_at(attributes, scale * (static_cast<double>(k) - t)));
  }
  const bool excluded = attributes.outside == ResizeAttributes::Outside::kExcluded;
  if (!excluded && !stretched) return out;
  double sum = 0;
  for (size_t k = 0; k < out.weights.size(); ++k) {
    const int64_t index = out.first + static_cast<int64_t>(k);
    if (excluded && (index < 0 || index >= axis.input)) out.weights[k] = 0;
    sum += out.weights[k];
  }
  for (double& weight : out.weights) weight = sum == 0 ? weight : weight / sum;
  return out;
}

// to[o, j, i] = weighted sum over taps of from[o, tap, i].
void interpolate_axis(const ResizeAttributes& attributes, const ResizeAxis& axis, int64_t outer,
                      int64_t inner, std::span<const double> from, std::span<double> to) {
  for (int64_t j = 0; j < axis.output; ++j) {
    const Taps taps = taps_at(attributes, axis, j);
    for (int64_t o = 0; o < outer; ++o) {
      double* out = to.data() + (o * axis.output + j) * inner;
      for (size_t k = 0; k < taps.weights.size(); ++k) {
        const double weight = taps.weights[k];
        const int64_t index =
            std::clamp<int64_t>(taps.first + static_cast<int64_t>(k), 0, axis.input - 1);
        const double* in = from.data() + (o * axis.input + index) * inner;
        if (weight == 0) continue;
        for (int64_t i = 0; i < inner; ++i) out[i] += weight * in[i];
      }
    }
  }
}

Result<Scratch<double>> interpolate(const EvaluateContext& context,
                                    const ResizeAttributes& attributes,
                                    const std::vector<ResizeAxis>& plan) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(auto current, Scratch<double>::make(context, x.element_count()));
  for (int64_t i = 0; i < x.element_count(); ++i) {
    current[static_cast<size_t>(i)] = x.at_as_double(i);
  }
  for (size_t a = 0; a < plan.size(); ++a) {
    if (plan[a].is_identity()) continue;
    int64_t outer = 1;
    for (size_t b = 0; b < a; ++b) outer *= plan[b].output;
    int64_t inner = 1;
    for (size_t b = a + 1; b < plan.size(); ++b) inner *= plan[b].input;
    const auto count = checked_product(std::vector<int64_t>{outer, plan[a].output, inner});
    if (!count) return resource_limit("an intermediate result is too large");
    OCTET_ASSIGN(auto next, Scratch<double>::make(context, *count));
    interpolate_axis(attributes, plan[a], outer, inner, current.span(), next.span());
    current = std::move(next);
  }
  return current;
}

// Axis by axis, whether an output index reads outside of the input.
std::vector<std::vector<bool>> outside_of(const ResizeAttributes& attributes,
                                          const std::vector<ResizeAxis>& plan) {
  std::vector<std::vector<bool>> out(plan.size());
  for (size_t a = 0; a < plan.size(); ++a) {
    for (int64_t i = 0; i < plan[a].output; ++i) {
      const float at = resize_coordinate(attributes, plan[a], i);
      out[a].push_back(!plan[a].is_identity() &&
                       (at < 0.0F || at > static_cast<float>(plan[a].input - 1)));
    }
  }
  return out;
}

// tf_crop_and_resize gives a fixed value to what it reads outside of the input.
void extrapolate(const ResizeAttributes& attributes, const std::vector<ResizeAxis>& plan,
                 Tensor& y) {
  if (attributes.coordinates != CoordinateMode::kTfCropAndResize) return;
  const auto outside = outside_of(attributes, plan);
  for (int64_t i = 0; i < y.element_count(); ++i) {
    int64_t rest = i;
    bool any = false;
    for (size_t a = plan.size(); a-- > 0;) {
      any = any || outside[a][static_cast<size_t>(rest % plan[a].output)];
      rest /= plan[a].output;
    }
    if (any) y.set_from_double(i, static_cast<double>(attributes.extrapolation_value));
  }
}

Status resize_nearest_elements(const EvaluateContext& context, const ResizeAttributes& attributes,
                               const std::vector<ResizeAxis>& plan, Tensor& y) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const size_t width, element_width(x.dtype()));
  const std::vector<int64_t> strides = row_major_strides(x.shape());
  std::vector<std::vector<int64_t>> maps(plan.size());
  ChargedBytes charged(context.budget);
  for (const ResizeAxis& axis : plan) {
    OCTET_TRY(charged.charge(axis.output * static_cast<int64_t>(sizeof(int64_t))));
  }
  for (size_t a = 0; a < plan.size(); ++a) {
    for (int64_t i = 0; i < plan[a].output; ++i) {
      const int64_t from = plan[a].is_identity() ? i : resize_nearest(attributes, plan[a], i);
      maps[a].push_back(from * strides[a]);
    }
  }
  copy_mapped(maps, width, x.bytes().data(), writable_bytes(y));
  return {};
}

Result<Tensors> evaluate_resize(const EvaluateContext& context) {
  const Tensor& x = context.input(0);
  OCTET_ASSIGN(const auto attributes, ResizeAttributes::from(context.node, context.opset));
  OCTET_ASSIGN(const auto plan, plan_axes(context, attributes));
  std::vector<int64_t> shape;
  for (const ResizeAxis& axis : plan) shape.push_back(axis.output);
  OCTET_ASSIGN(Tensor y, context.allocate(x.dtype(), shape));
  if (y.element_count() == 0) return one_tensor(std::move(y));
  if (x.element_count() == 0) return malformed("input 0: no elements to resize");
  if (attributes.mode == ResizeMode::kNearest) {
    OCTET_TRY(resize_nearest_elements(context, attributes, plan, y));
  } else {
    if (!numerics::is_floating_point(x.dtype()) && !numerics::is_integer(x.dtype())) {
      return unsupported_dtype(context, x.dtype());
    }
    OCTET_ASSIGN(auto values, interpolate(context, attributes, plan));
    for (int64_t i = 0; i < y.element_count(); ++i) {
      y.set_from_double(i, values[static_cast<size_t>(i)]);
    }
  }
  extrapolate(attributes, plan, y);
  return one_tensor(std::move(y));
}

}  // namespace

// Before opset 11 the operands are X and scales; since, X, roi, scales and sizes.
OpSchema Resize_schema() {
  return {.name = "Resize",
          .since = 10,
          .roles = {Role::kData, Role::kShape},
          .max_inputs = 4,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_resize,
          .evaluate = evaluate_resize};
}

OpSchema Upsample_schema() {
  return {.name = "Upsample",
          .since = 7,
          .until = 9,
          .roles = {Role::kData, Role::kShape},
          .max_inputs = 2,
          .behaviour = QuantBehaviour::kPassesThrough,
          .infer = infer_resize,
          .evaluate = evaluate_resize};
}

}  // namespace octet::ops
