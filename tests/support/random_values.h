// Random numbers, and odd but valid names, tensors and attributes, the same for the same seed on
// every machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/ir/attribute.h"
#include "compiler/ir/quant_params.h"
#include "compiler/ir/tensor.h"

namespace octet::testing {

// Numbers from a seed (splitmix64).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t bits();
  int64_t below(int64_t bound) {
    return static_cast<int64_t>(bits() % static_cast<uint64_t>(bound));
  }
  bool one_in(int64_t n) { return below(n) == 0; }
  float between(float low, float high);

  template <typename List>
  const auto& pick(const List& list) {
    return list[static_cast<size_t>(below(static_cast<int64_t>(list.size())))];
  }

 private:
  uint64_t state_;
};

// Not empty; quotes, control characters, ill-formed UTF-8, ...
std::string odd_bytes(Random& random);

// Any bits.
float odd_float(Random& random);

// Of any element type, up to 4 axes, sometimes empty; any bits.
ir::Tensor odd_tensor(Random& random);

// Of every kind but graphs.
ir::Attribute odd_attribute(Random& random);

// A partly known type of any element type.
ir::TensorType odd_type(Random& random);

// For a tensor of that integer type and shape; every granularity.
ir::QuantParams random_quant(Random& random, ir::DType storage, const std::vector<int64_t>& shape);

// Uniform numbers.
ir::Tensor random_floats(Random& random, std::vector<int64_t> shape, float low = -1.0F,
                         float high = 1.0F);

}  // namespace octet::testing
