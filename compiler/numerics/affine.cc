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

}  // namespace

ScaleZeroPoint choose_scale(float min, float max, int32_t qmin, int32_t qmax, Symmetry symmetry) {
  const double low = std::min(min, 0.0F);
  const double high = std::max(max, 0.0F);
  if (symmetry == Symmetry::kSymmetric) {
    const int64_t sum = int64_t{qmin} + qmax + 1;
    const int64_t middle = sum >= 0 ? sum / 2 : (sum - 1) / 2;
    const int64_t levels = std::min(middle - qmin, qmax - middle);
    return {usable_scale(std::max(-low, high), levels).value_or(1.0F),
            static_cast<int32_t>(middle)};
  }
  const auto scale = usable_scale(high - low, int64_t{qmax} - qmin);
  if (!scale) return {1.0F, qmin};
  const double zero_point = round_half_even(qmin - low / static_cast<double>(*scale));
  return {*scale, static_cast<int32_t>(std::clamp<double>(zero_point, qmin, qmax))};
}

}  // namespace octet::numerics
