#include "compiler/numerics/affine.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "compiler/numerics/quantize.h"

namespace octet::numerics {
namespace {

// In double the width of any float range is finite; the quotient is rounded to float once.
std::optional<float> usable_scale(double width, int64_t levels) {
  const double scale = std::min<double>(width / static_cast<double>(std::max<int64_t>(1, levels)),
                                        std::numeric_limits<float>::max());
  if (!(scale >= std::numeric_limits<float>::min())) return std::nullopt;
  return static_cast<float>(scale);
}

float in_form(float scale, ScaleForm form) {
  return form == ScaleForm::kPowerOfTwo ? power_of_two_at_least(scale) : scale;
}

}  // namespace

float power_of_two_at_least(float scale) {
  int exponent = 0;
  const float fraction = std::frexp(scale, &exponent);  // in [0.5, 1)
  if (fraction == 0.5F) return scale;
  return std::ldexp(1.0F, std::min(exponent, std::numeric_limits<float>::max_exponent - 1));
}

ScaleZeroPoint choose_scale(float min, float max, int32_t qmin, int32_t qmax, Symmetry symmetry,
                            ScaleForm form) {
  const double low = std::min(min, 0.0F);
  const double high = std::max(max, 0.0F);
  if (symmetry == Symmetry::kSymmetric) {
    const int64_t sum = int64_t{qmin} + qmax + 1;
    const int64_t middle = sum >= 0 ? sum / 2 : (sum - 1) / 2;
    const int64_t levels = std::min(middle - qmin, qmax - middle);
    return {in_form(usable_scale(std::max(-low, high), levels).value_or(1.0F), form),
            static_cast<int32_t>(middle)};
  }
  auto scale = usable_scale(high - low, int64_t{qmax} - qmin);
  if (!scale) return {1.0F, qmin};
  scale = in_form(*scale, form);
  const double zero_point = round_half_even(qmin - low / static_cast<double>(*scale));
  return {*scale, static_cast<int32_t>(std::clamp<double>(zero_point, qmin, qmax))};
}

}  // namespace octet::numerics
