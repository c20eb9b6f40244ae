#include "compiler/ops/broadcast.h"

#include <algorithm>

namespace octet::ops {

Result<ir::Dim> broadcast_dim(const ir::Dim& a, const ir::Dim& b) {
  if (a == b) return a;
  if (a.is_static() && a.extent() == 1) return b;
  if (b.is_static() && b.extent() == 1) return a;
  if (a.is_static() && b.is_static()) {
    return malformed("extents ", a.extent(), " and ", b.extent(), " do not broadcast");
  }
  if (a.is_static()) return a;
  if (b.is_static()) return b;
  return ir::Dim();
}

Result<ir::Shape> broadcast_shapes(const ir::Shape& a, const ir::Shape& b) {
  if (!a.has_rank() || !b.has_rank()) return ir::Shape();
  const size_t rank = std::max(a.rank(), b.rank());
  std::vector<ir::Dim> dims(rank, ir::Dim(1));
  for (size_t i = 0; i < rank; ++i) {  // from the last axis
    const ir::Dim da = i < a.rank() ? a[a.rank() - 1 - i] : ir::Dim(1);
    const ir::Dim db = i < b.rank() ? b[b.rank() - 1 - i] : ir::Dim(1);
    auto dim = broadcast_dim(da, db);
    if (!dim.ok()) {
      return malformed("shapes ", a.to_string(), " and ", b.to_string(), " do not broadcast");
    }
    dims[rank - 1 - i] = *dim;
  }
  return ir::Shape(std::move(dims));
}

Result<std::vector<int64_t>> broadcast_extents(std::span<const int64_t> a,
                                               std::span<const int64_t> b) {
  OCTET_ASSIGN(ir::Shape shape, broadcast_shapes(ir::Shape::of({a.begin(), a.end()}),
                                                 ir::Shape::of({b.begin(), b.end()})));
  return shape.extents();
}

std::vector<int64_t> row_major_strides(std::span<const int64_t> extents) {
  std::vector<int64_t> strides(extents.size(), 1);
  for (size_t i = extents.size(); i > 1; --i) {
    // Extents beside a zero may be arbitrarily large; their strides are never used.
    if (__builtin_mul_overflow(strides[i - 1], extents[i - 1], &strides[i - 2])) {
      strides[i - 2] = 0;
    }
  }
  return strides;
}

std::vector<int64_t> broadcast_strides(std::span<const int64_t> from, std::span<const int64_t> to) {
  const std::vector<int64_t> own = row_major_strides(from);
  std::vector<int64_t> strides(to.size(), 0);
  const size_t skipped = to.size() - from.size();
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i] != 1) strides[skipped + i] = own[i];
  }
  return strides;
}

namespace internal {

JoinedAxes join_axes(std::span<const int64_t> to, std::span<const std::vector<int64_t>> operands) {
  std::vector<std::vector<int64_t>> strides;
  for (const auto& operand : operands) strides.push_back(broadcast_strides(operand, to));
  JoinedAxes joined;
  joined.strides.resize(operands.size());
  for (size_t axis = 0; axis < to.size(); ++axis) {
    if (to[axis] == 1) continue;
    bool joins = !joined.extents.empty();
    for (size_t k = 0; joins && k < operands.size(); ++k) {
      int64_t span = 0;
      joins = !__builtin_mul_overflow(strides[k][axis], to[axis], &span) &&
              joined.strides[k].back() == span;
    }
    int64_t extent = 0;
    if (joins && !__builtin_mul_overflow(joined.extents.back(), to[axis], &extent)) {
      joined.extents.back() = extent;
      for (size_t k = 0; k < operands.size(); ++k) joined.strides[k].back() = strides[k][axis];
      continue;
    }
    joined.extents.push_back(to[axis]);
    for (size_t k = 0; k < operands.size(); ++k) joined.strides[k].push_back(strides[k][axis]);
  }
  if (joined.extents.empty()) {
    joined.extents.push_back(1);
    for (auto& operand : joined.strides) operand.push_back(1);
  }
  return joined;
}

}  // namespace internal
}  // namespace octet::ops
