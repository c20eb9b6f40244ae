#pragma once

#include <optional>
#include <span>

namespace octet::calibration {

struct Extremes {
  float min = 0.0F;
  float max = 0.0F;
};

// Least and greatest of a non-empty span; nothing when a value is NaN or infinite. A zero result is
// +0 whatever the signs of the zeros, so that it does not depend on their order.
std::optional<Extremes> finite_extremes(std::span<const float> values);

}  // namespace octet::calibration
