// Typed integer ids: a ValueId is not a NodeId, and neither is a plain int.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace octet {

template <typename Tag>
struct Id {
  int32_t value = -1;

  constexpr Id() = default;
  constexpr explicit Id(int32_t v) : value(v) {}
  constexpr explicit Id(size_t v) : value(static_cast<int32_t>(v)) {}

  constexpr bool valid() const { return value >= 0; }
  constexpr size_t index() const { return static_cast<size_t>(value); }
  constexpr auto operator<=>(const Id&) const = default;
};

}  // namespace octet

template <typename Tag>
struct std::hash<octet::Id<Tag>> {
  size_t operator()(octet::Id<Tag> id) const noexcept { return std::hash<int32_t>{}(id.value); }
};
