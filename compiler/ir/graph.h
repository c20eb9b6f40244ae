// The graph: values and nodes in vectors, named by typed ids, in a stable topological order.
//
// A Graph is a value: copying it copies structure and shares constants. Passes and rules do not
// call the editing functions below; they make a Patch (patch.h), which checks an edit as a whole
// before anything changes. The importer, Builder and Patch are the callers of the editing part.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/base/id.h"
#include "compiler/base/result.h"
#include "compiler/ir/attribute.h"
#include "compiler/ir/tensor.h"
#include "compiler/ir/tensor_type.h"

namespace octet::ir {

struct ValueTag;
struct NodeTag;
using ValueId = Id<ValueTag>;
using NodeId = Id<NodeTag>;

// What is known of a value without running the graph.
struct ValueFacts {
  TensorType type;
  // Elements of an integer tensor of rank 0 or 1, where inference can tell them in part: the
  // result of Shape on [N,3,?] is {N, 3, ?}. Derived; not part of text, file or comparison.
  std::optional<std::vector<Dim>> elements = std::nullopt;
};

struct Value {
  std::string name;  // unique in its graph, never empty
  TensorType type;
  TensorPtr constant;     // an initializer; null otherwise
  NodeId producer;        // invalid for inputs, constants and captures
  bool is_input = false;  // also true of an initializer that is a graph input
  bool alive = true;
  std::optional<std::vector<Dim>> elements = std::nullopt;  // see ValueFacts
  std::string preserved;  // fields of its ValueInfoProto that Octet does not know

  bool is_constant() const { return constant != nullptr; }
};

// One operand position that reads a value.
struct Use {
  NodeId node;
  int32_t index = 0;      // into inputs, or into implicit_inputs
  bool implicit = false;  // read by a body of an If, Loop or Scan
  bool operator==(const Use&) const = default;
};

struct Node {
  std::string domain;  // "" is ai.onnx
  std::string op_type;
  std::string name;              // as in the file; may be empty
  std::vector<ValueId> inputs;   // an invalid id is an omitted optional operand
  std::vector<ValueId> outputs;  // an invalid id is an output that was not asked for
  // Values of this graph that the node's body graphs read; in the order of those bodies'
  // captures(), bodies in the order of their attribute names.
  std::vector<ValueId> implicit_inputs = {};
  AttributeMap attributes = {};
  // Names of the nodes of the file this one stands for; what messages and reports speak of. A node
  // without a name in the file goes by its first output.
  std::vector<std::string> origins = {};
  std::string doc_string = {};
  std::string preserved = {};  // fields of its NodeProto that Octet does not know
  bool alive = true;

  bool is(std::string_view type) const { return domain.empty() && op_type == type; }
  ValueId input(size_t i) const { return i < inputs.size() ? inputs[i] : ValueId(); }
  ValueId output(size_t i = 0) const { return i < outputs.size() ? outputs[i] : ValueId(); }
};

using OpsetImports = std::map<std::string, int64_t>;  // domain ("" is ai.onnx) -> version

// What a model file says besides its graph.
struct ModelInfo {
  int64_t ir_version = 8;
  OpsetImports opset_imports = {{"", 17}};
  std::string producer_name = {};
  std::string producer_version = {};
  std::string domain = {};
  int64_t model_version = 0;
  std::string doc_string = {};
  std::vector<std::pair<std::string, std::string>> metadata = {};
  std::string preserved = {};  // fields of its ModelProto that Octet does not know
  bool operator==(const ModelInfo&) const = default;

  // The version of ai.onnx; 0 when it is not imported.
  int64_t opset() const;
};

class Graph {
 public:
  std::string name;
  std::string doc_string;
  std::string preserved;  // fields of its GraphProto that Octet does not know
  ModelInfo model;        // of the main graph; bodies copy the opset imports

  // Reading.
  size_t value_count() const { return values_.size(); }  // ids are below this; some may be dead
  size_t node_count() const { return nodes_.size(); }
  const Value& value(ValueId id) const { return values_[id.index()]; }
  const Node& node(NodeId id) const { return nodes_[id.index()]; }
  const std::vector<NodeId>& order() const { return order_; }  // alive nodes, producers first
  // Of two nodes in order(), whether `a` comes first; O(1).
  bool comes_before(NodeId a, NodeId b) const { return ranks_[a.index()] < ranks_[b.index()]; }
  const std::vector<ValueId>& inputs() const { return inputs_; }
  const std::vector<ValueId>& outputs() const { return outputs_; }
  const std::vector<ValueId>& captures() const { return captures_; }  // bodies only
  std::span<const Use> uses(ValueId id) const { return uses_[id.index()]; }
  bool is_output(ValueId id) const;
  // True when nothing but one operand of one node reads it.
  bool has_single_use(ValueId id) const { return uses(id).size() == 1 && !is_output(id); }
  ValueId find_value(std::string_view name) const;  // invalid when there is none
  NodeId find_node(std::string_view name) const;    // by name or origin; invalid when none
  // The constant behind a value, or null.
  const Tensor* constant(ValueId id) const {
    return id.valid() ? value(id).constant.get() : nullptr;
  }
  // Inputs that a run must be given: graph inputs without a default.
  std::vector<ValueId> required_inputs() const;
  // Changes with every edit; a Patch made for another revision is refused.
  uint64_t revision() const { return revision_; }
  // A name not used by any value: `hint` itself, or with _1, _2, ...
  std::string unique_value_name(std::string_view hint) const;

  // Editing. Names must be unique: kMalformed otherwise.
  Result<ValueId> add_value(std::string name, TensorType type);
  Result<ValueId> add_input(std::string name, TensorType type);
  Result<ValueId> add_capture(std::string name, TensorType type);
  // A body on its own: what it captures becomes inputs behind the others, in their order.
  void make_captures_inputs();
  Result<ValueId> add_constant(std::string name, TensorPtr tensor);
  void set_constant(ValueId id, TensorPtr tensor);  // of an input with a default, or a replacement
  void add_output(ValueId id);
  // Appends, or inserts in front of `before` when that is valid. Outputs must have no producer.
  NodeId add_node(Node node, NodeId before = {});
  void remove_node(NodeId id);  // its outputs must have no uses; they die with it
  void set_input(NodeId node, size_t index, ValueId value);
  // Operands and graph outputs; with a valid `newer`, nodes from that id on keep reading `from`.
  void replace_uses(ValueId from, ValueId to, NodeId newer = {});
  void set_facts(ValueId id, ValueFacts facts);
  void set_type(ValueId id, TensorType type);
  void set_preserved(ValueId id, std::string bytes);
  Status rename_value(ValueId id, std::string name);
  void remove_input(ValueId id);  // from inputs(); a default stays as a constant
  void remove_unused_constants();
  void set_origins(NodeId id, std::vector<std::string> origins);
  void set_implicit_inputs(NodeId id, std::vector<ValueId> values);
  void set_attribute(NodeId id, const std::string& name, Attribute attribute);
  // Producers before users, otherwise as before; kMalformed naming the nodes of a cycle.
  Status sort();
  bool is_sorted() const;
  // is_sorted for one node: what it reads is produced before it. In a sorted graph only nodes that
  // were added or read something new need the question.
  bool is_in_order(NodeId id) const;

  // Same model info, names, types, constants, attributes and order. Ids may differ.
  bool operator==(const Graph& other) const;

 private:
  friend struct GraphTestPeer;  // makes the broken graphs that verify() is tested with

  Result<ValueId> new_value(Value value);
  void add_uses(NodeId id);
  void drop_use(ValueId value, const Use& use);
  size_t position(NodeId id) const;  // in order_, which holds the node
  void insert_in_order(NodeId id, size_t at);
  void renumber();

  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<std::vector<Use>> uses_;
  std::vector<NodeId> order_;
  std::vector<uint64_t> ranks_;  // by node: strictly increasing along order_, with gaps
  std::vector<ValueId> inputs_;
  std::vector<ValueId> outputs_;
  std::vector<ValueId> captures_;
  std::map<std::string, ValueId, std::less<>> by_name_;
  uint64_t revision_ = 0;
};

bool attributes_equal(const Attribute& a, const Attribute& b);

// node "Conv_12" (Conv): how every message names a node. One without a name goes by its first
// origin or output.
std::string describe(const Graph& graph, NodeId id);
std::string describe(const Graph& graph, const Node& node);

// The name a person knows the node by: its name, else its first origin, else its first output.
std::string display_name(const Graph& graph, const Node& node);

// Body graphs among a node's attributes, in the order of the attribute names.
std::vector<GraphPtr> bodies(const Node& node);

// Attribute readers: the value, or `fallback` when it is absent or of another kind.
int64_t int_attribute(const Node& node, std::string_view name, int64_t fallback);
float float_attribute(const Node& node, std::string_view name, float fallback);
std::string string_attribute(const Node& node, std::string_view name, std::string_view fallback);
std::vector<int64_t> ints_attribute(const Node& node, std::string_view name,
                                    std::vector<int64_t> fallback = {});
std::vector<float> floats_attribute(const Node& node, std::string_view name);
TensorPtr tensor_attribute(const Node& node, std::string_view name);
bool has_attribute(const Node& node, std::string_view name);

}  // namespace octet::ir
