// Convolution in plain loops over any element types; Conv, ConvTranspose, ConvInteger and
// QLinearConv are this with different ways to read, accumulate and store.
//
//   conv:       y[n,m,o] = sum over c, k of x[n, c, o * stride - pad + k * dilation] * w[m, c, k]
//   transposed: y[n,m,i * stride - pad + k * dilation] += x[n,c,i] * w[c,m,k]
//
// with c over the input channels of m's group. Padding contributes nothing, so that integer forms
// read x as "element minus zero point".
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "compiler/ops/broadcast.h"
#include "compiler/ops/scratch.h"
#include "compiler/ops/window.h"

namespace octet::ops {

// The indices i in [first, last) for which at(i) = i * stride + offset lies in [0, extent).
struct TapRange {
  int64_t first = 0;
  int64_t last = 0;
  int64_t stride = 1;
  int64_t offset = 0;
  int64_t at(int64_t i) const { return i * stride + offset; }
};

inline TapRange tap_range(int64_t count, int64_t stride, int64_t offset, int64_t extent) {
  TapRange range = {0, 0, stride, offset};
  if (offset >= extent) return range;
  range.first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
  range.last = std::min(count, (extent - 1 - offset) / stride + 1);
  range.last = std::max(range.first, range.last);
  return range;
}

// Visits, for one tap given by its range on each spatial axis, every row along the last axis:
// visit(offset in the walked tensor, offset in the other one, count). The walked tensor advances by
// 1 within the row, the other one by the last range's stride.
class TapRows {
 public:
  TapRows(std::vector<int64_t> walked_extents, std::vector<int64_t> other_extents)
      : walked_strides_(row_major_strides(walked_extents)),
        other_strides_(row_major_strides(other_extents)),
        index_(walked_extents.size()) {}

  template <typename Visit>
  void visit(std::span<const TapRange> ranges, Visit&& visit) {
    for (const TapRange& range : ranges) {
      if (range.first >= range.last) return;
    }
    const size_t last = ranges.size() - 1;
    int64_t walked = 0;
    int64_t other = 0;
    for (size_t a = 0; a <= last; ++a) {
      index_[a] = ranges[a].first;
      walked += index_[a] * walked_strides_[a];
      other += ranges[a].at(index_[a]) * other_strides_[a];
    }
    for (;;) {
      visit(walked, other, ranges[last].last - ranges[last].first);
      size_t a = last;
      for (;;) {
        if (a == 0) return;
        --a;
        walked += walked_strides_[a];
        other += ranges[a].stride * other_strides_[a];
        if (++index_[a] < ranges[a].last) break;
        const int64_t back = ranges[a].last - ranges[a].first;
        walked -= back * walked_strides_[a];
        other -= back * ranges[a].stride * other_strides_[a];
        index_[a] = ranges[a].first;
      }
    }
  }

 private:
  std::vector<int64_t> walked_strides_;
  std::vector<int64_t> other_strides_;
  std::vector<int64_t> index_;
};

namespace internal {

// Ranges of every tap of every axis, and the taps themselves in row-major order.
class Taps {
 public:
  enum class Walk { kOutput, kInput };
  Taps(const ConvAttributes& conv, Walk walk) {
    for (const WindowAxis& axis : conv.axes) {
      std::vector<TapRange> ranges;
      for (int64_t k = 0; k < axis.kernel; ++k) {
        const int64_t offset = k * axis.dilation - axis.pad_begin;
        ranges.push_back(walk == Walk::kOutput
                             ? tap_range(axis.output, axis.stride, offset, axis.input)
                             : tap_range(axis.input, axis.stride, offset, axis.output));
      }
      count_ *= axis.kernel;
      axes_.push_back(std::move(ranges));
    }
    current_.resize(axes_.size());
  }

  int64_t count() const { return count_; }

  std::span<const TapRange> at(int64_t tap) {
    for (size_t a = axes_.size(); a-- > 0;) {
      const auto extent = static_cast<int64_t>(axes_[a].size());
      current_[a] = axes_[a][static_cast<size_t>(tap % extent)];
      tap /= extent;
    }
    return current_;
  }

 private:
  std::vector<std::vector<TapRange>> axes_;
  std::vector<TapRange> current_;
  int64_t count_ = 1;
};

inline std::vector<int64_t> spatial(const ConvAttributes& conv, int64_t WindowAxis::*extent) {
  std::vector<int64_t> out;
  for (const WindowAxis& axis : conv.axes) out.push_back(axis.*extent);
  return out;
}

// Zero where an extent beside a zero makes the product of the others overflow.
inline int64_t product(const std::vector<int64_t>& extents) {
  return checked_product(extents).value_or(0);
}

// Without output elements or input channels there is nothing to add up, and a weight without
// elements may claim a kernel of any extent.
inline bool has_products(const ConvAttributes& conv) {
  return conv.in_channels > 0 && product(conv.output_shape()) > 0;
}

template <typename Acc, typename Store>
Status store_empty_sums(const ConvAttributes& conv, Store&& store) {
  const int64_t plane = product(spatial(conv, &WindowAxis::output));
  for (int64_t i = 0; i < product(conv.output_shape()); ++i) {
    store(i, i / plane % conv.out_channels, Acc());
  }
  return {};
}

}  // namespace internal

// load_x(index) and load_w(index, output channel) give Acc; store(index, output channel, Acc) takes
// the sums, each output element once. Sums must fit Acc: int8 products need int64_t to be safe from
// any input, and then narrow as the operator says.
template <typename Acc, typename LoadX, typename LoadW, typename Store>
Status reference_conv(const EvaluateContext& context, const ConvAttributes& conv, LoadX&& load_x,
                      LoadW&& load_w, Store&& store) {
  if (!internal::has_products(conv)) return internal::store_empty_sums<Acc>(conv, store);
  const auto in_extents = internal::spatial(conv, &WindowAxis::input);
  const auto out_extents = internal::spatial(conv, &WindowAxis::output);
  const int64_t in_plane = internal::product(in_extents);
  const int64_t out_plane = internal::product(out_extents);
  const int64_t in_per_group = conv.in_channels / conv.group;
  const int64_t out_per_group = conv.out_channels / conv.group;
  internal::Taps taps(conv, internal::Taps::Walk::kOutput);
  TapRows rows(out_extents, in_extents);
  const int64_t step = conv.axes.back().stride;
  OCTET_ASSIGN(auto plane, Scratch<Acc>::make(context, out_plane));
  const std::span<Acc> sums = plane.span();
  for (int64_t nm = 0; nm < conv.batch * conv.out_channels; ++nm) {
    const int64_t m = nm % conv.out_channels;
    const int64_t first_channel = m / out_per_group * in_per_group;
    std::fill(sums.begin(), sums.end(), Acc());
    for (int64_t c = 0; c < in_per_group; ++c) {
      const int64_t x_at =
          (nm / conv.out_channels * conv.in_channels + first_channel + c) * in_plane;
      for (int64_t k = 0; k < taps.count(); ++k) {
        const Acc w = load_w((m * in_per_group + c) * taps.count() + k, m);
        rows.visit(taps.at(k), [&](int64_t out, int64_t in, int64_t count) {
          Acc* row = sums.data() + out;
          for (int64_t i = 0; i < count; ++i) row[i] += w * load_x(x_at + in + i * step);
        });
      }
    }
    for (int64_t i = 0; i < out_plane; ++i) store(nm * out_plane + i, m, sums[i]);
  }
  return {};
}

template <typename Acc, typename LoadX, typename LoadW, typename Store>
Status reference_conv_transpose(const EvaluateContext& context, const ConvAttributes& conv,
                                LoadX&& load_x, LoadW&& load_w, Store&& store) {
  if (!internal::has_products(conv)) return internal::store_empty_sums<Acc>(conv, store);
  const auto in_extents = internal::spatial(conv, &WindowAxis::input);
  const auto out_extents = internal::spatial(conv, &WindowAxis::output);
  const int64_t in_plane = internal::product(in_extents);
  const int64_t out_plane = internal::product(out_extents);
  const int64_t in_per_group = conv.in_channels / conv.group;
  const int64_t out_per_group = conv.out_channels / conv.group;
  internal::Taps taps(conv, internal::Taps::Walk::kInput);
  TapRows rows(in_extents, out_extents);
  const int64_t step = conv.axes.back().stride;
  OCTET_ASSIGN(auto plane, Scratch<Acc>::make(context, out_plane));
  const std::span<Acc> sums = plane.span();
  for (int64_t nm = 0; nm < conv.batch * conv.out_channels; ++nm) {
    const int64_t m = nm % conv.out_channels;
    const int64_t first_channel = m / out_per_group * in_per_group;
    std::fill(sums.begin(), sums.end(), Acc());
    for (int64_t c = first_channel; c < first_channel + in_per_group; ++c) {
      const int64_t x_at = (nm / conv.out_channels * conv.in_channels + c) * in_plane;
      for (int64_t k = 0; k < taps.count(); ++k) {
        const Acc w = load_w((c * out_per_group + m % out_per_group) * taps.count() + k, m);
        rows.visit(taps.at(k), [&](int64_t in, int64_t out, int64_t count) {
          Acc* row = sums.data() + out;
          for (int64_t i = 0; i < count; ++i) row[i * step] += w * load_x(x_at + in + i);
        });
      }
    }
    for (int64_t i = 0; i < out_plane; ++i) store(nm * out_plane + i, m, sums[i]);
  }
  return {};
}

// Shape inference of Conv-like nodes whose data is operand 0 and whose weight is operand `weight`:
// Conv 1, ConvInteger 1, QLinearConv 3. Checks ranks, channels and windows as far as known.
Result<ir::Shape> infer_conv_shape(const InferContext& context, size_t weight);

}  // namespace octet::ops
