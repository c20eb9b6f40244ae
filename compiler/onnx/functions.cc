#include "compiler/onnx/functions.h"

#include <set>

#include "compiler/base/names.h"
#include "compiler/onnx/function_body.h"
#include "compiler/onnx/function_table.h"
#include "compiler/onnx/model_info.h"

namespace octet::onnx {
namespace {

std::set<std::string> domains_used(const NodeList& nodes, const FunctionTable& table) {
  std::set<std::string> domains;
  for (const NodeList* list : node_lists(nodes)) {
    for (const auto& node : *list) {
      if (table.called_by(node) == nullptr) domains.insert(canonical_domain(node.domain()));
    }
  }
  return domains;
}

// The model imports what its functions import.
Status merge_opsets(::onnx::ModelProto& model, const FunctionTable& table) {
  OCTET_ASSIGN(ir::OpsetImports imports, read_opsets(model.opset_import()));
  for (const ::onnx::FunctionProto* function : table.called()) {
    auto own = read_opsets(function->opset_import());
    if (!own.ok()) return own.error().in(describe(*function));
    for (const std::string& domain : domains_used(function->node(), table)) {
      const auto wanted = own->find(domain);
      if (wanted == own->end()) {
        return malformed(describe(*function), ": no opset_import for domain ",
                         quote_name(domain.empty() ? "ai.onnx" : domain));
      }
      const auto [at, added] = imports.emplace(domain, wanted->second);
      if (at->second != wanted->second) {
        return unsupported(describe(*function), ": needs version ", wanted->second, " of domain ",
                           quote_name(domain.empty() ? "ai.onnx" : domain), ", the model imports ",
                           at->second);
      }
      if (!added) continue;
      auto& import = *model.add_opset_import();
      import.set_domain(domain);
      import.set_version(wanted->second);
    }
  }
  return {};
}

class Inliner {
 public:
  Inliner(const FunctionTable& table, int64_t max_bytes) : table_(table), budget_(max_bytes) {}

  // Replaces the calls in a list and in the bodies below it. With `origins`, notes whom the new
  // nodes stand for.
  Status expand(NodeList& root, NameSet& taken, OriginOverrides* origins) {
    const std::vector<NodeList*> lists = node_lists(root);
    // Bodies first: a call may hand its bodies on, copied.
    for (auto it = lists.rbegin(); it != lists.rend(); ++it) {
      OCTET_TRY(expand_list(**it, taken, origins));
    }
    return {};
  }

 private:
  Status expand_list(NodeList& list, NameSet& taken, OriginOverrides* origins) {
    bool any = false;
    for (const auto& node : list) any = any || table_.called_by(node) != nullptr;
    if (!any) return {};
    NodeList expanded;
    std::vector<::onnx::NodeProto*> nodes(static_cast<size_t>(list.size()));
    list.ExtractSubrange(0, list.size(), nodes.data());
    Status status;
    for (::onnx::NodeProto* node : nodes) {
      const ::onnx::FunctionProto* function = table_.called_by(*node);
      if (function == nullptr || !status.ok()) {
        expanded.AddAllocated(node);
        continue;
      }
      status = expand_call(*node, *function, taken, expanded, origins).in(describe(*node));
      delete node;
    }
    list.Swap(&expanded);
    return status;
  }

  Status expand_call(const ::onnx::NodeProto& call, const ::onnx::FunctionProto& function,
                     NameSet& taken, NodeList& out, OriginOverrides* origins) {
    OCTET_TRY(budget_.charge(static_cast<int64_t>(function.ByteSizeLong())));
    const int first = out.size();
    OCTET_TRY(write_out(function, call, taken, out));
    for (int i = first; i < out.size(); ++i) {
      OCTET_TRY(budget_.charge(static_cast<int64_t>(out.Get(i).ByteSizeLong())));
      if (origins != nullptr) note_origin(*out.Mutable(i), origin_of(call), *origins);
    }
    return {};
  }

  static void note_origin(::onnx::NodeProto& node, const std::string& origin,
                          OriginOverrides& origins) {
    origins[&node] = origin;
    for (auto& attribute : *node.mutable_attribute()) {
      if (!attribute.has_g()) continue;
      for (NodeList* list : node_lists(*attribute.mutable_g()->mutable_node())) {
        for (const auto& inner : *list) origins[&inner] = origin;
      }
    }
  }

  const FunctionTable& table_;
  MemoryBudget budget_;
};

void take_names(const ::onnx::GraphProto& graph, NameSet& taken) {
  taken.add_all(graph.node());
  for (const auto& info : graph.input()) taken.add(info.name());
  for (const auto& info : graph.output()) taken.add(info.name());
  for (const auto& tensor : graph.initializer()) taken.add(tensor.name());
  for (const auto& sparse : graph.sparse_initializer()) taken.add(sparse.values().name());
}

}  // namespace

Result<OriginOverrides> inline_functions(::onnx::ModelProto& model, const ImportOptions& options) {
  OriginOverrides origins;
  if (model.functions_size() == 0) return origins;
  OCTET_ASSIGN(const FunctionTable table, FunctionTable::build(model, options));
  OCTET_TRY(merge_opsets(model, table));
  Inliner inliner(table, options.max_tensor_bytes);
  // Callees first, so that a function is free of calls when it is written out.
  for (::onnx::FunctionProto* function : table.called()) {
    NameSet taken;
    taken.add_all(function->node());
    for (const std::string& name : function->input()) taken.add(name);
    for (const std::string& name : function->output()) taken.add(name);
    OCTET_TRY(inliner.expand(*function->mutable_node(), taken, nullptr).in(describe(*function)));
  }
  NameSet taken;
  take_names(model.graph(), taken);
  OCTET_TRY(inliner.expand(*model.mutable_graph()->mutable_node(), taken, &origins));
  model.clear_functions();
  return origins;
}

}  // namespace octet::onnx
