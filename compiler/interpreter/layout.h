// How the elements of a value lie in memory: row-major, or as a oneDNN kernel prefers them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "compiler/interpreter/onednn_compat.h"

namespace octet::interpreter {

// Independent of the element type: the descriptor inside is always one of float32.
class Layout {
 public:
  Layout() = default;  // row-major

  // Row-major when that is what the descriptor amounts to.
  static Layout of(const onednn::Desc& desc);

  bool is_plain() const { return !desc_.has_value(); }
  // The descriptor for a value of this layout and the given shape.
  onednn::Desc desc_for(std::span<const int64_t> shape) const;

  // Elements in memory, padding included. `count` is the number of elements of the value.
  int64_t stored_elements(int64_t count) const { return is_plain() ? count : stored_; }
  // True when there is more in memory than the value's elements. Padding holds zeros, and every
  // kernel that writes such a layout keeps it so.
  bool has_padding() const { return padded_; }
  // True when the first elements in memory are the value in row-major order (a padded vector).
  bool starts_plain() const { return is_plain() || starts_plain_; }
  // The block size B of a layout [batch, channels / B, spatial..., B], which is the number of
  // channels where they come last; nothing for any other layout.
  std::optional<int64_t> channel_block() const { return channel_block_; }

  bool operator==(const Layout& other) const;

 private:
  std::optional<onednn::Desc> desc_;
  int64_t stored_ = 0;
  bool padded_ = false;
  bool starts_plain_ = false;
  std::optional<int64_t> channel_block_;
};

// float32, row-major; a scalar is a vector of one element.
onednn::Desc plain_desc(std::span<const int64_t> shape);
onednn::Desc strided_desc(const onednn::Dims& shape, const onednn::Dims& strides);
// float32 of any format, for oneDNN to choose.
onednn::Desc any_desc(std::span<const int64_t> shape);

// The layout [batch, channels / block, spatial..., block] of a value of rank 3 to 5, in blocks of 8
// or 16 with channels padded with zeros, or of all channels.
Layout channel_blocked(std::span<const int64_t> shape, int64_t block);
onednn::Desc channel_blocked_desc(std::span<const int64_t> shape, int64_t block,
                                  dnnl::memory::data_type type);

}  // namespace octet::interpreter
