// Moving elements without knowing their type: copies between strided views, and copies through one
// index table per axis. The movement and indexing operators are built from these two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ops/schema.h"

namespace octet::ops {

// Bytes of one element where every element has a whole number of bytes; kUnsupported, naming the
// type, for strings and for the packed 4-bit and 2-bit types.
Result<size_t> element_width(ir::DType dtype);

// Strides of two sides of a copy, in elements, for each axis of a common shape; negative strides
// walk backwards, zero repeats.
struct StridedCopy {
  std::vector<int64_t> shape;
  int64_t from_offset = 0;
  std::vector<int64_t> from_strides;
  int64_t to_offset = 0;
  std::vector<int64_t> to_strides;
};

// Copies every element of the common shape. The caller answers for all offsets being inside.
void copy_strided(const StridedCopy& copy, size_t width, const std::byte* from, std::byte* to);

// `axes[a][i]` says where index i of output axis a reads: an element offset to add, or -1 for
// "nowhere". Output elements with a "nowhere" on any axis are left as they are; all others become
// from[sum of offsets]. The output is dense, row-major.
void copy_mapped(std::span<const std::vector<int64_t>> axes, size_t width, const std::byte* from,
                 std::byte* to);

// Writes `value` (width bytes) to `count` elements.
void fill_elements(const std::byte* value, size_t width, int64_t count, std::byte* to);

// The bytes of a tensor that has just been allocated.
std::byte* writable_bytes(ir::Tensor& tensor);

}  // namespace octet::ops
