#include "compiler/data/resize.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace octet::data {
namespace {

// 32 bits less 8 for the pixel and 2 for the sum of weights beyond one.
constexpr int kPointBits = 32 - 8 - 2;
constexpr int32_t kHalf = 1 << (kPointBits - 1);

// Output position i is the weighted sum of `taps` input positions from begin[i] on.
struct Filter {
  int64_t taps = 0;  // the stride of `weights`
  std::vector<int64_t> begin;
  std::vector<int64_t> count;
  std::vector<int32_t> weights;
};

int64_t truncate(double x) { return static_cast<int64_t>(x); }

// Weights for outputs [first, first + outputs) of `full`, from `size` inputs.
Filter triangle_filter(int64_t size, int64_t full, int64_t first, int64_t outputs) {
  const double scale = static_cast<double>(size) / static_cast<double>(full);
  const double support = std::max(scale, 1.0);
  Filter filter;
  filter.taps = truncate(std::ceil(support)) * 2 + 1;
  filter.weights.resize(static_cast<size_t>(filter.taps * outputs));
  std::vector<double> exact(static_cast<size_t>(filter.taps));
  for (int64_t i = 0; i < outputs; ++i) {
    const double center = (static_cast<double>(first + i) + 0.5) * scale;
    const int64_t begin = std::max<int64_t>(0, truncate(center - support + 0.5));
    const int64_t end = std::min(size, truncate(center + support + 0.5));
    double sum = 0.0;
    for (int64_t k = 0; k < end - begin; ++k) {
      const double distance = (static_cast<double>(k + begin) - center + 0.5) * (1.0 / support);
      exact[static_cast<size_t>(k)] = std::max(0.0, 1.0 - std::fabs(distance));
      sum += exact[static_cast<size_t>(k)];
    }
    for (int64_t k = 0; k < end - begin; ++k) {
      double weight = exact[static_cast<size_t>(k)];
      if (sum != 0.0) weight /= sum;
      filter.weights[static_cast<size_t>(i * filter.taps + k)] =
          static_cast<int32_t>(truncate(0.5 + weight * (1 << kPointBits)));
    }
    filter.begin.push_back(begin);
    filter.count.push_back(end - begin);
  }
  return filter;
}

uint8_t to_byte(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kPointBits, 0, 255)); }

template <int kChannels>
void filter_row(const uint8_t* in, const Filter& filter, uint8_t* out) {
  const size_t outputs = filter.begin.size();
  for (size_t i = 0; i < outputs; ++i) {
    int32_t sums[kChannels];
    std::fill(sums, sums + kChannels, kHalf);
    const int32_t* weight = filter.weights.data() + i * static_cast<size_t>(filter.taps);
    const uint8_t* pixel = in + filter.begin[i] * kChannels;
    for (int64_t k = 0; k < filter.count[i]; ++k, pixel += kChannels) {
      for (int c = 0; c < kChannels; ++c) sums[c] += pixel[c] * weight[k];
    }
    for (int c = 0; c < kChannels; ++c) *out++ = to_byte(sums[c]);
  }
}

// Rows [first, first + rows) of the picture, filtered along the row.
Image filter_columns(const Image& image, const Filter& filter, int64_t first, int64_t rows) {
  Image out{static_cast<int64_t>(filter.begin.size()), rows, image.channels, {}};
  out.pixels.resize(static_cast<size_t>(out.width * rows * out.channels));
  for (int64_t y = 0; y < rows; ++y) {
    const uint8_t* in = image.pixels.data() + (first + y) * image.width * image.channels;
    uint8_t* to = out.pixels.data() + y * out.width * out.channels;
    if (image.channels == 1) {
      filter_row<1>(in, filter, to);
    } else {
      filter_row<3>(in, filter, to);
    }
  }
  return out;
}

// `image` begins with row `first` of what the filter counts in.
Image filter_rows(const Image& image, const Filter& filter, int64_t first) {
  const auto outputs = static_cast<int64_t>(filter.begin.size());
  Image out{image.width, outputs, image.channels, {}};
  const int64_t stride = image.width * image.channels;
  out.pixels.resize(static_cast<size_t>(stride * outputs));
  std::vector<int32_t> sums(static_cast<size_t>(stride));
  for (int64_t i = 0; i < outputs; ++i) {
    std::fill(sums.begin(), sums.end(), kHalf);
    const auto at = static_cast<size_t>(i);
    for (int64_t k = 0; k < filter.count[at]; ++k) {
      const int32_t weight = filter.weights[static_cast<size_t>(i * filter.taps + k)];
      const uint8_t* in = image.pixels.data() + (filter.begin[at] - first + k) * stride;
      int32_t* sum = sums.data();
      for (int64_t x = 0; x < stride; ++x) sum[x] += in[x] * weight;
    }
    std::transform(sums.begin(), sums.end(), out.pixels.begin() + i * stride, to_byte);
  }
  return out;
}

}  // namespace

Result<Image> resize_bilinear(const Image& image, const ResizeTo& to) {
  OCTET_TRY(check_image_size(to.full_width, to.full_height));
  const Filter across = triangle_filter(image.width, to.full_width, to.left, to.width);
  const Filter down = triangle_filter(image.height, to.full_height, to.top, to.height);
  // A pass that changes nothing is skipped; its weights are ones, so that this is for speed only.
  const int64_t first = down.begin.front();
  const int64_t rows = down.begin.back() + down.count.back() - first;
  const bool same_columns = image.width == to.full_width && to.width == to.full_width;
  const bool same_rows = image.height == to.full_height;
  if (same_columns && same_rows && to.height == to.full_height) return image;
  if (same_columns) return filter_rows(image, down, 0);
  return filter_rows(filter_columns(image, across, first, rows), down, first);
}

}  // namespace octet::data
