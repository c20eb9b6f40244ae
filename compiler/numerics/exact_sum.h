// A sum of floats without rounding: the same bits in any order and for any way of splitting the
// terms, because it is an integer sum in fixed point (a small superaccumulator; Neal 2015,
// arXiv:1505.05571, "Fast exact summation using small and large superaccumulators").
#pragma once

#include <array>
#include <cstdint>

namespace octet::numerics {

class ExactSum {
 public:
  // x must be finite. At most 2^62 terms.
  void add(float x);
  void add(double x);
  void merge(const ExactSum& other);

  // The exact sum rounded to the nearest double.
  double value() const;

  // Canonical limbs, least significant first, base 2^32, two's complement: equal sums have equal
  // limbs. For writing to a file and reading back.
  static constexpr int kLimbs = 70;  // 2^-1074 .. 2^1023 and 64 bits for carries
  std::array<uint32_t, kLimbs> limbs() const;
  static ExactSum from_limbs(const std::array<uint32_t, kLimbs>& limbs);

  bool operator==(const ExactSum& other) const { return limbs() == other.limbs(); }

 private:
  void propagate();

  // Digits base 2^32 with room for carries; propagated before they can overflow.
  std::array<int64_t, kLimbs> digits_{};
  int64_t pending_ = 0;
};

}  // namespace octet::numerics
