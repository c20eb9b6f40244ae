// Random graphs that verify(), the same for the same seed on every machine.
#pragma once

#include <cstdint>

#include "compiler/ir/graph.h"

namespace octet::testing {

enum class RandomContent {
  // Only what an interpreter can run: elementwise and linear operators of ai.onnx at opset 17 on
  // float32 values of static shape, one or two inputs, every result used or an output.
  kRunnable,
  // Also what a file may hold: operators nobody knows, attributes of all kinds, body graphs, omitted
  // operands, odd names, other element types, unknown shapes, quantized types, defaults of inputs.
  // Not runnable.
  kAnything,
};

struct RandomGraphOptions {
  RandomContent content = RandomContent::kRunnable;
  int nodes = 12;
};

ir::Graph random_graph(uint64_t seed, const RandomGraphOptions& options = {});

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

}  // namespace octet::testing
