// The model in the making, as refine.h runs it: activations quantized, and every quantized constant
// on its grid, first rounded to nearest, then as the layers are decided.
#pragma once

#include <string>

#include "compiler/accuracy/layer_quality.h"
#include "compiler/accuracy/lockstep.h"
#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/ir/quant_params.h"
#include "compiler/plan/quant_plan.h"

namespace octet::accuracy {

// The numbers that integers stand for.
ir::Tensor on_grid(const ir::Tensor& integers, const ir::QuantParams& params);

// What a layer reads: scale and zero point where it is integers.
struct LayerSource {
  LayerInputs inputs;
  double scale = 1.0;
  LayerFacts::Data data = LayerFacts::Data::kFloats;
};
LayerInputs inputs_from(const KeptTensors& tensors);

class Simulation {
 public:
  Simulation() = default;
  // `plan` is of `graph`; its biases are left in float.
  static Result<Simulation> make(const ir::Graph& graph, const plan::QuantPlan& plan);

  // Values and constants have the names of the float graph; ids are its own.
  const ir::Graph& graph() const { return graph_; }
  // The node that reads this weight.
  ir::NodeId reader_of(const std::string& weight) const;
  void set(const std::string& constant, ir::Tensor tensor);
  // What the reader of `weight` reads, out of the value that was kept for it.
  LayerSource source_of(const std::string& weight, ir::ValueId kept,
                        const WaveRunner& runner) const;

 private:
  ir::Graph graph_;
};

}  // namespace octet::accuracy
