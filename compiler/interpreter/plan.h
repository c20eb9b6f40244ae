// What a run does for inputs of given shapes: steps in order, and a place for every value.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/base/id.h"
#include "compiler/base/result.h"
#include "compiler/interpreter/interpreter.h"
#include "compiler/interpreter/kernel.h"
#include "compiler/interpreter/specialize.h"

namespace octet::interpreter {

struct BufferTag;
using BufferId = Id<BufferTag>;

// One place for one value in one layout. A value can have several: blocked and row-major.
struct Buffer {
  enum class Place {
    kInput,     // given by the caller
    kConstant,  // of the graph, or folded
    kArena,     // at a fixed offset of the execution context's memory
    kHeap,      // a tensor of its own: what is handed to the caller, or has no known size
  };
  Place place = Place::kArena;
  ir::DType dtype = ir::DType::kUndefined;
  std::optional<std::vector<int64_t>> shape;  // nothing when it depends on data
  Layout layout = {};
  int64_t bytes = 0;
  // Itself, or the buffer whose memory this is another name or shape for.
  BufferId root = {};
  size_t input = 0;                  // kInput: position among the required inputs
  ir::TensorPtr constant = nullptr;  // kConstant
  int64_t offset = 0;                // kArena, roots only
};

struct Observation {
  ir::ValueId value;
  BufferId buffer;
  int64_t channel_block = 1;  // more: see Observer::observe_blocks
};

struct Step {
  enum class Kind {
    kKernel,
    kReference,
    kView,  // output 0 is the memory of input 0 under another shape
  };
  Kind kind = Kind::kReference;
  ir::NodeId node;  // what errors name; of a fused chain the first
  std::string op;   // what profiles name
  KernelPtr kernel = nullptr;
  std::vector<BufferId> inputs;   // invalid where omitted
  std::vector<BufferId> outputs;  // invalid where not asked for
  std::vector<Observation> observations = {};
  std::vector<BufferId> last_uses = {};  // heap buffers that nobody reads after this step
};

struct Plan {
  Plan(const ir::Graph& graph, MemoryBudget& budget, numerics::DeviceArithmetic device)
      : constants(graph, budget, device) {}

  FoldedConstants constants;  // what follows from the input shapes
  std::vector<Buffer> buffers;
  std::vector<Step> steps;
  std::vector<Observation> given;  // observed inputs and constants
  std::vector<BufferId> outputs;   // one per graph output
  int64_t arena_bytes = 0;         // values, then scratch
  int64_t live_bytes = 0;          // of values alive at one step, at most
  int64_t scratch_offset = 0;
  ir::NodeId largest;  // that takes most of the arena; named when there is no room

  const Buffer& buffer(BufferId id) const { return buffers[id.index()]; }
};

// What plans of one interpreter share.
struct PlanContext {
  const ir::Graph& graph;
  const Options& options;
  const std::vector<ir::NodeId>& nodes;
  const FoldedConstants& constants;
  const dnnl::engine& engine;
  PackedWeights& weights;
};

// Errors name the node.
Result<std::shared_ptr<const Plan>> make_plan(const PlanContext& context,
                                              std::span<const InputType> inputs);

}  // namespace octet::interpreter
