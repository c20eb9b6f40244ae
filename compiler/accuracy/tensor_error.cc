#include "compiler/accuracy/tensor_error.h"

#include <algorithm>
#include <cmath>

namespace octet::accuracy {

std::optional<double> decibels(double power, double noise) {
  constexpr double kLargest = 200.0;
  if (!(power > 0.0)) return std::nullopt;
  if (!(noise > 0.0)) return kLargest;
  return std::min(kLargest, 10.0 * std::log10(power / noise));
}

}  // namespace octet::accuracy
