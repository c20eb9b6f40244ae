// A graph cut into pieces that run one after the other over all samples, so that what a layer reads
// can be looked at, and the layer changed, before it runs.
//
// Wave w ends where every layer of depth w (with w layers on the longest way to its data) has its
// data computed and nothing behind a layer of depth w has run. Values that later waves read are
// kept, one tensor per sample, and dropped after their last use. Between a quantizer and the
// dequantizers that read it the cut runs through the integers, which take a quarter of the room.
#pragma once

#include <memory>
#include <vector>

#include "compiler/accuracy/kept_tensors.h"
#include "compiler/base/result.h"
#include "compiler/data/dataset.h"
#include "compiler/ir/graph.h"

namespace octet::accuracy {

struct Wave {
  std::vector<ir::NodeId> nodes;     // in graph order; dequantizers stand beside each reader
  std::vector<ir::ValueId> inputs;   // kept values that the nodes read
  std::vector<ir::ValueId> outputs;  // computed here, kept for later
  std::vector<size_t> layers;        // whose data is there once the wave has run
  std::vector<ir::ValueId> dropped;  // not needed after the layers were looked at
};

struct WavePlan {
  std::vector<Wave> waves;
  std::vector<ir::ValueId> sources;  // per layer: its data as kept: integers, or the float value
};

// `layers`: linear nodes whose operand 0 is wanted. What no layer needs is in no wave.
WavePlan plan_waves(const ir::Graph& graph, const std::vector<ir::NodeId>& layers);

// The nodes of a wave as a graph of their own, with the constants `graph` has now.
Result<ir::Graph> wave_graph(const ir::Graph& graph, const Wave& wave);

// The integer value in front of a dequantizer of an activation; invalid for anything else.
ir::ValueId dequantized_from(const ir::Graph& graph, ir::ValueId value);

// Runs waves in order, keeping what later ones need.
class WaveRunner {
 public:
  struct Options {
    size_t threads = 1;
    int64_t max_memory = 0;
  };
  // `samples`: which of the data set. Both are borrowed.
  WaveRunner(const WavePlan& plan, const data::Dataset& dataset, std::vector<size_t> samples,
             Options options);

  // Runs wave `index` of `graph`, the graph the plan was made for with its constants as they are.
  Status run(const ir::Graph& graph, size_t index);
  const KeptTensors& kept(ir::ValueId value) const;
  void drop_after(size_t index);
  // Bytes kept now, in memory and file.
  int64_t kept_bytes() const;

 private:
  Status load_inputs(const ir::Graph& graph);

  const WavePlan& plan_;
  const data::Dataset& dataset_;
  std::vector<size_t> samples_;
  Options options_;
  std::vector<KeptTensors> kept_;  // by value
};

}  // namespace octet::accuracy
