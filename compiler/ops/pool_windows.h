// Walking the windows of a pool, whatever is computed from their elements.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "compiler/ops/broadcast.h"
#include "compiler/ops/window.h"

namespace octet::ops {

// The part of one window that lies in the input, along one axis.
struct Reach {
  int64_t start = 0;    // first index read
  int64_t count = 0;    // taps inside the input
  int64_t counted = 0;  // taps inside the padded input
};

inline std::vector<Reach> reaches(const WindowAxis& axis) {
  std::vector<Reach> out;
  for (int64_t o = 0; o < axis.output; ++o) {
    const int64_t start = o * axis.stride - axis.pad_begin;
    const int64_t d = axis.dilation;
    const int64_t skipped = start < 0 ? (-start + d - 1) / d : 0;
    const int64_t inside =
        start < axis.input ? std::min(axis.kernel, (axis.input - 1 - start) / d + 1) : 0;
    const int64_t padded = axis.input + axis.pad_end;
    const int64_t counted =
        start < padded ? std::min(axis.kernel, (padded - 1 - start) / d + 1) : 0;
    out.push_back({start + skipped * d, std::max<int64_t>(0, inside - skipped), counted});
  }
  return out;
}

// Walks all windows of one [spatial...] plane. `Visitor` has begin(), add(value, offset in the
// plane) and end(output offset in the plane, counted taps).
class Windows {
 public:
  explicit Windows(const PoolAttributes& pool) {
    std::vector<int64_t> extents;
    for (const WindowAxis& axis : pool.axes) {
      extents.push_back(axis.input);
      reaches_.push_back(reaches(axis));
      dilations_.push_back(axis.dilation);
    }
    strides_ = row_major_strides(extents);
  }

  template <typename T, typename Visitor>
  void visit(const T* plane, Visitor& visitor) const {
    const size_t rank = reaches_.size();
    std::vector<size_t> index(rank, 0);
    std::vector<Reach> window(rank);
    std::vector<int64_t> tap(rank);
    for (int64_t out = 0;; ++out) {
      int64_t counted = 1;
      for (size_t a = 0; a < rank; ++a) {
        window[a] = reaches_[a][index[a]];
        counted *= window[a].counted;
      }
      visitor.begin();
      add_window(plane, window, tap, visitor);
      visitor.end(out, counted);
      size_t axis = rank;
      for (;;) {
        if (axis == 0) return;
        --axis;
        if (++index[axis] < reaches_[axis].size()) break;
        index[axis] = 0;
      }
    }
  }

 private:
  template <typename T, typename Visitor>
  void add_window(const T* plane, const std::vector<Reach>& window, std::vector<int64_t>& tap,
                  Visitor& visitor) const {
    const size_t last = window.size() - 1;
    int64_t at = 0;
    for (size_t a = 0; a <= last; ++a) {
      if (window[a].count == 0) return;
      at += window[a].start * strides_[a];
      tap[a] = 0;
    }
    for (;;) {
      for (int64_t k = 0; k < window[last].count; ++k) {
        visitor.add(plane[at + k * dilations_[last]], at + k * dilations_[last]);
      }
      size_t axis = last;
      for (;;) {
        if (axis == 0) return;
        --axis;
        at += dilations_[axis] * strides_[axis];
        if (++tap[axis] < window[axis].count) break;
        at -= dilations_[axis] * strides_[axis] * window[axis].count;
        tap[axis] = 0;
      }
    }
  }

  std::vector<std::vector<Reach>> reaches_;
  std::vector<int64_t> dilations_;
  std::vector<int64_t> strides_;
};

inline int64_t plane_size(const PoolAttributes& pool, int64_t WindowAxis::*extent) {
  int64_t size = 1;
  for (const WindowAxis& axis : pool.axes) size *= axis.*extent;
  return size;
}

}  // namespace octet::ops
