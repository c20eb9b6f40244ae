#include "compiler/ops/strided.h"

#include <cstring>

namespace octet::ops {
namespace {

// One axis of a copy after merging.
struct Loop {
  int64_t count;
  int64_t from;
  int64_t to;
};

// Drops axes of extent 1 and joins neighbours that both sides walk as one.
std::vector<Loop> merged_loops(const StridedCopy& copy) {
  std::vector<Loop> loops;
  for (size_t a = 0; a < copy.shape.size(); ++a) {
    if (copy.shape[a] == 1) continue;
    const Loop loop = {copy.shape[a], copy.from_strides[a], copy.to_strides[a]};
    if (!loops.empty() && loops.back().from == loop.count * loop.from &&
        loops.back().to == loop.count * loop.to) {
      loops.back() = {loops.back().count * loop.count, loop.from, loop.to};
    } else {
      loops.push_back(loop);
    }
  }
  if (loops.empty()) loops.push_back({1, 1, 1});
  return loops;
}

template <size_t kWidth>
void copy_row(const Loop& row, const std::byte* from, std::byte* to) {
  if (row.from == 1 && row.to == 1) {
    std::memcpy(to, from, static_cast<size_t>(row.count) * kWidth);
    return;
  }
  const auto width = static_cast<int64_t>(kWidth);
  for (int64_t i = 0; i < row.count; ++i) {
    std::memcpy(to + i * row.to * width, from + i * row.from * width, kWidth);
  }
}

template <size_t kWidth>
void copy_loops(const std::vector<Loop>& loops, const std::byte* from, std::byte* to) {
  const auto width = static_cast<int64_t>(kWidth);
  const size_t outer = loops.size() - 1;
  std::vector<int64_t> index(outer, 0);
  int64_t from_at = 0;
  int64_t to_at = 0;
  for (;;) {
    copy_row<kWidth>(loops[outer], from + from_at * width, to + to_at * width);
    size_t axis = outer;
    for (;;) {
      if (axis == 0) return;
      --axis;
      from_at += loops[axis].from;
      to_at += loops[axis].to;
      if (++index[axis] < loops[axis].count) break;
      from_at -= loops[axis].from * loops[axis].count;
      to_at -= loops[axis].to * loops[axis].count;
      index[axis] = 0;
    }
  }
}

template <size_t kWidth>
void map_row(const std::vector<int64_t>& map, const std::byte* from, std::byte* to) {
  const auto width = static_cast<int64_t>(kWidth);
  for (size_t i = 0; i < map.size(); ++i) {
    if (map[i] >= 0) std::memcpy(to + i * kWidth, from + map[i] * width, kWidth);
  }
}

template <size_t kWidth>
void map_axes(std::span<const std::vector<int64_t>> axes, const std::byte* from, std::byte* to) {
  const auto width = static_cast<int64_t>(kWidth);
  const size_t outer = axes.size() - 1;
  const auto row = static_cast<int64_t>(axes[outer].size());
  std::vector<size_t> index(outer, 0);
  for (int64_t to_at = 0;; to_at += row * width) {
    int64_t offset = 0;
    bool nowhere = false;
    for (size_t a = 0; a < outer; ++a) {
      const int64_t step = axes[a][index[a]];
      nowhere = nowhere || step < 0;
      offset += step;
    }
    if (!nowhere) map_row<kWidth>(axes[outer], from + offset * width, to + to_at);
    size_t axis = outer;
    for (;;) {
      if (axis == 0) return;
      --axis;
      if (++index[axis] < axes[axis].size()) break;
      index[axis] = 0;
    }
  }
}

}  // namespace

Result<size_t> element_width(ir::DType dtype) {
  const int bits = numerics::bit_width(dtype);
  if (bits < 8) {
    return unsupported("elements of type ", numerics::dtype_name(dtype), " cannot be moved");
  }
  return static_cast<size_t>(bits) / 8;
}

void copy_strided(const StridedCopy& copy, size_t width, const std::byte* from, std::byte* to) {
  for (int64_t extent : copy.shape) {
    if (extent <= 0) return;
  }
  const std::vector<Loop> loops = merged_loops(copy);
  const auto bytes = static_cast<int64_t>(width);
  from += copy.from_offset * bytes;
  to += copy.to_offset * bytes;
  switch (width) {
    case 1:
      return copy_loops<1>(loops, from, to);
    case 2:
      return copy_loops<2>(loops, from, to);
    case 4:
      return copy_loops<4>(loops, from, to);
    case 8:
      return copy_loops<8>(loops, from, to);
    default:
      return copy_loops<16>(loops, from, to);
  }
}

void copy_mapped(std::span<const std::vector<int64_t>> axes, size_t width, const std::byte* from,
                 std::byte* to) {
  if (axes.empty()) {
    std::memcpy(to, from, width);
    return;
  }
  for (const std::vector<int64_t>& axis : axes) {
    if (axis.empty()) return;
  }
  switch (width) {
    case 1:
      return map_axes<1>(axes, from, to);
    case 2:
      return map_axes<2>(axes, from, to);
    case 4:
      return map_axes<4>(axes, from, to);
    case 8:
      return map_axes<8>(axes, from, to);
    default:
      return map_axes<16>(axes, from, to);
  }
}

void fill_elements(const std::byte* value, size_t width, int64_t count, std::byte* to) {
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(to + i * static_cast<int64_t>(width), value, width);
  }
}

std::byte* writable_bytes(ir::Tensor& tensor) { return tensor.mutable_data<std::byte>().data(); }

}  // namespace octet::ops
