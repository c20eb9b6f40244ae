#include "compiler/numerics/exact_sum.h"

#include <bit>
#include <cmath>

namespace octet::numerics {
namespace {

constexpr int64_t kBase = int64_t{1} << 32;
// Each term adds less than 2^32 to a digit, so that digits stay below 2^62 between propagations.
constexpr int64_t kMostPending = int64_t{1} << 29;

using Limbs = std::array<uint32_t, ExactSum::kLimbs>;

bool bit_at(const Limbs& limbs, int position) {
  return ((limbs[static_cast<size_t>(position / 32)] >> (position % 32)) & 1U) != 0;
}

void negate(Limbs& limbs) {
  uint64_t carry = 1;
  for (uint32_t& limb : limbs) {
    carry += static_cast<uint32_t>(~limb);
    limb = static_cast<uint32_t>(carry);
    carry >>= 32;
  }
}

// Position of the highest set bit, -1 for zero.
int highest_bit(const Limbs& limbs) {
  for (int i = ExactSum::kLimbs - 1; i >= 0; --i) {
    const uint32_t limb = limbs[static_cast<size_t>(i)];
    if (limb != 0) return 32 * i + 31 - std::countl_zero(limb);
  }
  return -1;
}

}  // namespace

void ExactSum::add(float x) { add(static_cast<double>(x)); }

void ExactSum::add(double x) {
  const auto bits = std::bit_cast<uint64_t>(x);
  const auto exponent = static_cast<int>((bits >> 52) & 0x7FF);
  uint64_t significand = bits & ((uint64_t{1} << 52) - 1);
  if (exponent != 0) significand |= uint64_t{1} << 52;
  // x is significand * 2^(position - 1074).
  const int position = exponent == 0 ? 0 : exponent - 1;
  auto* digit = &digits_[static_cast<size_t>(position / 32)];
  const auto shifted = static_cast<unsigned __int128>(significand) << (position % 32);
  const int64_t sign = (bits >> 63) != 0 ? -1 : 1;
  digit[0] += sign * static_cast<int64_t>(static_cast<uint32_t>(shifted));
  digit[1] += sign * static_cast<int64_t>(static_cast<uint32_t>(shifted >> 32));
  digit[2] += sign * static_cast<int64_t>(static_cast<uint32_t>(shifted >> 64));
  if (++pending_ >= kMostPending) propagate();
}

void ExactSum::merge(const ExactSum& other) {
  ExactSum addend = other;
  addend.propagate();
  propagate();
  for (size_t i = 0; i < digits_.size(); ++i) digits_[i] += addend.digits_[i];
  pending_ = 2;
}

// Brings every digit but the last, which keeps the sign, into [0, 2^32).
void ExactSum::propagate() {
  for (size_t i = 0; i + 1 < digits_.size(); ++i) {
    const int64_t carry = digits_[i] >> 32;
    digits_[i] -= carry * kBase;
    digits_[i + 1] += carry;
  }
  pending_ = 0;
}

double ExactSum::value() const {
  Limbs magnitude = limbs();
  const bool negative = (magnitude.back() >> 31) != 0;
  if (negative) negate(magnitude);
  const int top = highest_bit(magnitude);
  const int lowest = top > 52 ? top - 52 : 0;
  uint64_t significand = 0;
  for (int i = top; i >= lowest; --i) {
    significand = significand << 1 | (bit_at(magnitude, i) ? 1U : 0U);
  }
  if (lowest > 0 && bit_at(magnitude, lowest - 1)) {
    bool above_half = false;
    for (int i = lowest - 2; i >= 0 && !above_half; --i) above_half = bit_at(magnitude, i);
    if (above_half || (significand & 1) != 0) ++significand;
  }
  const double out = std::ldexp(static_cast<double>(significand), lowest - 1074);
  return negative ? -out : out;
}

Limbs ExactSum::limbs() const {
  ExactSum canonical = *this;
  canonical.propagate();
  Limbs out{};
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint32_t>(canonical.digits_[i]);
  return out;
}

ExactSum ExactSum::from_limbs(const Limbs& limbs) {
  ExactSum out;
  for (size_t i = 0; i < limbs.size(); ++i) out.digits_[i] = limbs[i];
  out.digits_.back() = static_cast<int32_t>(limbs.back());
  return out;
}

}  // namespace octet::numerics
