#include "compiler/onnx/function_table.h"

#include <algorithm>

#include "compiler/base/checked.h"
#include "compiler/base/names.h"

namespace octet::onnx {
namespace {

constexpr int kNodeOverload = 8;
constexpr int kFunctionOverload = 13;

std::string overload_of(const google::protobuf::Message& message, int field) {
  const auto found = field_contents(message, field);
  return found.empty() ? std::string() : found.front();
}

}  // namespace

std::string describe(const ::onnx::FunctionProto& function) {
  return cat("function ", quote_name(cat(function.domain(), ".", function.name())));
}

const size_t* FunctionTable::find(const ::onnx::NodeProto& node) const {
  const auto at =
      index_.find(Key(canonical_domain(node.domain()), node.op_type(),
                      any_overload_ ? overload_of(node, kNodeOverload) : std::string()));
  return at == index_.end() ? nullptr : &at->second;
}

const ::onnx::FunctionProto* FunctionTable::called_by(const ::onnx::NodeProto& node) const {
  const size_t* at = find(node);
  return at == nullptr ? nullptr : functions_[*at].proto;
}

Status FunctionTable::add_all(::onnx::ModelProto& model, const ImportOptions& options) {
  if (model.functions_size() > options.max_functions) {
    return resource_limit(model.functions_size(), " functions, at most ", options.max_functions,
                          " allowed");
  }
  for (auto& function : *model.mutable_functions()) {
    const std::string domain = canonical_domain(function.domain());
    if (function.name().empty()) return malformed("a function without a name");
    if (domain.empty()) {
      return malformed(describe(function), " has an id of ai.onnx, the standard domain");
    }
    const std::string overload = overload_of(function, kFunctionOverload);
    any_overload_ = any_overload_ || !overload.empty();
    if (!index_.emplace(Key(domain, function.name(), overload), functions_.size()).second) {
      return malformed(describe(function), " is defined twice");
    }
    functions_.push_back({&function, 0, {}, 0, 0});
  }
  return {};
}

void FunctionTable::count(const NodeList& nodes, Entry& entry) const {
  for (const NodeList* list : node_lists(nodes)) {
    entry.nodes += list->size();
    for (const auto& node : *list) {
      if (const size_t* callee = find(node)) ++entry.calls[*callee];
    }
  }
}

Error FunctionTable::cycle(const std::vector<size_t>& path, size_t back_to) const {
  const auto from = std::find(path.begin(), path.end(), back_to);
  std::string chain;
  for (auto it = from; it != path.end() && it - from < 8; ++it) {
    chain += cat(quote_name(functions_[*it].proto->name()), " -> ");
  }
  if (path.end() - from > 8) chain += "... -> ";
  return malformed("functions call each other in a cycle: ", chain,
                   quote_name(functions_[back_to].proto->name()));
}

Status FunctionTable::finish(size_t index, const ImportOptions& options) {
  Entry& entry = functions_[index];
  entry.expanded = entry.nodes;
  for (const auto& [callee, times] : entry.calls) {
    entry.depth = std::max(entry.depth, functions_[callee].depth);
    const auto more = checked_mul(times, functions_[callee].expanded);
    const auto sum = more ? checked_add(entry.expanded, *more) : std::nullopt;
    // One above the limit stands for all larger numbers.
    entry.expanded = std::min(sum.value_or(INT64_MAX), options.max_nodes + 1);
  }
  if (++entry.depth > options.max_call_depth) {
    return resource_limit(describe(*entry.proto), ": calls nested more than ",
                          options.max_call_depth, " deep");
  }
  order_.push_back(index);
  return {};
}

// Depth first on a stack of our own.
Status FunctionTable::visit(size_t root, const ImportOptions& options) {
  std::vector<size_t> path = {root};
  std::vector<std::map<size_t, int64_t>::const_iterator> next = {functions_[root].calls.begin()};
  std::vector<bool> open(functions_.size(), false);
  open[root] = true;
  while (!path.empty()) {
    const size_t current = path.back();
    if (next.back() == functions_[current].calls.end()) {
      OCTET_TRY(finish(current, options));
      open[current] = false;
      path.pop_back();
      next.pop_back();
      continue;
    }
    const size_t callee = (next.back()++)->first;
    if (open[callee]) return cycle(path, callee);
    if (functions_[callee].depth > 0) continue;
    open[callee] = true;
    path.push_back(callee);
    next.push_back(functions_[callee].calls.begin());
  }
  return {};
}

Result<FunctionTable> FunctionTable::build(::onnx::ModelProto& model,
                                           const ImportOptions& options) {
  FunctionTable table;
  OCTET_TRY(table.add_all(model, options));
  if (table.empty()) return table;
  for (Entry& entry : table.functions_) table.count(entry.proto->node(), entry);
  for (size_t i = 0; i < table.functions_.size(); ++i) {
    if (table.functions_[i].depth == 0) OCTET_TRY(table.visit(i, options));
  }
  Entry main{nullptr, 0, {}, 0, 0};
  table.count(model.graph().node(), main);
  std::vector<bool> wanted(table.functions_.size(), false);
  for (const auto& [callee, times] : main.calls) {
    wanted[callee] = true;
    const auto more = checked_mul(times, table.functions_[callee].expanded);
    const auto sum = more ? checked_add(main.nodes, *more) : std::nullopt;
    if (!sum || *sum > options.max_nodes) {
      return resource_limit("functions written out give more than ", options.max_nodes, " nodes");
    }
    main.nodes = *sum;
  }
  for (auto it = table.order_.rbegin(); it != table.order_.rend(); ++it) {
    if (!wanted[*it]) continue;
    for (const auto& [callee, times] : table.functions_[*it].calls) wanted[callee] = true;
  }
  for (size_t i : table.order_) {
    if (wanted[i]) table.called_.push_back(table.functions_[i].proto);
  }
  return table;
}

}  // namespace octet::onnx
