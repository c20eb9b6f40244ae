// Multidirectional broadcasting (onnx/docs/Broadcasting.md, which is numpy's): of types during
// inference, and of indices during evaluation.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/shape.h"

namespace octet::ops {

// The extent that two extents broadcast to. An extent above 1 wins over one that is not known,
// since the other can only be 1 or the same. kMalformed for two different extents above 1.
Result<ir::Dim> broadcast_dim(const ir::Dim& a, const ir::Dim& b);

// The shape that both broadcast to; of unknown rank when one of them is. kMalformed naming both
// shapes when they do not fit.
Result<ir::Shape> broadcast_shapes(const ir::Shape& a, const ir::Shape& b);

// The same for known extents.
Result<std::vector<int64_t>> broadcast_extents(std::span<const int64_t> a,
                                               std::span<const int64_t> b);

// Row-major strides in elements.
std::vector<int64_t> row_major_strides(std::span<const int64_t> extents);

// Strides in elements of an operand of shape `from` read under the shape `to` that it broadcasts
// to: one per axis of `to`, 0 where the operand is stretched.
std::vector<int64_t> broadcast_strides(std::span<const int64_t> from, std::span<const int64_t> to);

// How N operands are read to fill an output of shape `to` in row-major order: outer axes, and an
// innermost run along which every operand either stands still (run_stride 0) or moves by one
// element (run_stride 1). Axes are joined where all operands allow it, so that operands of one
// shape are a single run and a per-channel operand is one run per channel.
template <size_t N>
struct BroadcastPlan {
  std::vector<int64_t> extents;                 // outer axes
  std::array<std::vector<int64_t>, N> strides;  // of the operands along the outer axes
  int64_t run = 0;                              // elements in a run; 0 for an empty output
  std::array<int64_t, N> run_stride{};
};

namespace internal {
struct JoinedAxes {
  std::vector<int64_t> extents;
  std::vector<std::vector<int64_t>> strides;  // operand, axis
};
JoinedAxes join_axes(std::span<const int64_t> to, std::span<const std::vector<int64_t>> operands);
}  // namespace internal

template <size_t N>
BroadcastPlan<N> make_broadcast_plan(std::span<const int64_t> to,
                                     const std::array<std::vector<int64_t>, N>& operands) {
  BroadcastPlan<N> plan;
  internal::JoinedAxes joined = internal::join_axes(to, operands);
  plan.run = joined.extents.back();
  joined.extents.pop_back();
  plan.extents = std::move(joined.extents);
  for (size_t k = 0; k < N; ++k) {
    plan.run_stride[k] = joined.strides[k].back();
    joined.strides[k].pop_back();
    plan.strides[k] = std::move(joined.strides[k]);
  }
  return plan;
}

// True where the first of two operands alone stands still along the runs.
inline bool first_stands_still(const BroadcastPlan<2>& plan) {
  return plan.run_stride[0] == 0 && plan.run_stride[1] != 0;
}

// Calls visit(output offset, operand offsets) for every run, in row-major order.
template <size_t N, typename Visit>
void for_each_run(const BroadcastPlan<N>& plan, Visit&& visit) {
  if (plan.run == 0) return;
  for (int64_t extent : plan.extents) {
    if (extent == 0) return;
  }
  const size_t rank = plan.extents.size();
  std::vector<int64_t> index(rank, 0);
  std::array<int64_t, N> offsets{};
  for (int64_t out = 0;; out += plan.run) {
    visit(out, offsets);
    size_t axis = rank;
    while (axis > 0) {
      --axis;
      for (size_t k = 0; k < N; ++k) offsets[k] += plan.strides[k][axis];
      if (++index[axis] < plan.extents[axis]) break;
      for (size_t k = 0; k < N; ++k) offsets[k] -= plan.strides[k][axis] * plan.extents[axis];
      index[axis] = 0;
      if (axis == 0) return;
    }
    if (rank == 0) return;
  }
}

}  // namespace octet::ops
