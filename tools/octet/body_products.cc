#include "tools/octet/body_products.h"

#include <utility>
#include <vector>

#include "compiler/base/names.h"
#include "compiler/ops/schema.h"

namespace octet::tools {
namespace {

bool is_product(const ir::Graph& graph, const ir::Node& node) {
  const ops::OpSchema* schema = ops::find_schema(node);
  if (schema == nullptr || schema->weight_channel_axis == nullptr || !node.output().valid()) {
    return false;
  }
  return numerics::is_floating_point(graph.value(node.output()).type.storage);
}

}  // namespace

std::map<std::string, int64_t> products_in_bodies(const ir::Graph& graph) {
  std::map<std::string, int64_t> out;
  std::vector<std::pair<ir::GraphPtr, std::string>> open;
  for (const ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    for (const ir::GraphPtr& body : ir::bodies(node)) open.emplace_back(body, node.op_type);
  }
  while (!open.empty()) {
    const auto [body, owner] = std::move(open.back());
    open.pop_back();
    if (body == nullptr) continue;
    for (const ir::NodeId id : body->order()) {
      const ir::Node& node = body->node(id);
      if (is_product(*body, node)) ++out[cat(node.op_type, ": inside ", owner)];
      for (const ir::GraphPtr& inner : ir::bodies(node)) open.emplace_back(inner, owner);
    }
  }
  return out;
}

}  // namespace octet::tools
