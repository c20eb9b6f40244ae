#include "compiler/numerics/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/base/vectorized.h"
#include "compiler/numerics/rounding.h"

namespace octet::numerics {
namespace {

// Clamping to integers before rounding gives what clamping afterwards gives, and keeps the
// conversion to an integer in range. The bounds are exact: |bound| < 2^53.
int32_t round_and_saturate(double ratio, int32_t zero_point, int32_t qmin, int32_t qmax) {
  if (std::isnan(ratio)) return zero_point;
  const int64_t lowest = int64_t{qmin} - zero_point;
  const int64_t greatest = int64_t{qmax} - zero_point;
  const double clamped =
      std::min(std::max(ratio, static_cast<double>(lowest)), static_cast<double>(greatest));
  return static_cast<int32_t>(round_to_integer<int64_t>(clamped) + zero_point);
}

template <typename Q>
OCTET_INLINE void quantize_span(std::span<const float> x, float scale, int32_t zero_point,
                                std::span<Q> q) {
  const int32_t qmin = std::numeric_limits<Q>::min();
  const int32_t qmax = std::numeric_limits<Q>::max();
  const auto lowest = static_cast<float>(qmin - zero_point);
  const auto greatest = static_cast<float>(qmax - zero_point);
  const size_t count = std::min(x.size(), q.size());
  const float* in = x.data();
  Q* out = q.data();
  for (size_t i = 0; i < count; ++i) {
    float ratio = in[i] / scale;
    ratio = ratio == ratio ? ratio : 0.0F;
    ratio = ratio > lowest ? ratio : lowest;
    ratio = ratio < greatest ? ratio : greatest;
    out[i] = static_cast<Q>(round_small(ratio) + zero_point);
  }
}

template <typename Q>
OCTET_INLINE void dequantize_span(std::span<const Q> q, float scale, int32_t zero_point,
                                  std::span<float> x) {
  const size_t count = std::min(x.size(), q.size());
  const Q* in = q.data();
  float* out = x.data();
  for (size_t i = 0; i < count; ++i) {
    out[i] = static_cast<float>(static_cast<int32_t>(in[i]) - zero_point) * scale;
  }
}

}  // namespace

float round_half_even(float x) {
  // From 2^23 on every float is an integer; NaN and infinities pass through as well.
  if (!(std::fabs(x) < 0x1p23F)) return x;
  return std::copysign(static_cast<float>(round_to_integer<int32_t>(x)), x);
}

double round_half_even(double x) {
  if (!(std::fabs(x) < 0x1p52)) return x;
  return std::copysign(static_cast<double>(round_to_integer<int64_t>(x)), x);
}

int32_t quantize(float x, float scale, int32_t zero_point, int32_t qmin, int32_t qmax) {
  return round_and_saturate(x / scale, zero_point, qmin, qmax);
}

float fake_quantize(float x, float scale, int32_t zero_point, int32_t qmin, int32_t qmax) {
  return dequantize(quantize(x, scale, zero_point, qmin, qmax), scale, zero_point);
}

OCTET_VECTORIZED void quantize(std::span<const float> x, float scale, int32_t zero_point,
                               std::span<int8_t> q) {
  quantize_span(x, scale, zero_point, q);
}

OCTET_VECTORIZED void quantize(std::span<const float> x, float scale, int32_t zero_point,
                               std::span<uint8_t> q) {
  quantize_span(x, scale, zero_point, q);
}

OCTET_VECTORIZED void dequantize(std::span<const int8_t> q, float scale, int32_t zero_point,
                                 std::span<float> x) {
  dequantize_span(q, scale, zero_point, x);
}

OCTET_VECTORIZED void dequantize(std::span<const uint8_t> q, float scale, int32_t zero_point,
                                 std::span<float> x) {
  dequantize_span(q, scale, zero_point, x);
}

int32_t requantize(int32_t accumulator, float multiplier, int32_t zero_point, int32_t qmin,
                   int32_t qmax) {
  const float value = static_cast<float>(accumulator) * multiplier;
  return round_and_saturate(value, zero_point, qmin, qmax);
}

int64_t cast_to_integer(double x, DType dtype) {
  if (dtype == DType::kBool) return x != 0.0 ? 1 : 0;
  if (std::isnan(x)) return 0;
  if (dtype == DType::kUint64) {
    if (x <= 0.0) return 0;
    return static_cast<int64_t>(x >= 0x1p64 ? UINT64_MAX : static_cast<uint64_t>(x));
  }
  if (bit_width(dtype) > 32 || !is_integer(dtype)) {
    if (x >= 0x1p63) return INT64_MAX;
    return x < -0x1p63 ? INT64_MIN : static_cast<int64_t>(x);
  }
  const IntegerRange range = integer_range(dtype);
  const double low = std::max(x, static_cast<double>(range.min));
  return static_cast<int64_t>(std::min(low, static_cast<double>(range.max)));
}

}  // namespace octet::numerics
