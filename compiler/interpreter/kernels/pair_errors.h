// Fast form of sums of saturating pairs (compiler/numerics/device_arithmetic.h): exact sums, and
// what saturation changes in the few pairs of weights that can saturate at all.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compiler/ir/tensor.h"
#include "compiler/ops/window.h"

namespace octet::interpreter {

class PairErrors {
 public:
  // Rows of activations, next to each other, times an int8 matrix of `depth` rows and `columns`
  // columns whose element (k, c) stands at k * row_step + c * column_step.
  struct Matrix {
    int64_t depth = 0;
    int64_t columns = 0;
    int64_t row_step = 0;
    int64_t column_step = 0;
  };
  static PairErrors of_matmul(const ir::Tensor& weights, const Matrix& matrix);

  // Activations with channels last, int8 weights as Conv has them, `x_zero` for padding. None where
  // the convolution is depthwise.
  static PairErrors of_conv(const ir::Tensor& weights, const ops::ConvAttributes& conv,
                            uint8_t x_zero);

  // True when nothing saturates, whatever the activations.
  bool empty() const { return entries_.empty(); }
  // What `add` needs of scratch memory.
  int64_t scratch_bytes() const { return is_conv_ ? row_bytes_ : 0; }

  // Adds to `sums`, rows of one per output channel, modulo 2^32.
  void add(const uint8_t* x, std::byte* scratch, std::span<int32_t> sums) const;

 private:
  // Two weights of one channel and where their activations stand in a row.
  struct Entry {
    int64_t at[2];
    int32_t weight[2];
  };

  void add_row(const uint8_t* row, int32_t* sums) const;
  // The activations under the kernel at one output position: position-major, channels last.
  void gather(const uint8_t* image, int64_t position, uint8_t* row) const;

  std::vector<Entry> entries_;  // channel by channel
  std::vector<size_t> ends_;    // by channel: where its entries end
  int64_t row_bytes_ = 0;       // activations of one row of sums
  bool is_conv_ = false;
  std::vector<ops::WindowAxis> axes_;
  int64_t channels_ = 0;
  int64_t taps_ = 1;
  int64_t in_plane_ = 1;
  int64_t out_plane_ = 1;
  uint8_t x_zero_ = 0;
};

}  // namespace octet::interpreter
