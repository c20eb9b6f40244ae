// What a linear layer multiplies its weights with: for a convolution the im2col columns, for a
// matrix product the rows of its first operand.
//
// A layer has `groups` Grams of `columns` inputs; group g feeds the weight rows
// [g * rows, (g + 1) * rows). A position is one place of the output (n, y, x, ...) or one row of
// the matrix, numbered in row-major order.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"

namespace octet::accuracy {

// The weight of a layer as rows over its columns.
struct WeightLayout {
  int64_t groups = 1;
  int64_t rows = 0;     // per group: output channels
  int64_t columns = 0;  // inputs of one output channel
  // A Gemm or MatMul whose weight lies [columns, rows].
  enum class Order { kRows, kColumns } order = Order::kRows;

  int64_t channels() const { return groups * rows; }
  // The axis of the weight that runs over output channels.
  int64_t channel_axis() const { return order == Order::kRows ? 0 : 1; }
};

// Conv (any group, stride, dilation, padding), Gemm with alpha = beta = 1 and no transA, MatMul of
// two axes; nothing for any other node or a weight that does not fit.
std::optional<WeightLayout> weight_layout(const ir::Node& node, const ir::Tensor& weight);

// The rows of a float32 weight, groups * rows x columns, and back to the weight's own order.
std::vector<float> weight_rows(const WeightLayout& layout, std::span<const float> weight);
template <typename T>
std::vector<T> from_weight_rows(const WeightLayout& layout, std::span<const T> rows) {
  if (layout.order == WeightLayout::Order::kRows) return {rows.begin(), rows.end()};
  std::vector<T> out(rows.size());
  const auto k = static_cast<size_t>(layout.columns);
  const auto n = static_cast<size_t>(layout.channels());
  for (size_t r = 0; r < n; ++r) {
    for (size_t c = 0; c < k; ++c) out[c * n + r] = rows[r * k + c];
  }
  return out;
}

// Reads columns out of the data operand of one sample.
class ColumnReader {
 public:
  // Errors: the shape does not fit the node (kMalformed).
  static Result<ColumnReader> make(const ir::Node& node, const WeightLayout& layout,
                                   std::span<const int64_t> x_shape,
                                   std::span<const int64_t> weight_shape);

  int64_t positions() const { return positions_; }
  const WeightLayout& layout() const { return layout_; }

  // Where in the data the columns of these positions lie; serves every group.
  std::vector<int64_t> places(std::span<const int64_t> positions) const;

  // out[i * columns + k] = element k of the column at the i-th place in group `group`, the zero
  // point taken off; 0 where the column reaches into padding. x is float32, int8 or uint8 of the
  // shape the reader was made for.
  void read(const ir::Tensor& x, int32_t zero_point, int64_t group, std::span<const int64_t> places,
            std::span<float> out) const;

 private:
  struct Tap {
    std::vector<int64_t> offset;  // per spatial axis: dilation * k - pad
  };

  template <typename T>
  void read_as(std::span<const T> x, int32_t zero_point, int64_t group,
               std::span<const int64_t> places, std::span<float> out) const;

  WeightLayout layout_;
  int64_t positions_ = 0;
  int64_t x_count_ = 0;
  // Convolutions; empty for matrix products.
  std::vector<int64_t> in_extents_;
  std::vector<int64_t> out_extents_;
  std::vector<int64_t> strides_;
  std::vector<Tap> taps_;
  int64_t in_plane_ = 1;
  int64_t out_plane_ = 1;
  int64_t in_channels_ = 0;
};

// Which positions of a sample stand for all: every one where there are at most `count`, else one
// out of each of `count` stretches of equal length, at a place in it that moves with the golden
// ratio from stretch to stretch and sample to sample. The same for the same arguments, always.
std::vector<int64_t> sampled_positions(int64_t positions, int64_t count, size_t sample);

// How many positions of a sample are read: 64, more where columns are short and cost little.
int64_t positions_per_sample(const WeightLayout& layout);

}  // namespace octet::accuracy
