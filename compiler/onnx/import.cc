#include "compiler/onnx/import.h"

#include <google/protobuf/io/coded_stream.h>

#include <memory>
#include <new>

#include "compiler/base/files.h"
#include "compiler/base/names.h"
#include "compiler/ir/verify.h"
#include "compiler/onnx/control_flow.h"
#include "compiler/onnx/functions.h"
#include "compiler/onnx/model_info.h"
#include "compiler/onnx/nodes.h"
#include "compiler/onnx/preserved.h"
#include "compiler/onnx/scopes.h"
#include "compiler/onnx/upgrade.h"
#include "compiler/onnx/wire_check.h"
#include "compiler/ops/schema.h"

namespace octet::onnx {
namespace {

// Messages per body (attribute, graph, node) and beside the innermost one (types, tensors).
constexpr int64_t kMessagesPerBody = 3;
constexpr int64_t kOtherMessages = 16;

int64_t message_depth(const ImportOptions& options) {
  return options.max_depth * kMessagesPerBody + kOtherMessages;
}

// Of a file that is something else, or was cut short.
constexpr std::string_view kCure = "; check the path, or export the model again";

Status check_bytes(std::string_view bytes, const ImportOptions& options) {
  if (static_cast<int64_t>(bytes.size()) > std::min<int64_t>(options.max_file_bytes, INT32_MAX)) {
    return resource_limit("a model of ", bytes.size(), " bytes; larger ones need external data");
  }
  if (bytes.empty()) return malformed("not an ONNX model: no bytes", kCure);
  const WireLimits limits{message_depth(options), options.max_nodes, options.max_items};
  const Status status = check_wire(bytes, WireMessage::kModel, limits);
  if (!status.ok() && status.error().code() == ErrorCode::kMalformed) {
    return malformed("not an ONNX model: ", status.error().message(), kCure);
  }
  return status;
}

Status parse_model(std::string_view bytes, const ImportOptions& options,
                   ::onnx::ModelProto& model) {
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                                            static_cast<int>(bytes.size()));
  in.SetRecursionLimit(static_cast<int>(message_depth(options)) + 1);
  if (!model.ParseFromCodedStream(&in) || !in.ConsumedEntireMessage()) {
    return malformed("not an ONNX model: its protobuf is malformed", kCure);
  }
  if (!model.has_graph()) return malformed("the model has no graph");
  if (model.graph().output_size() == 0) return malformed("the graph has no outputs");
  return {};
}

// What is left of the GraphProto when values and nodes are taken.
void take_graph_info(Scope& scope) {
  ::onnx::GraphProto& proto = *scope.proto;
  scope.graph.name = proto.name();
  scope.graph.doc_string = proto.doc_string();
  proto.clear_name();
  proto.clear_doc_string();
  proto.clear_node();
  proto.clear_initializer();
  proto.clear_sparse_initializer();
  proto.clear_input();
  proto.clear_output();
  proto.clear_value_info();
  scope.graph.preserved = serialize(proto);
}

// A value declared as a sequence, a map or the like is not found to be a tensor.
Status check_kinds(const ir::Graph& graph) {
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const ir::Value& value = graph.value(ir::ValueId(i));
    if (value.preserved.empty() || value.type.storage == ir::DType::kUndefined) continue;
    const auto declared = unpack(value.preserved).info.type().value_case();
    if (declared != ::onnx::TypeProto::VALUE_NOT_SET &&
        declared != ::onnx::TypeProto::kTensorType) {
      return malformed("value ", quote_name(value.name), " is declared as no tensor, but it is ",
                       value.type.to_string());
    }
  }
  return {};
}

// Types of the main graph first, then of the bodies with the types of what they capture.
Status infer_types(std::vector<Scope>& scopes) {
  for (Scope& scope : scopes) {
    if (scope.parent >= 0) {
      const Scope& parent = scopes[static_cast<size_t>(scope.parent)];
      const ir::Node& node =
          parent.graph.node(parent.node_ids[static_cast<size_t>(scope.parent_node)]);
      size_t at = 0;
      for (int sibling : parent.children.at(scope.parent_node)) {
        const Scope& body = scopes[static_cast<size_t>(sibling)];
        if (&body == &scope) break;
        at += body.graph.captures().size();
      }
      for (ir::ValueId captured : scope.graph.captures()) {
        const ir::Value& outer = parent.graph.value(node.implicit_inputs[at++]);
        scope.graph.set_facts(captured, {outer.type, outer.elements});
      }
    }
    const Status status = ops::infer_graph(scope.graph);
    // A body may be one that never runs: a branch for ranks that this input does not have.
    if (!status.ok() && (scope.parent < 0 || status.error().code() != ErrorCode::kMalformed)) {
      return status;
    }
    OCTET_TRY(check_kinds(scope.graph));
  }
  return {};
}

// Gives each node its bodies with inferred types, innermost first.
void attach_bodies(std::vector<Scope>& scopes) {
  for (size_t i = scopes.size(); i-- > 1;) {
    Scope& parent = scopes[static_cast<size_t>(scopes[i].parent)];
    const ir::NodeId node = parent.node_ids[static_cast<size_t>(scopes[i].parent_node)];
    parent.graph.set_attribute(node, scopes[i].attribute,
                               std::make_shared<const ir::Graph>(std::move(scopes[i].graph)));
  }
}

Result<ir::Graph> build_graph(::onnx::ModelProto& model, const ExternalSource& source,
                              const ImportOptions& options) {
  upgrade_from_opset6(model);
  OCTET_ASSIGN(const OriginOverrides origins, inline_functions(model, options));
  OCTET_ASSIGN(ir::ModelInfo info, take_model_info(model));
  OCTET_ASSIGN(std::vector<Scope> scopes, collect_scopes(*model.mutable_graph(), options));
  for (const Scope& scope : scopes) {
    for (const auto& node : scope.proto->node()) {
      OCTET_TRY(check_control_flow(node, info.opset()).in(describe(node)));
    }
  }
  TensorReader tensors(options, source);
  for (Scope& scope : scopes) {
    scope.graph.model.opset_imports = info.opset_imports;
    OCTET_TRY(declare_values(scope, tensors, options));
  }
  for (size_t i = scopes.size(); i-- > 0;) {
    OCTET_TRY(build_nodes(scopes, i, tensors, origins));
    take_graph_info(scopes[i]);
    if (!scopes[i].graph.is_sorted()) OCTET_TRY(scopes[i].graph.sort());
  }
  OCTET_TRY(infer_types(scopes));
  attach_bodies(scopes);
  model.clear_graph();
  info.preserved = serialize(model);
  scopes[0].graph.model = std::move(info);
  OCTET_TRY(ir::verify(scopes[0].graph));
  return std::move(scopes[0].graph);
}

// Protobuf and the standard library report lack of memory by exception.
template <typename Function>
Result<ir::Graph> guarded(Function function) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return resource_limit("not enough memory to read the model");
  } catch (const std::length_error&) {
    return resource_limit("the model holds something too large for memory");
  }
}

}  // namespace

Result<ir::Graph> import_model(const std::string& path, const ImportOptions& options) {
  return guarded([&]() -> Result<ir::Graph> {
    const int64_t limit = std::min<int64_t>(options.max_file_bytes, INT32_MAX);
    ::onnx::ModelProto model;
    {
      OCTET_ASSIGN(const std::string bytes, read_file(path, limit));
      OCTET_TRY(check_bytes(bytes, options));
      OCTET_TRY(parse_model(bytes, options, model));
    }
    const size_t slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? std::string(".")
                                  : slash == 0               ? std::string("/")
                                                             : path.substr(0, slash);
    return build_graph(model, {directory, path}, options);
  });
}

Result<ir::Graph> import_bytes(std::string_view bytes, const std::string& directory,
                               const ImportOptions& options) {
  return guarded([&]() -> Result<ir::Graph> {
    OCTET_TRY(check_bytes(bytes, options));
    ::onnx::ModelProto model;
    OCTET_TRY(parse_model(bytes, options, model));
    return build_graph(model, {directory, ""}, options);
  });
}

}  // namespace octet::onnx
