// A histogram that merges exactly.
//
// Bin k covers [k * 2^e, (k + 1) * 2^e) for k in [-kHalf, kHalf): edges are integer multiples of a
// power of two. A value outside raises e by one and adds neighbouring pairs, which is exact since
// floor(floor(x / 2^e) / 2) = floor(x / 2^(e+1)). Merging raises the smaller exponent, then adds.
// So counts depend on the multiset of values alone: not on order, threads or shards.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace octet::calibration {

class Histogram {
 public:
  static constexpr int kHalf = 1024;  // bins on each side of zero
  static constexpr int kBins = 2 * kHalf;
  static constexpr int kLeastExponent = -140;  // finer bins cannot be told apart in float32

  // Values must be finite.
  void add(std::span<const float> values);
  void merge(const Histogram& other);

  // The least exponent at which both values have a bin.
  static int least_exponent(float min, float max);

  int exponent() const { return exponent_; }                    // e; bin width is 2^e
  std::span<const uint64_t> counts() const { return counts_; }  // kBins, or empty before any value
  uint64_t total() const;
  double bin_width() const;
  // Lower edge of bin `index` in [0, kBins).
  double lower_edge(int index) const;

  // For reading a file.
  static Histogram from_counts(int exponent, std::vector<uint64_t> counts);

  bool operator==(const Histogram&) const = default;

 private:
  void raise_to(int exponent);

  int exponent_ = kLeastExponent;
  std::vector<uint64_t> counts_;
};

}  // namespace octet::calibration
