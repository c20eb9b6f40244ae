#include "compiler/numerics/fixed_point.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "compiler/numerics/quantize.h"

namespace octet::numerics {
namespace {

constexpr int64_t kLowest = std::numeric_limits<int32_t>::min();
constexpr int64_t kGreatest = std::numeric_limits<int32_t>::max();
constexpr int kAddShift = 20;

int32_t saturated(int64_t x) { return static_cast<int32_t>(std::clamp(x, kLowest, kGreatest)); }

// Steps and the zero point, as integers of the range.
int32_t saturated(int64_t steps, const QuantizedRange& range) {
  return static_cast<int32_t>(
      std::clamp<int64_t>(steps + range.zero_point, range.qmin, range.qmax));
}

// Twice the greater scale, so that both operands of an Add shrink.
double common_scale(float a_scale, float b_scale) {
  return 2.0 * std::max(static_cast<double>(a_scale), static_cast<double>(b_scale));
}

}  // namespace

int32_t rounding_doubling_high(int32_t a, int32_t b) {
  const int64_t product = int64_t{a} * b;
  return saturated((product + (int64_t{1} << 30)) >> 31);
}

int32_t rounding_shift_right(int32_t x, int32_t exponent) {
  const int64_t mask = (int64_t{1} << exponent) - 1;
  const int64_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + ((x & mask) > threshold ? 1 : 0);
}

FixedPointMultiplier::FixedPointMultiplier(double factor) {
  if (std::isnan(factor)) return;
  constexpr int kMostLeft = 30;
  constexpr int kMostRight = 31;
  const bool mirrored = factor < 0.0;
  int exponent = 0;
  const double fraction = std::isinf(factor) ? 1.0 : std::frexp(std::fabs(factor), &exponent);
  // floor(x + 0.5) is round, ties away from zero, of a positive number; exact below 2^52.
  auto mantissa = static_cast<int64_t>(std::floor(fraction * 0x1p31 + 0.5));
  if (mantissa > kGreatest) {
    mantissa /= 2;
    ++exponent;
  }
  if (exponent < -kMostRight) return;
  if (exponent > kMostLeft || std::isinf(factor)) {
    mantissa = kGreatest;
    exponent = kMostLeft;
  }
  mantissa_ = static_cast<int32_t>(mirrored ? -mantissa : mantissa);
  exponent_ = exponent;
}

int32_t FixedPointMultiplier::operator()(int32_t x) const {
  const int32_t left = std::max(exponent_, 0);
  const int32_t right = std::max(-exponent_, 0);
  const int32_t shifted = saturated(int64_t{x} * (int64_t{1} << left));
  return rounding_shift_right(rounding_doubling_high(shifted, mantissa_), right);
}

int32_t requantize(int32_t sum, const FixedPointMultiplier& multiplier,
                   const QuantizedRange& range) {
  return saturated(int64_t{multiplier(sum)}, range);
}

FixedPointStage::FixedPointStage(std::vector<FixedPointMultiplier> multipliers,
                                 std::vector<int32_t> bias)
    : multipliers_(std::move(multipliers)), bias_(std::move(bias)) {
  bias_.resize(multipliers_.size(), 0);
}

void FixedPointStage::requantize(std::span<const int32_t> sums, const QuantizedRange& range,
                                 std::span<uint8_t> out) const {
  const size_t channels = multipliers_.size();
  const size_t count = channels == 0 ? 0 : std::min(sums.size(), out.size());
  for (size_t i = 0; i < count; ++i) {
    const size_t c = i % channels;
    const auto sum =
        static_cast<int32_t>(static_cast<uint32_t>(sums[i]) + static_cast<uint32_t>(bias_[c]));
    out[i] = static_cast<uint8_t>(numerics::requantize(sum, multipliers_[c], range));
  }
}

int32_t OffsetOperands::result(int64_t steps) const { return saturated(steps, range); }

FixedPointAdd::FixedPointAdd(float a_scale, int32_t a_zero, float b_scale, int32_t b_zero,
                             float y_scale, const QuantizedRange& range)
    : operands_{a_zero, b_zero, range},
      a_(a_scale / common_scale(a_scale, b_scale)),
      b_(b_scale / common_scale(a_scale, b_scale)),
      y_(common_scale(a_scale, b_scale) / (0x1p20 * static_cast<double>(y_scale))) {}

int32_t FixedPointAdd::operator()(int32_t a, int32_t b) const {
  const auto scaled = [](int32_t steps, const FixedPointMultiplier& multiplier) {
    return int64_t{multiplier(steps * (1 << kAddShift))};
  };
  const int64_t sum = scaled(operands_.a(a), a_) + scaled(operands_.b(b), b_);
  return operands_.result(y_(saturated(sum)));
}

FixedPointMul::FixedPointMul(float a_scale, int32_t a_zero, float b_scale, int32_t b_zero,
                             float y_scale, const QuantizedRange& range)
    : operands_{a_zero, b_zero, range},
      multiplier_(static_cast<double>(a_scale) * b_scale / static_cast<double>(y_scale)) {}

int32_t FixedPointMul::operator()(int32_t a, int32_t b) const {
  return operands_.result(multiplier_(operands_.a(a) * operands_.b(b)));
}

NeonAdd::NeonAdd(float a_scale, int32_t a_zero, float b_scale, int32_t b_zero, float y_scale,
                 const QuantizedRange& range)
    : operands_{a_zero, b_zero, range},
      real_(a_scale, a_zero, b_scale, b_zero, y_scale, range.zero_point) {
  constexpr int32_t kBits = 21;
  const auto fits = [](float ratio) { return ratio >= 0x1p-14F && ratio < 0x1p8F; };
  const float a_ratio = a_scale / y_scale;
  const float b_ratio = b_scale / y_scale;
  if (!fits(a_ratio) || !fits(b_ratio)) return;
  shift_ = kBits - std::ilogb(std::max(a_ratio, b_ratio));
  const auto multiplier = [&](float ratio) {
    return static_cast<int64_t>(round_half_even(std::ldexp(ratio, shift_)));
  };
  a_multiplier_ = multiplier(a_ratio);
  b_multiplier_ = multiplier(b_ratio);
}

int32_t NeonAdd::operator()(int32_t a, int32_t b) const {
  if (shift_ < 0) return round_saturated(real_(a, b), operands_.range);
  int64_t sum = operands_.a(a) * a_multiplier_ + operands_.b(b) * b_multiplier_;
  if (sum < 0) --sum;
  return operands_.result((sum + (int64_t{1} << (shift_ - 1))) >> shift_);
}

NeonMul::NeonMul(float a_scale, int32_t a_zero, float b_scale, int32_t b_zero, float y_scale,
                 const QuantizedRange& range)
    : range_(range), real_(a_scale, a_zero, b_scale, b_zero, y_scale, range.zero_point) {}

int32_t NeonMul::operator()(int32_t a, int32_t b) const {
  const auto product = static_cast<float>((a - real_.a_zero) * (b - real_.b_zero));
  return round_saturated(std::fma(product, real_.ratio, real_.constant), range_);
}

}  // namespace octet::numerics
