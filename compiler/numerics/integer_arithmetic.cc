#include "compiler/numerics/integer_arithmetic.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace octet::numerics {
namespace {

// Sum and bias as unsigned numbers: they wrap around.
OCTET_INLINE float plus(int32_t sum, int32_t bias) {
  return static_cast<float>(
      static_cast<int32_t>(static_cast<uint32_t>(sum) + static_cast<uint32_t>(bias)));
}

OCTET_VECTORIZED void requantize_run(const int32_t* __restrict sums,
                                     const float* __restrict multipliers,
                                     const int32_t* __restrict bias, size_t count,
                                     const QuantizedRange& range, uint8_t* __restrict out) {
  const auto lowest = static_cast<float>(range.qmin - range.zero_point);
  const auto greatest = static_cast<float>(range.qmax - range.zero_point);
  const int32_t zero_point = range.zero_point;
  for (size_t c = 0; c < count; ++c) {
    float value = plus(sums[c], bias[c]) * multipliers[c];
    value = value > lowest ? value : lowest;
    value = value < greatest ? value : greatest;
    out[c] = static_cast<uint8_t>(round_small(value) + zero_point);
  }
}

OCTET_VECTORIZED void dequantize_run(const int32_t* __restrict sums,
                                     const float* __restrict multipliers,
                                     const int32_t* __restrict bias, size_t count,
                                     float* __restrict out) {
  for (size_t c = 0; c < count; ++c) out[c] = plus(sums[c], bias[c]) * multipliers[c];
}

}  // namespace

int32_t round_saturated(float x, const QuantizedRange& range) {
  return std::isnan(x) ? range.zero_point : round_saturated_finite(x, range);
}

QuantizedAdd::QuantizedAdd(float a_scale, int32_t a_zero, float b_scale, int32_t b_zero,
                           float y_scale, int32_t y_zero)
    : a_ratio(a_scale / y_scale), b_ratio(b_scale / y_scale) {
  const float offset = fused(a_zero, a_ratio, b_ratio * static_cast<float>(b_zero));
  constant = static_cast<float>(y_zero) - offset;
}

OutputStage::OutputStage(std::vector<float> multipliers, std::vector<int32_t> bias)
    : multipliers_(std::move(multipliers)), bias_(std::move(bias)) {
  constexpr size_t kLeastPeriod = 512;
  const size_t channels = multipliers_.size();
  bias_.resize(channels, 0);
  if (channels == 0) return;
  const size_t period = (kLeastPeriod + channels - 1) / channels * channels;
  for (size_t i = channels; i < period; ++i) {
    multipliers_.push_back(multipliers_[i - channels]);
    bias_.push_back(bias_[i - channels]);
  }
}

void OutputStage::requantize(std::span<const int32_t> sums, const QuantizedRange& range,
                             std::span<uint8_t> out) const {
  const size_t period = multipliers_.size();
  const size_t count = period == 0 ? 0 : std::min(sums.size(), out.size());
  for (size_t at = 0; at < count; at += period) {
    requantize_run(sums.data() + at, multipliers_.data(), bias_.data(),
                   std::min(period, count - at), range, out.data() + at);
  }
}

void OutputStage::dequantize(std::span<const int32_t> sums, std::span<float> out) const {
  const size_t period = multipliers_.size();
  const size_t count = period == 0 ? 0 : std::min(sums.size(), out.size());
  for (size_t at = 0; at < count; at += period) {
    dequantize_run(sums.data() + at, multipliers_.data(), bias_.data(),
                   std::min(period, count - at), out.data() + at);
  }
}

}  // namespace octet::numerics
