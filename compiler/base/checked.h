// Integer arithmetic that cannot overflow in silence. Everything computed from sizes that a model
// or a data file names goes through here.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace octet {

inline std::optional<int64_t> checked_add(int64_t a, int64_t b) {
  int64_t out = 0;
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}

inline std::optional<int64_t> checked_sub(int64_t a, int64_t b) {
  int64_t out = 0;
  if (__builtin_sub_overflow(a, b, &out)) return std::nullopt;
  return out;
}

inline std::optional<int64_t> checked_mul(int64_t a, int64_t b) {
  int64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

// The product of non-negative extents; nothing on overflow or on a negative extent. A zero extent
// makes the product zero whatever the others are.
inline std::optional<int64_t> checked_product(std::span<const int64_t> extents) {
  for (int64_t e : extents) {
    if (e < 0) return std::nullopt;
  }
  for (int64_t e : extents) {
    if (e == 0) return 0;
  }
  int64_t out = 1;
  for (int64_t e : extents) {
    auto next = checked_mul(out, e);
    if (!next) return std::nullopt;
    out = *next;
  }
  return out;
}

}  // namespace octet
