#include "compiler/onnx/export_graph.h"

#include <map>
#include <set>
#include <vector>

#include "compiler/onnx/attributes.h"
#include "compiler/onnx/export_tensor.h"
#include "compiler/onnx/preserved.h"
#include "compiler/onnx/types.h"

namespace octet::onnx {
namespace {

// A body reads a value of the graph around it by that value's name there, so its captures are
// written under those names and its own values must keep clear of them.
struct Pending {
  const ir::Graph* graph;
  ::onnx::GraphProto* proto;
  std::vector<std::string> capture_names;  // one per captures()
};

class GraphWriter {
 public:
  GraphWriter(const Pending& work, const FillConstant& fill_constant, std::vector<Pending>& pending)
      : graph_(*work.graph), proto_(*work.proto), fill_constant_(fill_constant), pending_(pending) {
    choose_names(work.capture_names);
    is_output_.resize(graph_.value_count(), false);
    for (ir::ValueId id : graph_.outputs()) is_output_[id.index()] = true;
  }

  void write() {
    proto_.ParsePartialFromString(graph_.preserved);
    if (!graph_.name.empty()) proto_.set_name(graph_.name);
    if (!graph_.doc_string.empty()) proto_.set_doc_string(graph_.doc_string);
    for (ir::ValueId id : graph_.inputs()) write_info(id, *proto_.add_input());
    for (ir::ValueId id : graph_.outputs()) write_info(id, *proto_.add_output());
    write_constants();
    for (ir::NodeId id : graph_.order()) {
      write_node(graph_.node(id), *proto_.add_node());
      write_intermediate(graph_.node(id));
    }
  }

 private:
  void choose_names(const std::vector<std::string>& capture_names) {
    const std::set<std::string> taken(capture_names.begin(), capture_names.end());
    for (size_t i = 0; i < capture_names.size(); ++i) {
      renamed_[graph_.captures()[i]] = capture_names[i];
    }
    std::set<std::string> fresh;
    for (size_t i = 0; i < graph_.value_count(); ++i) {
      const ir::ValueId id(i);
      const ir::Value& value = graph_.value(id);
      if (!value.alive || renamed_.contains(id) || !taken.contains(value.name)) continue;
      std::string name;
      for (int64_t n = 1; name.empty() || taken.contains(name) || fresh.contains(name); ++n) {
        name = graph_.unique_value_name(cat(value.name, "_", n));
      }
      fresh.insert(name);
      renamed_[id] = name;
    }
  }

  const std::string& name(ir::ValueId id) const {
    static const std::string omitted;
    if (!id.valid()) return omitted;
    const auto at = renamed_.find(id);
    return at == renamed_.end() ? graph_.value(id).name : at->second;
  }

  void write_info(ir::ValueId id, ::onnx::ValueInfoProto& info) const {
    const ir::Value& value = graph_.value(id);
    info = unpack(value.preserved).info;
    info.set_name(name(id));
    fill_type(value.type, info);
  }

  void write_constants() {
    for (size_t i = 0; i < graph_.value_count(); ++i) {
      const ir::ValueId id(i);
      const ir::Value& value = graph_.value(id);
      if (!value.alive || !value.is_constant()) continue;
      ::onnx::TensorProto& tensor = *proto_.add_initializer();
      tensor = unpack(value.preserved).tensor;
      tensor.set_name(name(id));
      fill_constant_(*value.constant, tensor);
      const bool elsewhere = value.is_input || is_output_[i];
      if (!elsewhere && unpack(value.preserved).info.ByteSizeLong() > 0) {
        write_info(id, *proto_.add_value_info());
      }
    }
  }

  // Types are written for all values that nodes make, except where they stand in `output`.
  void write_intermediate(const ir::Node& node) {
    for (ir::ValueId id : node.outputs) {
      if (!id.valid() || is_output_[id.index()]) continue;
      const ir::Value& value = graph_.value(id);
      const bool known = value.type.storage != ir::DType::kUndefined;
      if (known || !value.preserved.empty()) write_info(id, *proto_.add_value_info());
    }
  }

  void write_node(const ir::Node& node, ::onnx::NodeProto& out) {
    const std::string origin = default_origin(node);
    out.ParsePartialFromString(node.preserved + origin_metadata(node, origin));
    for (ir::ValueId id : node.inputs) out.add_input(name(id));
    for (ir::ValueId id : node.outputs) out.add_output(name(id));
    if (!node.name.empty()) out.set_name(node.name);
    out.set_op_type(node.op_type);
    if (!node.domain.empty()) out.set_domain(node.domain);
    if (!node.doc_string.empty()) out.set_doc_string(node.doc_string);
    write_attributes(node, out);
  }

  // The origin that reading the node back gives it.
  std::string default_origin(const ir::Node& node) const {
    if (!node.name.empty()) return node.name;
    for (ir::ValueId id : node.outputs) {
      if (id.valid()) return name(id);
    }
    return node.op_type;
  }

  void write_attributes(const ir::Node& node, ::onnx::NodeProto& out) {
    std::map<std::string, ::onnx::AttributeProto> rests;
    for (auto& attribute : *out.mutable_attribute()) {
      const std::string attribute_name = attribute.name();
      rests.emplace(attribute_name, std::move(attribute));
    }
    out.clear_attribute();
    size_t implicit = 0;
    for (const auto& [attribute_name, value] : node.attributes) {
      ::onnx::AttributeProto& attribute = *out.add_attribute();
      const auto rest = rests.find(attribute_name);
      if (rest != rests.end()) attribute = std::move(rest->second);
      attribute.set_name(attribute_name);
      fill_attribute(value, attribute);
      const auto* body = std::get_if<ir::GraphPtr>(&value);
      if (body == nullptr) continue;
      Pending work{body->get(), attribute.mutable_g(), {}};
      for (size_t i = 0; i < (*body)->captures().size(); ++i) {
        work.capture_names.push_back(name(node.implicit_inputs[implicit++]));
      }
      pending_.push_back(std::move(work));
    }
  }

  const ir::Graph& graph_;
  ::onnx::GraphProto& proto_;
  const FillConstant& fill_constant_;
  std::vector<Pending>& pending_;
  std::map<ir::ValueId, std::string> renamed_;
  std::vector<bool> is_output_;
};

}  // namespace

void fill_graph(const ir::Graph& main, const FillConstant& fill_constant,
                ::onnx::GraphProto& proto) {
  std::vector<Pending> pending = {{&main, &proto, {}}};
  const FillConstant inline_data = fill_tensor;
  while (!pending.empty()) {
    const Pending work = std::move(pending.back());
    pending.pop_back();
    const FillConstant& fill = work.graph == &main ? fill_constant : inline_data;
    GraphWriter(work, fill, pending).write();
  }
}

}  // namespace octet::onnx
