#include "compiler/accuracy/columns.h"

#include <algorithm>

#include "compiler/base/checked.h"
#include "compiler/ops/matmul.h"
#include "compiler/ops/window.h"

namespace octet::accuracy {

using ir::Tensor;

namespace {

std::optional<WeightLayout> conv_layout(const ir::Node& node, const Tensor& weight) {
  const int64_t group = ir::int_attribute(node, "group", 1);
  if (weight.rank() < 3 || group < 1 || weight.shape()[0] % group != 0) return std::nullopt;
  WeightLayout out;
  out.groups = group;
  out.rows = weight.shape()[0] / group;
  out.columns = weight.element_count() / weight.shape()[0];
  return out;
}

std::optional<WeightLayout> gemm_layout(const ir::Node& node, const Tensor& weight) {
  const bool plain = ir::float_attribute(node, "alpha", 1.0F) == 1.0F &&
                     ir::float_attribute(node, "beta", 1.0F) == 1.0F &&
                     ir::int_attribute(node, "transA", 0) == 0;
  if (!plain || weight.rank() != 2) return std::nullopt;
  const bool rows_first = ir::int_attribute(node, "transB", 0) != 0;
  WeightLayout out;
  out.rows = weight.shape()[rows_first ? 0 : 1];
  out.columns = weight.shape()[rows_first ? 1 : 0];
  out.order = rows_first ? WeightLayout::Order::kRows : WeightLayout::Order::kColumns;
  return out;
}

}  // namespace

std::optional<WeightLayout> weight_layout(const ir::Node& node, const Tensor& weight) {
  if (weight.dtype() != ir::DType::kFloat32 || weight.element_count() == 0) return std::nullopt;
  if (node.is("Conv")) return conv_layout(node, weight);
  if (node.is("Gemm")) return gemm_layout(node, weight);
  if (!node.is("MatMul") || weight.rank() != 2) return std::nullopt;
  WeightLayout out;
  out.rows = weight.shape()[1];
  out.columns = weight.shape()[0];
  out.order = WeightLayout::Order::kColumns;
  return out;
}

std::vector<float> weight_rows(const WeightLayout& layout, std::span<const float> weight) {
  if (layout.order == WeightLayout::Order::kRows) return {weight.begin(), weight.end()};
  std::vector<float> out(weight.size());
  const auto k = static_cast<size_t>(layout.columns);
  const auto n = static_cast<size_t>(layout.channels());
  for (size_t r = 0; r < n; ++r) {
    for (size_t c = 0; c < k; ++c) out[r * k + c] = weight[c * n + r];
  }
  return out;
}

Result<ColumnReader> ColumnReader::make(const ir::Node& node, const WeightLayout& layout,
                                        std::span<const int64_t> x_shape,
                                        std::span<const int64_t> weight_shape) {
  ColumnReader out;
  out.layout_ = layout;
  const auto count = checked_product(std::vector<int64_t>(x_shape.begin(), x_shape.end()));
  if (!count) return malformed("its data has too many elements");
  out.x_count_ = *count;
  if (!node.is("Conv")) {
    if (x_shape.empty() || x_shape.back() != layout.columns) {
      return malformed("its data does not have ", layout.columns, " columns");
    }
    out.positions_ = out.x_count_ / layout.columns;
    return out;
  }
  OCTET_ASSIGN(const ops::ConvAttributes conv,
               ops::ConvAttributes::from(node, x_shape, weight_shape));
  if (conv.in_channels != layout.groups * (weight_shape.size() > 1 ? weight_shape[1] : 0)) {
    return malformed("its data does not have the weight's channels");
  }
  out.in_channels_ = conv.in_channels;
  int64_t taps = 1;
  for (const ops::WindowAxis& axis : conv.axes) {
    out.in_extents_.push_back(axis.input);
    out.out_extents_.push_back(axis.output);
    out.strides_.push_back(axis.stride);
    out.in_plane_ *= axis.input;
    taps *= axis.kernel;
  }
  const auto plane = checked_product(out.out_extents_);
  if (!plane) return malformed("its output has too many elements");
  out.out_plane_ = *plane;
  for (int64_t t = 0; t < taps; ++t) {
    Tap tap{std::vector<int64_t>(conv.axes.size())};
    int64_t rest = t;
    for (size_t a = conv.axes.size(); a-- > 0;) {
      const ops::WindowAxis& axis = conv.axes[a];
      tap.offset[a] = rest % axis.kernel * axis.dilation - axis.pad_begin;
      rest /= axis.kernel;
    }
    out.taps_.push_back(std::move(tap));
  }
  std::vector<int64_t> outputs = out.out_extents_;
  outputs.push_back(conv.batch);
  const auto positions = checked_product(outputs);
  if (!positions) return malformed("its output has too many elements");
  out.positions_ = out.x_count_ == 0 ? 0 : *positions;
  return out;
}

std::vector<int64_t> ColumnReader::places(std::span<const int64_t> positions) const {
  std::vector<int64_t> out;
  if (taps_.empty()) {
    for (const int64_t position : positions) out.push_back(position * layout_.columns);
    return out;
  }
  out.reserve(positions.size() * taps_.size());
  const size_t axes = in_extents_.size();
  std::vector<int64_t> at(axes);
  for (const int64_t position : positions) {
    int64_t rest = position % out_plane_;
    for (size_t a = axes; a-- > 0;) {
      at[a] = rest % out_extents_[a] * strides_[a];
      rest /= out_extents_[a];
    }
    const int64_t picture = position / out_plane_ * in_channels_ * in_plane_;
    for (const Tap& tap : taps_) {
      int64_t offset = 0;
      for (size_t a = 0; a < axes && offset >= 0; ++a) {
        const int64_t p = at[a] + tap.offset[a];
        offset = p < 0 || p >= in_extents_[a] ? -1 : offset * in_extents_[a] + p;
      }
      out.push_back(offset < 0 ? -1 : picture + offset);
    }
  }
  return out;
}

template <typename T>
void ColumnReader::read_as(std::span<const T> x, int32_t zero_point, int64_t group,
                           std::span<const int64_t> places, std::span<float> out) const {
  const auto zero = static_cast<float>(zero_point);
  const auto columns = static_cast<size_t>(layout_.columns);
  if (taps_.empty()) {
    for (size_t i = 0; i < places.size(); ++i) {
      const T* row = x.data() + static_cast<size_t>(places[i]);
      float* to = out.data() + i * columns;
      for (size_t k = 0; k < columns; ++k) to[k] = static_cast<float>(row[k]) - zero;
    }
    return;
  }
  const int64_t channels = in_channels_ / layout_.groups;
  const T* first = x.data() + group * channels * in_plane_;
  for (size_t i = 0; i < places.size(); i += taps_.size()) {
    const auto inside = places.subspan(i, taps_.size());
    float* to = out.data() + i / taps_.size() * columns;
    const T* plane = first;
    for (int64_t c = 0; c < channels; ++c, plane += in_plane_) {
      for (const int64_t offset : inside) {
        *to++ = offset < 0 ? 0.0F : static_cast<float>(plane[offset]) - zero;
      }
    }
  }
}

void ColumnReader::read(const Tensor& x, int32_t zero_point, int64_t group,
                        std::span<const int64_t> places, std::span<float> out) const {
  switch (x.dtype()) {
    case ir::DType::kUint8:
      return read_as(x.data<uint8_t>(), zero_point, group, places, out);
    case ir::DType::kInt8:
      return read_as(x.data<int8_t>(), zero_point, group, places, out);
    case ir::DType::kUint16:
      return read_as(x.data<uint16_t>(), zero_point, group, places, out);
    case ir::DType::kInt16:
      return read_as(x.data<int16_t>(), zero_point, group, places, out);
    case ir::DType::kFloat32:
      return read_as(x.data<float>(), zero_point, group, places, out);
    default: {
      const std::vector<float> numbers = x.to_floats();
      return read_as(std::span(numbers), zero_point, group, places, out);
    }
  }
}

std::vector<int64_t> sampled_positions(int64_t positions, int64_t count, size_t sample) {
  std::vector<int64_t> out;
  if (positions <= count) {
    for (int64_t i = 0; i < positions; ++i) out.push_back(i);
    return out;
  }
  // 2^64 / golden ratio: the fractional part of a multiple is its top bits.
  constexpr uint64_t kGolden = 0x9E3779B97F4A7C15U;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = positions / count * i + positions % count * i / count;
    const int64_t end = positions / count * (i + 1) + positions % count * (i + 1) / count;
    const uint64_t turn = (static_cast<uint64_t>(sample) * static_cast<uint64_t>(count) +
                           static_cast<uint64_t>(i) + 1) *
                          kGolden;
    const double share = static_cast<double>(turn >> 11) * 0x1p-53;  // in [0, 1)
    out.push_back(
        std::min(end - 1, begin + static_cast<int64_t>(share * static_cast<double>(end - begin))));
  }
  return out;
}

int64_t positions_per_sample(const WeightLayout& layout) {
  if (layout.groups > 1) return 64;
  return std::clamp<int64_t>(32768 / std::max<int64_t>(layout.columns, 1), 64, 256);
}

}  // namespace octet::accuracy
