// Random graphs that verify(), the same for the same seed on every machine.
#pragma once

#include <cstdint>

#include "compiler/ir/graph.h"
#include "tests/support/random_values.h"

namespace octet::testing {

enum class RandomContent {
  // Only what an interpreter can run: elementwise and linear operators of ai.onnx at opset 17 on
  // float32 values of static shape, one or two inputs, every result used or an output.
  kRunnable,
  // Also what a file may hold: operators nobody knows, attributes of all kinds, body graphs,
  // omitted
  // operands, odd names, other element types, unknown shapes, quantized types, defaults of inputs.
  // Not runnable.
  kAnything,
};

struct RandomGraphOptions {
  RandomContent content = RandomContent::kRunnable;
  int nodes = 12;
};

ir::Graph random_graph(uint64_t seed, const RandomGraphOptions& options = {});

}  // namespace octet::testing
