// Values of a graph: who declares them, with which type.
#include <memory>
#include <set>

#include "compiler/base/names.h"
#include "compiler/onnx/preserved.h"
#include "compiler/onnx/scopes.h"
#include "compiler/onnx/types.h"

namespace octet::onnx {
namespace {

class Declarations {
 public:
  Declarations(Scope& scope, TensorReader& tensors, const ImportOptions& options)
      : scope_(scope), tensors_(tensors), options_(options) {}

  Status run() {
    ::onnx::GraphProto& proto = *scope_.proto;
    OCTET_TRY(read_infos(*proto.mutable_output(), "output"));
    OCTET_TRY(read_infos(*proto.mutable_value_info(), "value_info"));
    OCTET_TRY(add_inputs());
    OCTET_TRY(add_initializers());
    OCTET_TRY(add_node_outputs());
    return keep_rests();
  }

 private:
  ir::Graph& graph() { return scope_.graph; }

  // Output and value_info entries: types by name, for values that are added later.
  Status read_infos(google::protobuf::RepeatedPtrField<::onnx::ValueInfoProto>& infos,
                    std::string_view kind) {
    std::set<std::string> names;
    for (auto& info : infos) {
      const std::string name = info.name();
      if (name.empty() && kind == "value_info") continue;
      if (name.empty()) return malformed("an output without a name");
      if (kind == "output" && !names.insert(name).second) {
        return malformed("two outputs are called ", quote_name(name));
      }
      if (kind == "output") scope_.output_names.push_back(name);
      OCTET_TRY(note_info(info, name).in(cat(kind, " ", quote_name(name))));
    }
    return {};
  }

  Status note_info(::onnx::ValueInfoProto& info, const std::string& name) {
    OCTET_ASSIGN(const ir::TensorType type, take_type(info, options_.max_rank));
    const auto [at, added] = types_.emplace(name, type);
    if (!added) {
      OCTET_ASSIGN(at->second, merge_types(at->second, type));
    }
    info.clear_name();
    // Of two entries for one value the first keeps what is not type.
    if (info.ByteSizeLong() > 0) rests_.try_emplace(name, std::move(info));
    return {};
  }

  Status check_new(const std::string& name, std::string_view as) {
    if (!graph().find_value(name).valid()) return {};
    return malformed("value ", quote_name(name), " is ", kind_of(name), " and ", as);
  }

  std::string kind_of(const std::string& name) {
    const ir::Value& value = graph().value(graph().find_value(name));
    if (value.is_input) return "an input";
    if (value.is_constant()) return "an initializer";
    const auto at = producers_.find(name);
    return at == producers_.end() ? "a value" : cat("produced by ", describe(*at->second));
  }

  Status add_inputs() {
    for (auto& info : *scope_.proto->mutable_input()) {
      const std::string name = info.name();
      if (name.empty()) return malformed("an input without a name");
      OCTET_TRY(check_new(name, "another input"));
      OCTET_TRY(add_input(info, name).in(cat("input ", quote_name(name))));
    }
    return {};
  }

  Status add_input(::onnx::ValueInfoProto& info, const std::string& name) {
    if (scope_.depth == 0 && !info.has_type()) return malformed("no type");
    const bool is_tensor = info.type().has_tensor_type();
    if (scope_.depth == 0 && is_tensor && info.type().tensor_type().elem_type() == 0) {
      return malformed("no element type");
    }
    OCTET_TRY(note_info(info, name));
    OCTET_TRY(graph().add_input(name, types_[name]));
    return {};
  }

  Status add_initializers() {
    for (auto& tensor : *scope_.proto->mutable_initializer()) {
      const std::string name = tensor.name();
      auto read = tensors_.take(tensor);
      if (!read.ok()) return read.error().in(cat("initializer ", quote_name(name)));
      tensor.clear_name();
      OCTET_TRY(add_initializer(name, std::move(read).value()));
      if (tensor.ByteSizeLong() > 0) tensor_rests_[name] = std::move(tensor);
    }
    for (auto& sparse : *scope_.proto->mutable_sparse_initializer()) {
      const std::string name = sparse.values().name();
      auto read = tensors_.take_sparse(sparse);
      if (!read.ok()) return read.error().in(cat("sparse initializer ", quote_name(name)));
      OCTET_TRY(add_initializer(name, std::move(read).value()));
    }
    return {};
  }

  Status add_initializer(const std::string& name, ir::Tensor tensor) {
    if (name.empty()) return malformed("an initializer without a name");
    auto shared = std::make_shared<const ir::Tensor>(std::move(tensor));
    const auto declared = types_.find(name);
    if (declared != types_.end()) {
      const auto merged = merge_types(declared->second, shared->type());
      if (!merged.ok()) return merged.error().in(cat("initializer ", quote_name(name)));
    }
    const ir::ValueId id = graph().find_value(name);
    if (!id.valid()) {
      OCTET_TRY(graph().add_constant(name, std::move(shared)));
      return {};
    }
    if (graph().value(id).is_constant()) {
      return malformed("two initializers are called ", quote_name(name));
    }
    graph().set_constant(id, std::move(shared));
    return {};
  }

  Status add_node_outputs() {
    for (const auto& node : scope_.proto->node()) {
      for (const std::string& name : node.output()) {
        if (name.empty()) continue;
        OCTET_TRY(check_new(name, cat("produced by ", describe(node))));
        const auto declared = types_.find(name);
        OCTET_TRY(graph().add_value(
            name, declared == types_.end() ? ir::TensorType() : declared->second));
        producers_.emplace(name, &node);
      }
    }
    return {};
  }

  Status keep_rests() {
    for (auto& [name, tensor] : tensor_rests_) rests_[name];
    for (auto& [name, info] : rests_) {
      const ir::ValueId id = graph().find_value(name);
      if (!id.valid()) continue;
      ValueRest rest;
      rest.info = std::move(info);
      const auto tensor = tensor_rests_.find(name);
      if (tensor != tensor_rests_.end()) rest.tensor = std::move(tensor->second);
      graph().set_preserved(id, pack(std::move(rest)));
    }
    return {};
  }

  Scope& scope_;
  TensorReader& tensors_;
  const ImportOptions& options_;
  std::map<std::string, ir::TensorType> types_;
  std::map<std::string, ::onnx::ValueInfoProto> rests_;
  std::map<std::string, ::onnx::TensorProto> tensor_rests_;
  std::map<std::string, const ::onnx::NodeProto*> producers_;
};

}  // namespace

Status declare_values(Scope& scope, TensorReader& tensors, const ImportOptions& options) {
  return Declarations(scope, tensors, options).run();
}

}  // namespace octet::onnx
