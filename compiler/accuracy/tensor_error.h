// A tensor against its noisy form.
#pragma once

#include <optional>
#include <string>

namespace octet::accuracy {

// 10 log10(power / noise) in dB, at most 200; nothing without power.
std::optional<double> decibels(double power, double noise);

struct TensorError {
  std::string name;
  double power = 0.0;    // sum of squares of the true one
  double noise = 0.0;    // sum of squared differences
  double largest = 0.0;  // greatest absolute difference

  std::optional<double> sqnr() const { return decibels(power, noise); }
};

}  // namespace octet::accuracy
