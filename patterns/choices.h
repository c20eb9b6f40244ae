// Random choices for instances of patterns: the shapes, axes, permutations and numbers that
// operators are fed with, sensible ones mostly, so that where clauses hold and fail often enough.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include "compiler/ir/graph.h"

namespace octet::patterns {

// The same numbers on every machine (SplitMix64).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next();
  // In [0, bound); bound > 0.
  int64_t below(int64_t bound) {
    return static_cast<int64_t>(next() % static_cast<uint64_t>(bound));
  }
  int64_t between(int64_t low, int64_t high) { return low + below(high - low + 1); }
  bool chance(int percent) { return below(100) < percent; }
  double uniform();  // [0, 1)
  template <typename T>
  const T& of(const std::vector<T>& list) {
    return list[static_cast<size_t>(below(static_cast<int64_t>(list.size())))];
  }

 private:
  uint64_t state_;
};

// An element type, float32 mostly.
ir::DType random_dtype(Random& random);

// Extents 1 to 4, rank 0 to 5.
std::vector<int64_t> random_shape(Random& random);

// A shape that broadcasts with `shape`: itself, a scalar, its last extents, some extents as 1.
std::vector<int64_t> broadcast_variant(Random& random, const std::vector<int64_t>& shape);

// Elements of any type: small numbers, some of them those at which operators bend (0, 1, 3, 6).
ir::Tensor random_tensor(Random& random, ir::DType dtype, const std::vector<int64_t>& shape);

// A type that says as much of the shape as a model might: all of it, some of it, nothing.
ir::TensorType loosened(Random& random, ir::DType dtype, const std::vector<int64_t>& shape);

// What operand `index` of an operator takes beside its data, given what its operand 0 is. Nothing
// when the operand is one like the data.
std::optional<ir::Tensor> special_operand(Random& random, std::string_view op_type, size_t index,
                                          const ir::Tensor& data);

// A value for an attribute by its name.
ir::Attribute random_attribute(Random& random, std::string_view name, const ir::Tensor& data);

// Attributes that an operator may have and a pattern need not name.
std::vector<std::string_view> other_attributes(std::string_view op_type, int64_t opset);

}  // namespace octet::patterns
