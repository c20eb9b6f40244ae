// From an observed range to scale and zero point.
#pragma once

#include <cstdint>

#include "compiler/numerics/dtype.h"

namespace octet::numerics {

enum class Symmetry {
  kAsymmetric,  // any zero point
  kSymmetric,   // the zero point is fixed to 0 for signed types, 2^(bits-1) for unsigned ones
};

enum class ScaleForm {
  kAny,
  kPowerOfTwo,  // for targets that rescale by a shift
};

// The least power of two that is not below `scale` (positive, normal); the greatest float power of
// two where there is none.
float power_of_two_at_least(float scale);

struct ScaleZeroPoint {
  float scale = 1.0F;
  int32_t zero_point = 0;
};

// Scale and zero point for values in [min, max] on the integers [qmin, qmax].
// The range is first widened to contain 0, which is then represented exactly
// (Jacob et al. 2018, arXiv:1712.05877, section 3; ONNX DynamicQuantizeLinear).
//   asymmetric: scale = (max - min) / (qmax - qmin), zero_point = round(qmin - min / scale)
//   symmetric:  scale = max(|min| / (zero - qmin), max / (qmax - zero)) about the middle `zero`;
//               a side that holds no values does not count, and both sides use
//               min(zero - qmin, qmax - zero) levels, so int8 gives amax / 127
// The scale is always finite and a normal float: an all-zero or denormal range gives scale 1 (with
// the zero point of an asymmetric all-zero range at qmin). min and max must be finite, min <= max.
//   power of two: the scale is raised to the next one, so nothing more is cut off; the zero point
//                 follows from it
ScaleZeroPoint choose_scale(float min, float max, int32_t qmin, int32_t qmax, Symmetry symmetry,
                            ScaleForm form = ScaleForm::kAny);

}  // namespace octet::numerics
