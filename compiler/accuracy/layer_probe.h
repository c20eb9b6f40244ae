// What quantizing a layer does to the layer's own output, on a few positions of the float model.
#pragma once

#include <optional>
#include <vector>

#include "compiler/accuracy/held_samples.h"
#include "compiler/accuracy/layers.h"
#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/ir/quant_params.h"

namespace octet::accuracy {

struct ProbedLayer {
  Layer layer;
  std::optional<ir::Tensor> weight;       // the numbers on their grid
  std::optional<ir::QuantParams> params;  // of its data, per tensor
};

// Sums over samples and positions of squares: of the output (bias included), of what the weight's
// rounding changes, of what the data's rounding changes.
struct LayerNoise {
  double power = 0.0;
  double weight = 0.0;
  double input = 0.0;
  int64_t products = 0;  // multiply-adds of one sample, over all positions
};

// One per layer. At most 16 positions of each sample. The same for any number of threads.
Result<std::vector<LayerNoise>> probe_layers(const std::shared_ptr<const ir::Graph>& real,
                                             const std::vector<ProbedLayer>& layers,
                                             const HeldSamples& samples, size_t threads,
                                             int64_t max_memory);

}  // namespace octet::accuracy
