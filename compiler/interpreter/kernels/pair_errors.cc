#include "compiler/interpreter/kernels/pair_errors.h"

#include <cstring>

#include "compiler/numerics/device_arithmetic.h"

namespace octet::interpreter {

PairErrors PairErrors::of_matmul(const ir::Tensor& weights, const Matrix& matrix) {
  PairErrors out;
  out.row_bytes_ = matrix.depth;
  const int8_t* w = weights.data<int8_t>().data();
  for (int64_t c = 0; c < matrix.columns; ++c) {
    const int8_t* column = w + c * matrix.column_step;
    for (int64_t k = 0; k + 1 < matrix.depth; k += 2) {
      const int32_t s0 = column[k * matrix.row_step];
      const int32_t s1 = column[(k + 1) * matrix.row_step];
      if (numerics::may_saturate(s0, s1)) out.entries_.push_back({{k, k + 1}, {s0, s1}});
    }
    out.ends_.push_back(out.entries_.size());
  }
  return out;
}

PairErrors PairErrors::of_conv(const ir::Tensor& weights, const ops::ConvAttributes& conv,
                               uint8_t x_zero) {
  PairErrors out;
  if (conv.group > 1 && conv.group == conv.in_channels && conv.group == conv.out_channels) {
    return out;
  }
  out.is_conv_ = true;
  out.axes_ = conv.axes;
  out.channels_ = conv.in_channels;
  out.x_zero_ = x_zero;
  for (const ops::WindowAxis& axis : conv.axes) {
    out.taps_ *= axis.kernel;
    out.in_plane_ *= axis.input;
    out.out_plane_ *= axis.output;
  }
  out.row_bytes_ = out.taps_ * conv.in_channels;
  const int64_t in_per_group = conv.in_channels / conv.group;
  const int64_t out_per_group = conv.out_channels / conv.group;
  const int8_t* w = weights.data<int8_t>().data();
  for (int64_t m = 0; m < conv.out_channels; ++m) {
    const auto weight = [&](int64_t k) {
      return int32_t{w[(m * in_per_group + k % in_per_group) * out.taps_ + k / in_per_group]};
    };
    const auto place = [&](int64_t k) {
      return k / in_per_group * out.channels_ + m / out_per_group * in_per_group + k % in_per_group;
    };
    for (int64_t k = 0; k + 1 < in_per_group * out.taps_; k += 2) {
      if (!numerics::may_saturate(weight(k), weight(k + 1))) continue;
      out.entries_.push_back({{place(k), place(k + 1)}, {weight(k), weight(k + 1)}});
    }
    out.ends_.push_back(out.entries_.size());
  }
  return out;
}

void PairErrors::add(const uint8_t* x, std::byte* scratch, std::span<int32_t> sums) const {
  const size_t columns = ends_.size();
  if (empty() || columns == 0) return;
  const auto rows = static_cast<int64_t>(sums.size() / columns);
  auto* gathered = reinterpret_cast<uint8_t*>(scratch);
  for (int64_t r = 0; r < rows; ++r) {
    const uint8_t* row = x + r * row_bytes_;
    if (is_conv_) {
      gather(x + r / out_plane_ * in_plane_ * channels_, r % out_plane_, gathered);
      row = gathered;
    }
    add_row(row, sums.data() + static_cast<size_t>(r) * columns);
  }
}

void PairErrors::add_row(const uint8_t* row, int32_t* sums) const {
  size_t i = 0;
  for (size_t c = 0; c < ends_.size(); ++c) {
    uint32_t errors = 0;
    for (; i < ends_[c]; ++i) {
      const Entry& e = entries_[i];
      errors += static_cast<uint32_t>(
          numerics::pair_error(row[e.at[0]], e.weight[0], row[e.at[1]], e.weight[1]));
    }
    sums[c] = static_cast<int32_t>(static_cast<uint32_t>(sums[c]) + errors);
  }
}

void PairErrors::gather(const uint8_t* image, int64_t position, uint8_t* row) const {
  const auto width = static_cast<size_t>(channels_);
  for (int64_t tap = 0; tap < taps_; ++tap, row += width) {
    int64_t offset = 0;
    int64_t stride = 1;
    int64_t p = position;
    int64_t t = tap;
    bool inside = true;
    for (size_t a = axes_.size(); a-- > 0;) {
      const ops::WindowAxis& axis = axes_[a];
      const int64_t at =
          p % axis.output * axis.stride - axis.pad_begin + t % axis.kernel * axis.dilation;
      inside = inside && at >= 0 && at < axis.input;
      offset += at * stride;
      stride *= axis.input;
      p /= axis.output;
      t /= axis.kernel;
    }
    if (inside) {
      std::memcpy(row, image + offset * channels_, width);
    } else {
      std::memset(row, x_zero_, width);
    }
  }
}

}  // namespace octet::interpreter
