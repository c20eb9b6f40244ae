// The quantizers of a plan as sources of noise, and the layers they belong to.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/accuracy/layers.h"
#include "compiler/accuracy/part_quantized.h"
#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/plan/quant_plan.h"

namespace octet::accuracy {

struct TensorSource {
  size_t quantizer = 0;  // index into the plan's activations
  ir::ValueId value;
  std::vector<ir::NodeId> readers;  // of the rounded numbers
};

struct WeightSource {
  size_t quantizer = 0;  // index into the plan's constants
  ir::ValueId constant;
  ir::Tensor numbers;  // on their grid
  std::vector<ir::NodeId> readers;
  bool second_order = false;  // other integers than rounding to nearest gives
};

// A linear operator with a quantized weight.
struct SourceLayer {
  Layer layer;
  size_t weight = 0;             // among the weights
  std::optional<size_t> tensor;  // among the tensors: what quantizes its data
  bool alone = false;            // nothing else reads the weight, and it has no factor
};

struct NoiseSources {
  std::vector<TensorSource> tensors;
  std::vector<WeightSource> weights;
  std::vector<SourceLayer> layers;  // in graph order
};

// `real`: the float graph that the plan's quantizers speak of.
Result<NoiseSources> find_sources(const PartQuantized& real, const plan::QuantPlan& plan);

}  // namespace octet::accuracy
