#include "compiler/onnx/function_body.h"

#include <algorithm>
#include <vector>

#include "compiler/base/names.h"
#include "compiler/onnx/function_table.h"

namespace octet::onnx {
namespace {

using Attributes = google::protobuf::RepeatedPtrField<::onnx::AttributeProto>;

template <typename Visit>
void for_each_name(const ::onnx::GraphProto& graph, Visit visit) {
  for (const auto& info : graph.input()) visit(info.name());
  for (const auto& tensor : graph.initializer()) visit(tensor.name());
  for (const auto& sparse : graph.sparse_initializer()) visit(sparse.values().name());
}

// Graphs in attributes of the nodes, at any depth.
std::vector<const ::onnx::GraphProto*> bodies_below(const NodeList& nodes) {
  std::vector<const ::onnx::GraphProto*> graphs;
  for (const NodeList* list : node_lists(nodes)) {
    for (const auto& node : *list) {
      for (const auto& attribute : node.attribute()) {
        if (attribute.has_g()) graphs.push_back(&attribute.g());
        for (const auto& graph : attribute.graphs()) graphs.push_back(&graph);
      }
    }
  }
  return graphs;
}

class Writer {
 public:
  Writer(const ::onnx::FunctionProto& function, const ::onnx::NodeProto& call, NameSet& taken)
      : function_(function), call_(call), taken_(taken), prefix_(origin_of(call)) {}

  Status write(NodeList& out) {
    OCTET_TRY(map_operands(out));
    OCTET_TRY(map_locals());
    OCTET_TRY(read_defaults());
    for (const auto& node : function_.node()) {
      ::onnx::NodeProto& copy = *out.Add();
      copy = node;
      pending_.push_back(&copy);
      while (!pending_.empty()) {
        ::onnx::NodeProto* next = pending_.back();
        pending_.pop_back();
        OCTET_TRY(rewrite(*next).in(describe(node)));
      }
    }
    return {};
  }

 private:
  std::string local(const std::string& name) { return taken_.fresh(cat(prefix_, "/", name)); }

  Status map_operands(NodeList& out) {
    if (call_.input_size() > function_.input_size() ||
        call_.output_size() > function_.output_size()) {
      return malformed("called with ", call_.input_size(), " inputs and ", call_.output_size(),
                       " outputs; it has ", function_.input_size(), " and ",
                       function_.output_size());
    }
    for (int i = 0; i < function_.input_size(); ++i) {
      const std::string actual = i < call_.input_size() ? call_.input(i) : std::string();
      if (!names_.emplace(function_.input(i), actual).second) {
        return malformed("two inputs are called ", quote_name(function_.input(i)));
      }
      formal_.insert(function_.input(i));
    }
    for (int i = 0; i < function_.output_size(); ++i) {
      const std::string& name = function_.output(i);
      const std::string actual = i < call_.output_size() ? call_.output(i) : std::string();
      if (names_.contains(name)) {
        if (!formal_.contains(name)) return malformed("two outputs are called ", quote_name(name));
        pass_through(names_[name], actual, out);
      } else {
        names_[name] = actual.empty() ? local(name) : actual;
      }
    }
    for (const std::string& name : function_.output()) formal_.insert(name);
    return {};
  }

  // An output that is an input.
  static void pass_through(const std::string& from, const std::string& to, NodeList& out) {
    if (to.empty()) return;
    ::onnx::NodeProto& identity = *out.Add();
    identity.set_op_type("Identity");
    identity.add_input(from);
    identity.add_output(to);
  }

  Status map_locals() {
    for (const auto& node : function_.node()) {
      for (const std::string& name : node.output()) {
        if (!name.empty() && !names_.contains(name)) names_[name] = local(name);
      }
    }
    Status status;
    const auto declare = [&](const std::string& name) {
      if (formal_.contains(name)) {
        status = malformed("a body hides the operand ", quote_name(name));
      } else if (!name.empty() && !names_.contains(name)) {
        names_[name] = local(name);
      }
    };
    for (const auto* graph : bodies_below(function_.node())) {
      for_each_name(*graph, declare);
      for (const auto& node : graph->node()) {
        for (const std::string& name : node.output()) declare(name);
      }
    }
    return status;
  }

  // FunctionProto.attribute_proto, which release 1.12 does not have.
  Status read_defaults() {
    constexpr int kAttributeProto = 11;
    for (const std::string& bytes : field_contents(function_, kAttributeProto)) {
      ::onnx::AttributeProto attribute;
      if (!attribute.ParseFromString(bytes)) return malformed("a default attribute is malformed");
      const std::string name = attribute.name();
      if (!defaults_.emplace(name, std::move(attribute)).second) {
        return malformed("attribute ", quote_name(name), " has two defaults");
      }
    }
    return {};
  }

  Status rename(std::string& name) const {
    if (name.empty()) return {};
    const auto at = names_.find(name);
    if (at == names_.end()) return malformed("value ", quote_name(name), " is not defined");
    name = at->second;
    return {};
  }

  Status rewrite(::onnx::NodeProto& node) {
    for (std::string& name : *node.mutable_input()) OCTET_TRY(rename(name));
    for (std::string& name : *node.mutable_output()) OCTET_TRY(rename(name));
    if (!node.name().empty()) node.set_name(cat(prefix_, "/", node.name()));
    Attributes kept;
    for (auto& attribute : *node.mutable_attribute()) {
      if (!attribute.ref_attr_name().empty()) {
        OCTET_TRY(substitute(attribute, kept));
        continue;
      }
      if (attribute.has_g()) OCTET_TRY(rewrite_graph(*attribute.mutable_g()));
      for (auto& graph : *attribute.mutable_graphs()) OCTET_TRY(rewrite_graph(graph));
      kept.Add(std::move(attribute));
    }
    // Nodes inside bodies were queued by address: they move with their attribute only when the
    // whole list is exchanged.
    node.mutable_attribute()->Swap(&kept);
    queue_bodies(node);
    return {};
  }

  void queue_bodies(::onnx::NodeProto& node) {
    for (auto& attribute : *node.mutable_attribute()) {
      if (substituted_.contains(&attribute)) continue;
      if (attribute.has_g()) queue(*attribute.mutable_g());
      for (auto& graph : *attribute.mutable_graphs()) queue(graph);
    }
  }

  void queue(::onnx::GraphProto& graph) {
    for (auto& inner : *graph.mutable_node()) pending_.push_back(&inner);
  }

  Status rewrite_graph(::onnx::GraphProto& graph) const {
    for (auto& info : *graph.mutable_input()) OCTET_TRY(rename(*info.mutable_name()));
    for (auto& info : *graph.mutable_output()) OCTET_TRY(rename(*info.mutable_name()));
    for (auto& tensor : *graph.mutable_initializer()) OCTET_TRY(rename(*tensor.mutable_name()));
    for (auto& sparse : *graph.mutable_sparse_initializer()) {
      OCTET_TRY(rename(*sparse.mutable_values()->mutable_name()));
    }
    graph.clear_value_info();
    graph.clear_quantization_annotation();
    return {};
  }

  // The attribute that `reference` stands for, under the reference's name; none when the call does
  // not give it and there is no default.
  Status substitute(const ::onnx::AttributeProto& reference, Attributes& kept) {
    const std::string& wanted = reference.ref_attr_name();
    const ::onnx::AttributeProto* given = nullptr;
    for (const auto& attribute : call_.attribute()) {
      if (attribute.name() == wanted) given = &attribute;
    }
    const auto fallback = defaults_.find(wanted);
    if (given == nullptr && fallback != defaults_.end()) given = &fallback->second;
    if (given == nullptr) {
      const auto& declared = function_.attribute();
      if (std::find(declared.begin(), declared.end(), wanted) != declared.end()) return {};
      return malformed("attribute ", quote_name(reference.name()), " refers to ",
                       quote_name(wanted), ", which the function does not declare");
    }
    if (reference.has_type() && given->has_type() && reference.type() != given->type()) {
      return malformed("attribute ", quote_name(wanted), " is of another kind in the call");
    }
    ::onnx::AttributeProto& copy = *kept.Add();
    copy = *given;
    copy.set_name(reference.name());
    substituted_.insert(&copy);
    return {};
  }

  const ::onnx::FunctionProto& function_;
  const ::onnx::NodeProto& call_;
  NameSet& taken_;
  std::string prefix_;
  std::map<std::string, std::string> names_;
  std::set<std::string> formal_;
  std::map<std::string, ::onnx::AttributeProto> defaults_;
  std::vector<::onnx::NodeProto*> pending_;
  std::set<const ::onnx::AttributeProto*> substituted_;  // their names are the caller's
};

}  // namespace

void NameSet::add_all(const NodeList& nodes) {
  for (const NodeList* list : node_lists(nodes)) {
    for (const auto& node : *list) {
      names_.insert(node.input().begin(), node.input().end());
      names_.insert(node.output().begin(), node.output().end());
    }
  }
  for (const auto* graph : bodies_below(nodes)) {
    for_each_name(*graph, [this](const std::string& name) { names_.insert(name); });
    for (const auto& info : graph->output()) names_.insert(info.name());
  }
}

std::string NameSet::fresh(const std::string& hint) {
  if (names_.insert(hint).second) return hint;
  int64_t& suffix = next_[hint];
  std::string name;
  do {
    name = cat(hint, "_", ++suffix);
  } while (!names_.insert(name).second);
  return name;
}

Status write_out(const ::onnx::FunctionProto& function, const ::onnx::NodeProto& call,
                 NameSet& taken, NodeList& out) {
  return Writer(function, call, taken).write(out).in(describe(function));
}

}  // namespace octet::onnx
