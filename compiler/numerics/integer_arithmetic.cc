#include "compiler/numerics/integer_arithmetic.h"

#include <cmath>

namespace octet::numerics {
namespace {

// Sum and bias as unsigned numbers: they wrap around.
OCTET_INLINE float plus(int32_t sum, int32_t bias) {
  return static_cast<float>(
      static_cast<int32_t>(static_cast<uint32_t>(sum) + static_cast<uint32_t>(bias)));
}

OCTET_VECTORIZED void requantize_row(const int32_t* __restrict sums,
                                     const float* __restrict multipliers,
                                     const int32_t* __restrict bias, size_t channels,
                                     const QuantizedRange& range, uint8_t* __restrict out) {
  const auto lowest = static_cast<float>(range.qmin - range.zero_point);
  const auto greatest = static_cast<float>(range.qmax - range.zero_point);
  const int32_t zero_point = range.zero_point;
  for (size_t c = 0; c < channels; ++c) {
    float value = plus(sums[c], bias[c]) * multipliers[c];
    value = value > lowest ? value : lowest;
    value = value < greatest ? value : greatest;
    out[c] = static_cast<uint8_t>(round_to_integer<int32_t>(value) + zero_point);
  }
}

OCTET_VECTORIZED void dequantize_row(const int32_t* __restrict sums,
                                     const float* __restrict multipliers,
                                     const int32_t* __restrict bias, size_t channels,
                                     float* __restrict out) {
  for (size_t c = 0; c < channels; ++c) out[c] = plus(sums[c], bias[c]) * multipliers[c];
}

// A bias for every channel.
std::vector<int32_t> full_bias(std::span<const int32_t> bias, size_t channels) {
  std::vector<int32_t> out(bias.begin(), bias.end());
  out.resize(channels, 0);
  return out;
}

}  // namespace

int32_t round_saturated(float x, const QuantizedRange& range) {
  return std::isnan(x) ? range.zero_point : round_saturated_finite(x, range);
}

QuantizedAdd::QuantizedAdd(float a_scale, int32_t a_zero, float b_scale, int32_t b_zero,
                           float y_scale, int32_t y_zero)
    : a_ratio(a_scale / y_scale), b_ratio(b_scale / y_scale) {
  const float offset = a_ratio * static_cast<float>(a_zero) + b_ratio * static_cast<float>(b_zero);
  constant = static_cast<float>(y_zero) - offset;
}

void requantize_rows(std::span<const int32_t> sums, const Requantization& requantization,
                     std::span<uint8_t> out) {
  const size_t channels = requantization.multipliers.size();
  if (channels == 0) return;
  const std::vector<int32_t> bias = full_bias(requantization.bias, channels);
  for (size_t at = 0; at + channels <= sums.size(); at += channels) {
    requantize_row(sums.data() + at, requantization.multipliers.data(), bias.data(), channels,
                   requantization.range, out.data() + at);
  }
}

void dequantize_rows(std::span<const int32_t> sums, std::span<const float> multipliers,
                     std::span<const int32_t> bias, std::span<float> out) {
  const size_t channels = multipliers.size();
  if (channels == 0) return;
  const std::vector<int32_t> all = full_bias(bias, channels);
  for (size_t at = 0; at + channels <= sums.size(); at += channels) {
    dequantize_row(sums.data() + at, multipliers.data(), all.data(), channels, out.data() + at);
  }
}

}  // namespace octet::numerics
