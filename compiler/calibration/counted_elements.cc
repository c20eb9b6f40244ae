#include "compiler/calibration/counted_elements.h"

#include <algorithm>
#include <array>

namespace octet::calibration {
namespace {

struct Step {
  int64_t step;
  int64_t other_step;  // where the width is a multiple of the first
  int64_t least_elements;
};
constexpr std::array<Step, 3> kSteps = {{{127, 131, 1 << 16}, {31, 37, 1 << 14}, {7, 11, 1 << 12}}};

constexpr int64_t kLeastCounted = 3;  // of a plane
constexpr int64_t kStretch = 8192;    // elements that stay in the nearest cache

// `count` pixels of kLanes elements, one every `stride` elements.
template <int64_t kLanes>
void copy_pixels(const float* from, int64_t stride, int64_t count, float* to) {
  for (int64_t k = 0; k < count; ++k, from += stride, to += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) to[lane] = from[lane];
  }
}

void copy_pixels(const float* from, int64_t stride, int64_t lanes, int64_t count, float* to) {
  if (lanes == 1) return copy_pixels<1>(from, stride, count, to);
  if (lanes == 8) return copy_pixels<8>(from, stride, count, to);
  if (lanes == 16) return copy_pixels<16>(from, stride, count, to);
  for (int64_t k = 0; k < count; ++k, from += stride) to = std::copy_n(from, lanes, to);
}

int64_t product(std::span<const int64_t> extents) {
  int64_t out = 1;
  for (const int64_t extent : extents) out *= extent;
  return out;
}

}  // namespace

CountedElements::CountedElements(std::span<const int64_t> shape, int64_t channel_block) {
  const size_t rank = shape.size();
  const int64_t width = rank > 0 ? shape[rank - 1] : 1;
  plane_ = rank > 1 ? shape[rank - 2] * width : width;
  const auto outer = shape.first(rank > 2 ? rank - 2 : 0);
  if (channel_block > 1) {
    images_ = outer[0];
    channels_ = outer[1];
    block_ = channel_block;
    planes_ = product(outer.subspan(2));
  } else {
    planes_ = product(outer);
  }
  for (const Step& candidate : kSteps) {
    if (product(shape) < candidate.least_elements) continue;
    const int64_t step = width % candidate.step == 0 ? candidate.other_step : candidate.step;
    if (plane_ < kLeastCounted * step) continue;
    step_ = step;
    break;
  }
}

// From the end, whose elements were written last and may still be in the cache.
bool CountedElements::pass(std::span<const float> values, const Look& look,
                           const Count& count) const {
  if (all()) return pass_all(values, look, count);
  std::vector<float> counted;
  const float* data = values.data() + values.size();
  for (int64_t image = 0; image < images_; ++image) {
    for (int64_t block = (channels_ + block_ - 1) / block_; block-- > 0;) {
      const int64_t lanes = std::min(block_, channels_ - block * block_);
      const int64_t pixels = planes_ * plane_;
      data -= pixels * lanes;
      if (!pass_block({data, pixels, lanes}, look, count, counted)) return false;
    }
  }
  return true;
}

bool CountedElements::pass_all(std::span<const float> values, const Look& look,
                               const Count& count) const {
  while (!values.empty()) {
    const auto stretch = values.last((values.size() - 1) % kStretch + 1);
    if (!look(stretch)) return false;
    count(stretch);
    values = values.first(values.size() - stretch.size());
  }
  return true;
}

bool CountedElements::pass_block(const Pixels& pixels, const Look& look, const Count& count,
                                 std::vector<float>& counted) const {
  const int64_t together = std::max<int64_t>(1, kStretch / pixels.lanes);
  for (int64_t at = (pixels.count - 1) / together * together; at >= 0; at -= together) {
    const Pixels some = {pixels.data + at * pixels.lanes, std::min(together, pixels.count - at),
                         pixels.lanes};
    if (!look({some.data, static_cast<size_t>(some.count * some.lanes)})) return false;
    // After look(), which brings the elements into the nearest cache.
    const size_t held = gather(some, at % plane_, counted);
    if (held > 0) count({counted.data(), held});
  }
  return true;
}

size_t CountedElements::gather(const Pixels& pixels, int64_t first, std::vector<float>& to) const {
  const int64_t planes = (first + pixels.count + plane_ - 1) / plane_;
  const int64_t most = pixels.count / step_ + planes;
  if (std::ssize(to) < most * pixels.lanes) to.resize(static_cast<size_t>(most * pixels.lanes));
  float* out = to.data();
  const float* plane = pixels.data - first * pixels.lanes;
  for (int64_t begin = first, end = first + pixels.count; end > 0;
       begin = 0, end -= plane_, plane += plane_ * pixels.lanes) {
    const int64_t offset = (step_ - 1) / 2;
    const int64_t skipped = begin > offset ? (begin - offset + step_ - 1) / step_ : 0;
    const int64_t pixel = offset + skipped * step_;
    const int64_t count = (std::min(end, plane_) - pixel + step_ - 1) / step_;
    if (count <= 0) continue;
    copy_pixels(plane + pixel * pixels.lanes, step_ * pixels.lanes, pixels.lanes, count, out);
    out += count * pixels.lanes;
  }
  return static_cast<size_t>(out - to.data());
}

}  // namespace octet::calibration
