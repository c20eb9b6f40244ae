// What Resize and Upsample ask for, in one form for all versions of the operator set (Upsample 7
// and 9, Resize 10, 11, 13, 18, 19).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"

namespace octet::ops {

enum class ResizeMode { kNearest, kLinear, kCubic };

enum class CoordinateMode {
  kHalfPixel,
  kHalfPixelSymmetric,
  kPytorchHalfPixel,
  kAlignCorners,
  kAsymmetric,
  kTfHalfPixelForNn,
  kTfCropAndResize,
};

// kSimple is that of versions before 11, which do not say how they round: as ONNX Runtime does,
// toward zero, or up where the axis shrinks.
enum class NearestMode { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil, kSimple };

enum class AspectPolicy { kStretch, kNotLarger, kNotSmaller };

struct ResizeAttributes {
  ResizeMode mode = ResizeMode::kNearest;
  CoordinateMode coordinates = CoordinateMode::kHalfPixel;
  NearestMode nearest = NearestMode::kRoundPreferFloor;
  AspectPolicy policy = AspectPolicy::kStretch;
  float cubic_coefficient = -0.75F;
  float extrapolation_value = 0.0F;
  enum class Outside { kClamped, kExcluded };
  Outside outside = Outside::kClamped;
  enum class Antialias { kOff, kOn };
  Antialias antialias = Antialias::kOff;

  static Result<ResizeAttributes> from(const ir::Node& node, int64_t opset);
};

// One axis of known extents. The region of interest is in fractions of the input, 0 to 1 unless the
// coordinate mode is kTfCropAndResize.
struct ResizeAxis {
  int64_t input = 1;
  int64_t output = 1;
  float scale = 1.0F;
  float roi_start = 0.0F;
  float roi_end = 1.0F;

  bool is_identity() const {
    return input == output && scale == 1.0F && roi_start == 0.0F && roi_end == 1.0F;
  }
};

// Where output index `x` reads on the input axis. In float32, as ONNX Runtime computes it: at ties
// the last bit decides which element is nearest.
float resize_coordinate(const ResizeAttributes& attributes, const ResizeAxis& axis, int64_t x);

// The nearest input index, clamped to the axis.
int64_t resize_nearest(const ResizeAttributes& attributes, const ResizeAxis& axis, int64_t x);

// The output extent for a scale: floor(extent * scale * part of the region of interest).
// kResourceLimit when that is out of range.
Result<int64_t> resized_extent(int64_t input, float scale, float roi_fraction);

// Positions of the operands; 0 for one that the version does not have.
struct ResizeOperands {
  size_t roi = 0;
  size_t scales = 0;
  size_t sizes = 0;
};
ResizeOperands resize_operands(const ir::Node& node, int64_t opset);

}  // namespace octet::ops
