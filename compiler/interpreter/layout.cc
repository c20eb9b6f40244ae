#include "compiler/interpreter/layout.h"

#include <algorithm>

#include "compiler/ops/broadcast.h"

namespace octet::interpreter {
namespace {

using onednn::Blocking;
using onednn::Desc;
using onednn::Dims;

int64_t product(const Dims& dims, size_t first = 0) {
  int64_t out = 1;
  for (size_t i = first; i < dims.size(); ++i) out *= dims[i];
  return out;
}

// Strides along axes of extent 1 have no meaning.
bool row_major(const Blocking& b) {
  if (!b.inner_blocks.empty() || b.padded_dims != b.dims || b.offset != 0) return false;
  int64_t expected = 1;
  for (size_t i = b.dims.size(); i-- > 0;) {
    if (b.dims[i] != 1 && b.strides[i] != expected) return false;
    expected *= b.dims[i];
  }
  return true;
}

// The block of a layout [batch, channels / block, spatial..., block].
std::optional<int64_t> channel_block_of(const Blocking& b) {
  const size_t rank = b.dims.size();
  if (b.inner_blocks.size() > 1 || rank < 3 || rank > 5 || b.offset != 0) return std::nullopt;
  if (!b.inner_blocks.empty() && b.inner_axes[0] != 1) return std::nullopt;
  const bool last = b.inner_blocks.empty();
  const int64_t block = last ? b.dims[1] : b.inner_blocks[0];
  if (last && b.dims[1] != 1 && b.strides[1] != 1) return std::nullopt;
  Dims outer = b.padded_dims;
  outer[1] /= block;
  for (size_t i = 0; i < rank; ++i) {
    if ((i != 1 || last) && b.padded_dims[i] != b.dims[i]) return std::nullopt;
  }
  int64_t expected = block;
  for (size_t i = rank; i-- > 0;) {
    if (outer[i] != 1 && b.strides[i] != expected) return std::nullopt;
    expected *= outer[i];
  }
  return block;
}

}  // namespace

Layout Layout::of(const Desc& desc) {
  Layout layout;
  const auto blocking = onednn::blocking_of(desc);
  if (blocking && row_major(*blocking)) return layout;
  layout.desc_ = desc;
  layout.stored_ = static_cast<int64_t>(desc.get_size() / sizeof(float));
  if (!blocking) return layout;
  layout.padded_ = layout.stored_ != product(blocking->dims);
  layout.channel_block_ = channel_block_of(*blocking);
  // One position per channel: the blocks of an image are its channels in order.
  if (layout.channel_block_ && product(blocking->dims, 2) == 1) {
    if (!layout.padded_) return {};
    layout.starts_plain_ = blocking->dims[0] == 1;
  }
  return layout;
}

Desc Layout::desc_for(std::span<const int64_t> shape) const {
  return desc_ ? *desc_ : plain_desc(shape);
}

bool Layout::operator==(const Layout& other) const {
  if (is_plain() || other.is_plain()) return is_plain() == other.is_plain();
  if (channel_block_ && other.channel_block_) {
    return channel_block_ == other.channel_block_ && stored_ == other.stored_;
  }
  return *desc_ == *other.desc_;
}

Desc plain_desc(std::span<const int64_t> shape) {
  if (shape.empty()) return strided_desc({1}, {1});
  return strided_desc(Dims(shape.begin(), shape.end()), ops::row_major_strides(shape));
}

Desc strided_desc(const Dims& shape, const Dims& strides) {
  return {shape, dnnl::memory::data_type::f32, strides};
}

Desc any_desc(std::span<const int64_t> shape) {
  return {Dims(shape.begin(), shape.end()), dnnl::memory::data_type::f32,
          dnnl::memory::format_tag::any};
}

Desc channel_blocked_desc(std::span<const int64_t> shape, int64_t block,
                          dnnl::memory::data_type type) {
  using Tag = dnnl::memory::format_tag;
  const Dims dims(shape.begin(), shape.end());
  if (block == dims[1]) {
    Dims strides = dims;
    int64_t step = block;
    for (size_t i = dims.size(); i-- > 2;) {
      strides[i] = step;
      step *= dims[i];
    }
    strides[1] = 1;
    strides[0] = step;
    return {dims, type, strides};
  }
  Tag tag = Tag::undef;
  if (block == 16) {
    tag = dims.size() == 3 ? Tag::nCw16c : dims.size() == 4 ? Tag::nChw16c : Tag::nCdhw16c;
  } else {
    tag = dims.size() == 3 ? Tag::nCw8c : dims.size() == 4 ? Tag::nChw8c : Tag::nCdhw8c;
  }
  return {dims, type, tag};
}

Layout channel_blocked(std::span<const int64_t> shape, int64_t block) {
  return Layout::of(channel_blocked_desc(shape, block, dnnl::memory::data_type::f32));
}

}  // namespace octet::interpreter
