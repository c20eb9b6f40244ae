// Which elements of a large tensor its histogram counts. To count takes several times as long as to
// find the extremes, which are of all elements.
//
// Within each plane, which is what the last two axes hold, every s-th element counts, with weight
// s. s is a prime that does not divide the width, so that the elements counted wander over all
// columns and do not keep step with strides, blocks and upsampling: 127 or 131 for tensors of 2^16
// elements and more, 31 or 37 from 2^14 on, 7 or 11 from 2^12 on, and 1 below; and a smaller one
// where a plane has fewer than 3 s elements. The choice hangs on the shape alone, so neither memory
// layouts nor threads nor shards show.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace octet::calibration {

class CountedElements {
 public:
  // Elements that lie row-major (channel_block 1); or, of rank 4 and more, as [batch, channels /
  // channel_block, spatial..., channel_block], the last block narrower where channels do not fill
  // it.
  explicit CountedElements(std::span<const int64_t> shape, int64_t channel_block = 1);

  bool all() const { return step_ == 1; }
  uint64_t weight() const { return static_cast<uint64_t>(step_); }

  // Passes through a tensor of that shape, stretch after stretch: `look` gets all elements of one,
  // then `count` those of them that are counted. False as soon as `look` says so.
  using Look = std::function<bool(std::span<const float> stretch)>;
  using Count = std::function<void(std::span<const float> counted)>;
  bool pass(std::span<const float> values, const Look& look, const Count& count) const;

 private:
  // Pixels that stand together, of one block of channels.
  struct Pixels {
    const float* data;
    int64_t count;
    int64_t lanes;  // channels
  };
  bool pass_all(std::span<const float> values, const Look& look, const Count& count) const;
  bool pass_block(const Pixels& pixels, const Look& look, const Count& count,
                  std::vector<float>& counted) const;
  // The counted ones; `first` is the place of the first pixel in its plane.
  size_t gather(const Pixels& pixels, int64_t first, std::vector<float>& to) const;

  int64_t step_ = 1;
  int64_t images_ = 1;
  int64_t channels_ = 1;
  int64_t block_ = 1;
  int64_t planes_ = 1;  // of a block of channels; row-major: of all
  int64_t plane_ = 1;   // pixels
};

}  // namespace octet::calibration
