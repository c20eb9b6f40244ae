#include "compiler/onnx/scopes.h"

#include "compiler/base/names.h"

namespace octet::onnx {
namespace {

// Bodies of a node by the names of their attributes.
std::map<std::string, ::onnx::GraphProto*> bodies_of(::onnx::NodeProto& node) {
  std::map<std::string, ::onnx::GraphProto*> bodies;
  for (auto& attribute : *node.mutable_attribute()) {
    if (attribute.has_g()) bodies.emplace(attribute.name(), attribute.mutable_g());
  }
  return bodies;
}

}  // namespace

Result<std::vector<Scope>> collect_scopes(::onnx::GraphProto& main, const ImportOptions& options) {
  std::vector<Scope> scopes(1);
  scopes[0].proto = &main;
  int64_t nodes = 0;
  for (size_t i = 0; i < scopes.size(); ++i) {
    NodeList& list = *scopes[i].proto->mutable_node();
    nodes += list.size();
    if (nodes > options.max_nodes) {
      return resource_limit("more than ", options.max_nodes, " nodes in the model");
    }
    const int depth = scopes[i].depth + 1;
    for (int position = 0; position < list.size(); ++position) {
      for (const auto& [attribute, graph] : bodies_of(*list.Mutable(position))) {
        if (depth >= options.max_depth) {
          return resource_limit(describe(list.Get(position)), ": graphs nested more than ",
                                options.max_depth, " deep");
        }
        scopes[i].children[position].push_back(static_cast<int>(scopes.size()));
        Scope body;
        body.proto = graph;
        body.parent = static_cast<int>(i);
        body.parent_node = position;
        body.attribute = attribute;
        body.depth = depth;
        scopes.push_back(std::move(body));
      }
    }
  }
  return scopes;
}

}  // namespace octet::onnx
