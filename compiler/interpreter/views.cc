#include "compiler/interpreter/views.h"

#include <algorithm>
#include <numeric>

namespace octet::interpreter {
namespace {

using Shape = std::vector<int64_t>;

// [batch, channels, spatial...] in both, the spatial axes joined or cut: the blocks stay.
bool keeps_channels(const Shape& from, const Shape& to) {
  return from.size() >= 3 && to.size() >= 3 && from.size() <= 5 && to.size() <= 5 &&
         from[0] == to[0] && from[1] == to[1];
}

std::optional<View> reshape(const Shape& from, const Shape& to, const Layout& layout) {
  if (from == to) return View{layout, layout};
  const auto block = layout.channel_block();
  if (block && keeps_channels(from, to)) return View{layout, channel_blocked(to, *block)};
  return View{};
}

std::optional<View> transpose(const ir::Node& node, const Shape& from, const Shape& to,
                              const Layout& layout) {
  const size_t rank = from.size();
  Shape order(rank);
  std::iota(order.rbegin(), order.rend(), 0);
  order = ir::ints_attribute(node, "perm", order);
  if (order.size() != rank || rank == 0) return std::nullopt;
  Shape moved;  // axes of more than one element, in their new order
  for (int64_t axis : order) {
    if (axis < 0 || axis >= static_cast<int64_t>(rank)) return std::nullopt;
    if (from[static_cast<size_t>(axis)] != 1) moved.push_back(axis);
  }
  if (std::is_sorted(moved.begin(), moved.end())) return View{};
  if (rank < 3 || rank > 5) return std::nullopt;
  Shape to_last = {0};  // channels become the last axis
  for (size_t i = 2; i < rank; ++i) to_last.push_back(static_cast<int64_t>(i));
  to_last.push_back(1);
  if (order == to_last && layout.channel_block() == from[1]) return View{layout, {}};
  Shape to_second = {0, static_cast<int64_t>(rank) - 1};
  for (size_t i = 1; i + 1 < rank; ++i) to_second.push_back(static_cast<int64_t>(i));
  if (order == to_second && layout.is_plain()) return View{layout, channel_blocked(to, to[1])};
  return std::nullopt;
}

}  // namespace

std::optional<View> view_of(const ir::Node& node, const ir::TensorType& from,
                            const ir::TensorType& to, const Layout& layout) {
  if (!node.domain.empty() || from.storage != to.storage ||
      numerics::bit_width(from.storage) == 0 ||
      from.shape.element_count() != to.shape.element_count()) {
    return std::nullopt;
  }
  const bool same_shape = from.shape == to.shape;
  if ((node.is("Cast") || node.is("Identity")) && same_shape) return View{layout, layout};
  if (node.is("Reshape") || node.is("Flatten") || node.is("Squeeze") || node.is("Unsqueeze")) {
    return reshape(from.shape.extents(), to.shape.extents(), layout);
  }
  if (node.is("Transpose") && from.storage == ir::DType::kFloat32) {
    return transpose(node, from.shape.extents(), to.shape.extents(), layout);
  }
  return std::nullopt;
}

}  // namespace octet::interpreter
