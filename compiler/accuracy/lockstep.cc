#include "compiler/accuracy/lockstep.h"

#include <algorithm>
#include <map>
#include <set>

#include "compiler/base/thread_pool.h"
#include "compiler/interpreter/interpreter.h"

namespace octet::accuracy {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::Tensor;
using ir::ValueId;

namespace {

std::vector<ValueId> operands(const Node& node) {
  std::vector<ValueId> out;
  for (ValueId id : node.inputs) {
    if (id.valid()) out.push_back(id);
  }
  out.insert(out.end(), node.implicit_inputs.begin(), node.implicit_inputs.end());
  return out;
}

class WavePlanner {
 public:
  WavePlanner(const Graph& graph, const std::vector<NodeId>& layers)
      : graph_(graph), layers_(layers) {}

  WavePlan run() {
    find_depths();
    find_needed();
    place();
    return std::move(out_);
  }

 private:
  // The value as it is kept.
  ValueId kept_form(ValueId value) const {
    const ValueId integers = dequantized_from(graph_, value);
    return integers.valid() ? integers : value;
  }

  void find_depths() {
    depth_.assign(graph_.value_count(), 0);
    varies_.assign(graph_.value_count(), false);
    for (ValueId id : graph_.required_inputs()) varies_[id.index()] = true;
    wave_of_.assign(graph_.node_count(), 0);
    const std::set<NodeId> layers(layers_.begin(), layers_.end());
    for (NodeId id : graph_.order()) {
      const Node& node = graph_.node(id);
      size_t deepest = 0;
      bool varies = false;
      for (ValueId value : operands(node)) {
        deepest = std::max(deepest, depth_[value.index()]);
        varies = varies || varies_[value.index()];
      }
      if (layers.contains(id)) ++deepest;
      wave_of_[id.index()] = deepest;
      for (ValueId value : node.outputs) {
        if (!value.valid()) continue;
        depth_[value.index()] = deepest;
        varies_[value.index()] = varies;
      }
    }
  }

  // Computed from constants alone: computed again wherever it is read, rather than kept.
  bool is_static(ValueId value) const {
    return graph_.value(value).producer.valid() && !varies_[value.index()];
  }
  bool is_static(NodeId id) const {
    const auto& outputs = graph_.node(id).outputs;
    return std::none_of(outputs.begin(), outputs.end(),
                        [this](ValueId v) { return v.valid() && varies_[v.index()]; });
  }

  void find_needed() {
    std::vector<bool> wanted(graph_.value_count(), false);
    for (NodeId id : layers_) {
      const ValueId source = kept_form(graph_.node(id).input(0));
      out_.sources.push_back(source);
      wanted[source.index()] = true;
    }
    needed_.assign(graph_.node_count(), false);
    for (size_t i = graph_.order().size(); i-- > 0;) {
      const NodeId id = graph_.order()[i];
      const Node& node = graph_.node(id);
      if (std::none_of(node.outputs.begin(), node.outputs.end(),
                       [&](ValueId v) { return v.valid() && wanted[v.index()]; })) {
        continue;
      }
      needed_[id.index()] = true;
      for (ValueId value : operands(node)) wanted[value.index()] = true;
    }
  }

  bool is_dequantizer(NodeId id) const {
    return dequantized_from(graph_, graph_.node(id).output()).valid();
  }

  void place() {
    size_t waves = 0;
    for (size_t i = 0; i < layers_.size(); ++i) {
      const size_t wave = depth_[out_.sources[i].index()];
      waves = std::max(waves, wave + 1);
    }
    out_.waves.resize(waves);
    std::map<ValueId, size_t> last_use;
    std::vector<std::set<ValueId>> inputs(waves);
    for (NodeId id : graph_.order()) {
      if (!needed_[id.index()] || is_dequantizer(id) || is_static(id)) continue;
      const size_t wave = wave_of_[id.index()];
      std::set<NodeId> beside;
      for (ValueId value : operands(graph_.node(id))) {
        if (graph_.constant(value) != nullptr) continue;
        if (is_static(value)) {
          add_static(wave, value);
          continue;
        }
        const ValueId kept = kept_form(value);
        if (kept != value) beside.insert(graph_.value(value).producer);
        const NodeId producer = graph_.value(kept).producer;
        if (!producer.valid() || wave_of_[producer.index()] < wave) {
          inputs[wave].insert(kept);
          last_use[kept] = std::max(last_use[kept], wave);
        }
      }
      for (NodeId dequantizer : beside) add_once(wave, dequantizer);
      out_.waves[wave].nodes.push_back(id);
    }
    for (size_t i = 0; i < layers_.size(); ++i) {
      const ValueId source = out_.sources[i];
      const size_t wave = depth_[source.index()];
      out_.waves[wave].layers.push_back(i);
      last_use[source] = std::max(last_use[source], wave);
    }
    for (size_t w = 0; w < waves; ++w) {
      out_.waves[w].inputs.assign(inputs[w].begin(), inputs[w].end());
    }
    for (const auto& [value, last] : last_use) {
      out_.waves[last].dropped.push_back(value);
      const NodeId producer = graph_.value(value).producer;
      if (producer.valid()) out_.waves[wave_of_[producer.index()]].outputs.push_back(value);
    }
  }

  // The nodes that compute a static value, in graph order.
  void add_static(size_t wave, ValueId value) {
    std::set<NodeId> found = {graph_.value(value).producer};
    std::vector<NodeId> open(found.begin(), found.end());
    while (!open.empty()) {
      const Node& node = graph_.node(open.back());
      open.pop_back();
      for (ValueId operand : operands(node)) {
        const NodeId producer = graph_.value(operand).producer;
        if (producer.valid() && found.insert(producer).second) open.push_back(producer);
      }
    }
    for (NodeId id : graph_.order()) {
      if (found.contains(id)) add_once(wave, id);
    }
  }

  void add_once(size_t wave, NodeId id) {
    if (placed_.insert({wave, id}).second) out_.waves[wave].nodes.push_back(id);
  }

  const Graph& graph_;
  const std::vector<NodeId>& layers_;
  std::vector<size_t> depth_;                   // by value: layers on the longest way to it
  std::vector<bool> varies_;                    // by value: depends on the sample
  std::vector<size_t> wave_of_;                 // by node
  std::vector<bool> needed_;                    // by node
  std::set<std::pair<size_t, NodeId>> placed_;  // dequantizers
  WavePlan out_;
};

// Copies parts of a graph into a new one.
class Excerpt {
 public:
  explicit Excerpt(const Graph& from) : from_(from) {
    out_.name = from.name;
    out_.model = from.model;
  }

  Status input(ValueId id) {
    const ir::Value& value = from_.value(id);
    OCTET_ASSIGN(ids_[id], out_.add_input(value.name, value.type));
    return {};
  }
  Status node(NodeId id) {
    Node copy = from_.node(id);
    for (ValueId& input : copy.inputs) OCTET_TRY(map_operand(input));
    for (ValueId& input : copy.implicit_inputs) OCTET_TRY(map_operand(input));
    for (ValueId& output : copy.outputs) {
      if (!output.valid()) continue;
      const ir::Value& value = from_.value(output);
      OCTET_ASSIGN(const ValueId made, out_.add_value(value.name, value.type));
      ids_[output] = made;
      output = made;
    }
    out_.add_node(std::move(copy));
    return {};
  }
  Status output(ValueId id) {
    OCTET_TRY(map_operand(id));
    out_.add_output(id);
    return {};
  }
  Graph finish() && { return std::move(out_); }

 private:
  Status map_operand(ValueId& id) {
    if (!id.valid()) return {};
    const auto it = ids_.find(id);
    if (it != ids_.end()) {
      id = it->second;
      return {};
    }
    const ir::Value& value = from_.value(id);
    if (!value.is_constant()) return internal_error("a wave reads ", value.name, " too early");
    OCTET_ASSIGN(const ValueId made, out_.add_constant(value.name, value.constant));
    ids_[id] = made;
    id = made;
    return {};
  }

  const Graph& from_;
  Graph out_;
  std::map<ValueId, ValueId> ids_;
};

}  // namespace

ValueId dequantized_from(const Graph& graph, ValueId value) {
  if (!value.valid()) return {};
  const NodeId producer = graph.value(value).producer;
  if (!producer.valid() || !graph.node(producer).is("DequantizeLinear")) return {};
  const Node& node = graph.node(producer);
  const bool constants = graph.constant(node.input(1)) != nullptr &&
                         (!node.input(2).valid() || graph.constant(node.input(2)) != nullptr);
  const ValueId integers = node.input(0);
  return constants && integers.valid() && graph.constant(integers) == nullptr ? integers
                                                                              : ValueId();
}

WavePlan plan_waves(const Graph& graph, const std::vector<NodeId>& layers) {
  return WavePlanner(graph, layers).run();
}

Result<Graph> wave_graph(const Graph& graph, const Wave& wave) {
  Excerpt out(graph);
  for (ValueId id : wave.inputs) OCTET_TRY(out.input(id));
  for (NodeId id : wave.nodes) OCTET_TRY(out.node(id));
  for (ValueId id : wave.outputs) OCTET_TRY(out.output(id));
  return std::move(out).finish();
}

WaveRunner::WaveRunner(const WavePlan& plan, const data::Dataset& dataset,
                       std::vector<size_t> samples, Options options)
    : plan_(plan), dataset_(dataset), samples_(std::move(samples)), options_(options) {}

Status WaveRunner::load_inputs(const Graph& graph) {
  kept_.resize(graph.value_count());
  const std::vector<ValueId> required = graph.required_inputs();
  std::set<ValueId> read;
  for (const Wave& wave : plan_.waves) read.insert(wave.inputs.begin(), wave.inputs.end());
  read.insert(plan_.sources.begin(), plan_.sources.end());
  for (ValueId id : required) {
    if (read.contains(id)) kept_[id.index()] = KeptTensors(samples_.size());
  }
  return parallel_for(options_.threads, samples_.size(), [&](size_t, size_t i) -> Status {
    OCTET_ASSIGN(data::Sample sample, dataset_.get(samples_[i]));
    for (size_t k = 0; k < required.size() && k < sample.size(); ++k) {
      KeptTensors& to = kept_[required[k].index()];
      if (to.size() != 0) to.put(i, std::move(sample[k]));
    }
    return {};
  });
}

Status WaveRunner::run(const Graph& graph, size_t index) {
  if (index == 0) OCTET_TRY(load_inputs(graph));
  const Wave& wave = plan_.waves[index];
  if (wave.outputs.empty()) return {};
  OCTET_ASSIGN(Graph part, wave_graph(graph, wave));
  interpreter::Options options;
  options.max_memory = options_.max_memory;
  OCTET_ASSIGN(
      const interpreter::Interpreter interpreter,
      interpreter::Interpreter::create(std::make_shared<const Graph>(std::move(part)), options));
  for (ValueId id : wave.outputs) kept_[id.index()] = KeptTensors(samples_.size());
  return parallel_for(options_.threads, samples_.size(), [&](size_t, size_t i) -> Status {
    std::vector<Tensor> inputs;
    for (ValueId id : wave.inputs) {
      OCTET_ASSIGN(Tensor input, kept_[id.index()].get(i));
      inputs.push_back(std::move(input));
    }
    OCTET_ASSIGN(std::vector<Tensor> outputs, interpreter.run(inputs));
    for (size_t k = 0; k < outputs.size(); ++k) {
      kept_[wave.outputs[k].index()].put(i, std::move(outputs[k]));
    }
    return {};
  });
}

const KeptTensors& WaveRunner::kept(ValueId value) const { return kept_[value.index()]; }

void WaveRunner::drop_after(size_t index) {
  for (ValueId id : plan_.waves[index].dropped) kept_[id.index()] = {};
}

int64_t WaveRunner::kept_bytes() const {
  int64_t out = 0;
  for (const KeptTensors& tensors : kept_) out += tensors.bytes();
  return out;
}

}  // namespace octet::accuracy
