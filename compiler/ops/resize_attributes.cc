#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "compiler/ops/resize.h"

namespace octet::ops {
namespace {

template <typename Enum, size_t kCount>
Result<Enum> named(const ir::Node& node, std::string_view attribute, std::string_view fallback,
                   const std::array<std::pair<std::string_view, Enum>, kCount>& names) {
  const std::string text = ir::string_attribute(node, attribute, fallback);
  for (const auto& [name, value] : names) {
    if (name == text) return value;
  }
  return malformed("attribute ", attribute, ": not a known one");
}

constexpr std::array<std::pair<std::string_view, ResizeMode>, 4> kModes = {{
    {"nearest", ResizeMode::kNearest},
    {"linear", ResizeMode::kLinear},
    {"bilinear", ResizeMode::kLinear},  // what Upsample 1 called it; still seen in files
    {"cubic", ResizeMode::kCubic},
}};

constexpr std::array<std::pair<std::string_view, CoordinateMode>, 7> kCoordinateModes = {{
    {"half_pixel", CoordinateMode::kHalfPixel},
    {"half_pixel_symmetric", CoordinateMode::kHalfPixelSymmetric},
    {"pytorch_half_pixel", CoordinateMode::kPytorchHalfPixel},
    {"align_corners", CoordinateMode::kAlignCorners},
    {"asymmetric", CoordinateMode::kAsymmetric},
    {"tf_half_pixel_for_nn", CoordinateMode::kTfHalfPixelForNn},
    {"tf_crop_and_resize", CoordinateMode::kTfCropAndResize},
}};

constexpr std::array<std::pair<std::string_view, NearestMode>, 4> kNearestModes = {{
    {"round_prefer_floor", NearestMode::kRoundPreferFloor},
    {"round_prefer_ceil", NearestMode::kRoundPreferCeil},
    {"floor", NearestMode::kFloor},
    {"ceil", NearestMode::kCeil},
}};

constexpr std::array<std::pair<std::string_view, AspectPolicy>, 3> kPolicies = {{
    {"stretch", AspectPolicy::kStretch},
    {"not_larger", AspectPolicy::kNotLarger},
    {"not_smaller", AspectPolicy::kNotSmaller},
}};

// Rounds to the nearest integer without leaving double, so that a float32 just below a tie stays
// below it.
double nearest_index(NearestMode mode, float x, float scale) {
  switch (mode) {
    case NearestMode::kRoundPreferFloor:
      return std::ceil(static_cast<double>(x) - 0.5);
    case NearestMode::kRoundPreferCeil:
      return std::floor(static_cast<double>(x) + 0.5);
    case NearestMode::kFloor:
      return std::floor(static_cast<double>(x));
    case NearestMode::kCeil:
      return std::ceil(static_cast<double>(x));
    case NearestMode::kSimple:
      break;
  }
  return scale < 1.0F ? std::ceil(static_cast<double>(x)) : std::trunc(static_cast<double>(x));
}

}  // namespace

Result<ResizeAttributes> ResizeAttributes::from(const ir::Node& node, int64_t opset) {
  ResizeAttributes out;
  OCTET_ASSIGN(out.mode, named(node, "mode", "nearest", kModes));
  if (node.op_type == "Upsample" || opset < 11) {
    out.coordinates = CoordinateMode::kAsymmetric;
    out.nearest = NearestMode::kSimple;
    return out;
  }
  OCTET_ASSIGN(out.coordinates,
               named(node, "coordinate_transformation_mode", "half_pixel", kCoordinateModes));
  OCTET_ASSIGN(out.nearest, named(node, "nearest_mode", "round_prefer_floor", kNearestModes));
  OCTET_ASSIGN(out.policy, named(node, "keep_aspect_ratio_policy", "stretch", kPolicies));
  out.cubic_coefficient = ir::float_attribute(node, "cubic_coeff_a", -0.75F);
  out.extrapolation_value = ir::float_attribute(node, "extrapolation_value", 0.0F);
  if (ir::int_attribute(node, "exclude_outside", 0) != 0) out.outside = Outside::kExcluded;
  if (ir::int_attribute(node, "antialias", 0) != 0) out.antialias = Antialias::kOn;
  return out;
}

namespace {

float raw_coordinate(const ResizeAttributes& attributes, const ResizeAxis& axis, int64_t x) {
  const auto at = static_cast<float>(x);
  const auto input = static_cast<float>(axis.input);
  const auto output = static_cast<float>(axis.output);
  switch (attributes.coordinates) {
    case CoordinateMode::kHalfPixel:
      return (at + 0.5F) / axis.scale - 0.5F;
    case CoordinateMode::kHalfPixelSymmetric: {
      const float adjustment = output / (axis.scale * input);
      const float offset = input / 2.0F * (1.0F - adjustment);
      return offset + (at + 0.5F) / axis.scale - 0.5F;
    }
    case CoordinateMode::kPytorchHalfPixel:
      return axis.output > 1 ? (at + 0.5F) / axis.scale - 0.5F : 0.0F;
    case CoordinateMode::kAlignCorners:
      return axis.output > 1 ? at * (input - 1.0F) / (output - 1.0F) : 0.0F;
    case CoordinateMode::kAsymmetric:
      return at / axis.scale;
    case CoordinateMode::kTfHalfPixelForNn:
      return (at + 0.5F) / axis.scale;
    case CoordinateMode::kTfCropAndResize:
      break;
  }
  if (axis.output <= 1) return 0.5F * (axis.roi_start + axis.roi_end) * (input - 1.0F);
  return axis.roi_start * (input - 1.0F) +
         at * (axis.roi_end - axis.roi_start) * (input - 1.0F) / (output - 1.0F);
}

}  // namespace

float resize_coordinate(const ResizeAttributes& attributes, const ResizeAxis& axis, int64_t x) {
  const float at = raw_coordinate(attributes, axis, x);
  return std::isnan(at) ? 0.0F : at;  // from scales or regions at the edge of float32's range
}

int64_t resize_nearest(const ResizeAttributes& attributes, const ResizeAxis& axis, int64_t x) {
  const float at = resize_coordinate(attributes, axis, x);
  const double index = nearest_index(attributes.nearest, at, axis.scale);
  if (index <= 0) return 0;
  const auto last = static_cast<double>(axis.input - 1);
  return index >= last ? axis.input - 1 : static_cast<int64_t>(index);
}

Result<int64_t> resized_extent(int64_t input, float scale, float roi_fraction) {
  const float extent = std::floor(scale * roi_fraction * static_cast<float>(input));
  if (!(extent >= 0.0F) || extent > 4e18F) {
    return resource_limit("an extent of ", input, " times ", scale);
  }
  return static_cast<int64_t>(extent);
}

ResizeOperands resize_operands(const ir::Node& node, int64_t opset) {
  if (node.op_type == "Upsample") return {0, opset < 9 ? size_t{0} : size_t{1}, 0};
  if (opset < 11) return {0, 1, 0};
  return {1, 2, 3};
}

}  // namespace octet::ops
