#include "compiler/onnx/nodes.h"

#include <algorithm>
#include <memory>
#include <set>

#include "compiler/base/names.h"
#include "compiler/onnx/attributes.h"
#include "compiler/onnx/preserved.h"

namespace octet::onnx {
namespace {

class NodeBuilder {
 public:
  NodeBuilder(std::vector<Scope>& scopes, size_t index, TensorReader& tensors,
              const OriginOverrides& origins)
      : scopes_(scopes), scope_(scopes[index]), tensors_(tensors), origins_(origins) {}

  Status run() {
    NodeList& nodes = *scope_.proto->mutable_node();
    for (int i = 0; i < nodes.size(); ++i) {
      OCTET_TRY(add_node(*nodes.Mutable(i), i).in(cat(describe(nodes.Get(i)))));
    }
    for (const std::string& name : scope_.output_names) {
      OCTET_ASSIGN(const ir::ValueId id, resolve(name).in("graph output"));
      graph().add_output(id);
    }
    return {};
  }

 private:
  ir::Graph& graph() { return scope_.graph; }

  // The value of a name here, captured from a graph around this one when needed.
  Result<ir::ValueId> resolve(const std::string& name) {
    const ir::ValueId own = graph().find_value(name);
    if (own.valid()) return own;
    for (int i = scope_.parent; i >= 0; i = scopes_[static_cast<size_t>(i)].parent) {
      const ir::Graph& outer = scopes_[static_cast<size_t>(i)].graph;
      const ir::ValueId id = outer.find_value(name);
      if (id.valid()) return graph().add_capture(name, outer.value(id).type);
    }
    return malformed("value ", quote_name(name), " is produced by nothing");
  }

  Status add_node(::onnx::NodeProto& proto, int position) {
    ir::Node node;
    node.domain = canonical_domain(proto.domain());
    node.op_type = proto.op_type();
    if (node.op_type.empty()) return malformed("no op_type");
    if (!graph().model.opset_imports.contains(node.domain)) {
      return malformed("no opset_import for domain ",
                       quote_name(node.domain.empty() ? "ai.onnx" : node.domain));
    }
    OCTET_TRY(check_attributes(proto));
    OCTET_TRY(add_operands(proto, node));
    OCTET_TRY(add_bodies(position, node));
    OCTET_TRY(add_attributes(proto, node));
    node.name = proto.name();
    node.doc_string = proto.doc_string();
    take_rest(proto, node);
    scope_.node_ids.push_back(graph().add_node(std::move(node)));
    return {};
  }

  static Status check_attributes(const ::onnx::NodeProto& proto) {
    std::set<std::string_view> names;
    for (const auto& attribute : proto.attribute()) {
      if (attribute.name().empty()) return malformed("an attribute without a name");
      if (!names.insert(attribute.name()).second) {
        return malformed("attribute ", quote_name(attribute.name()), " is given twice");
      }
    }
    return {};
  }

  Status add_operands(const ::onnx::NodeProto& proto, ir::Node& node) {
    for (int i = 0; i < proto.input_size(); ++i) {
      ir::ValueId id;
      if (!proto.input(i).empty()) {
        OCTET_ASSIGN(id, resolve(proto.input(i)).in(cat("input ", i)));
      }
      node.inputs.push_back(id);
    }
    for (const std::string& name : proto.output()) {
      node.outputs.push_back(name.empty() ? ir::ValueId() : graph().find_value(name));
    }
    return {};
  }

  Status add_bodies(int position, ir::Node& node) {
    const auto children = scope_.children.find(position);
    if (children == scope_.children.end()) return {};
    for (int child : children->second) {
      const Scope& body = scopes_[static_cast<size_t>(child)];
      for (ir::ValueId captured : body.graph.captures()) {
        const std::string& name = body.graph.value(captured).name;
        OCTET_ASSIGN(const ir::ValueId id, resolve(name).in(cat("body ", body.attribute)));
        node.implicit_inputs.push_back(id);
      }
      node.attributes[body.attribute] = std::make_shared<const ir::Graph>(body.graph);
    }
    return {};
  }

  Status add_attributes(::onnx::NodeProto& proto, ir::Node& node) {
    for (auto& attribute : *proto.mutable_attribute()) {
      OCTET_TRY(add_attribute(attribute, node).in(cat("attribute ", quote_name(attribute.name()))));
    }
    // Attributes of which nothing is left besides the name.
    google::protobuf::RepeatedPtrField<::onnx::AttributeProto> left;
    for (auto& attribute : *proto.mutable_attribute()) {
      ::onnx::AttributeProto nameless = attribute;
      nameless.clear_name();
      if (nameless.ByteSizeLong() > 0) *left.Add() = std::move(attribute);
    }
    // Written by name, so kept by name: what is read back must be the same.
    std::sort(left.begin(), left.end(),
              [](const auto& a, const auto& b) { return a.name() < b.name(); });
    proto.mutable_attribute()->Swap(&left);
    return {};
  }

  Status add_attribute(::onnx::AttributeProto& attribute, ir::Node& node) {
    if (attribute.has_g() && !attribute.has_ref_attr_name()) {
      OCTET_TRY(attribute_kind(attribute));
      attribute.clear_g();
      attribute.clear_type();
      return {};
    }
    OCTET_ASSIGN(ir::Attribute value, take_attribute(attribute, tensors_));
    node.attributes.emplace(attribute.name(), std::move(value));
    return {};
  }

  void take_rest(::onnx::NodeProto& proto, ir::Node& node) {
    const auto override = origins_.find(&proto);
    std::string origin = override == origins_.end() ? origin_of(proto) : override->second;
    proto.clear_input();
    proto.clear_output();
    proto.clear_name();
    proto.clear_op_type();
    proto.clear_domain();
    proto.clear_doc_string();
    node.preserved = serialize(proto);
    node.origins = take_origins(node.preserved);
    if (override != origins_.end() || node.origins.empty()) node.origins = {std::move(origin)};
  }

  std::vector<Scope>& scopes_;
  Scope& scope_;
  TensorReader& tensors_;
  const OriginOverrides& origins_;
};

}  // namespace

Status build_nodes(std::vector<Scope>& scopes, size_t index, TensorReader& tensors,
                   const OriginOverrides& origins) {
  return NodeBuilder(scopes, index, tensors, origins).run();
}

}  // namespace octet::onnx
