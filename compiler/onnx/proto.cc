#include "compiler/onnx/proto.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include "compiler/base/names.h"
#include "compiler/base/result.h"

namespace octet::onnx {

std::vector<std::string> field_contents(const google::protobuf::Message& message, int number) {
  using google::protobuf::FieldDescriptor;
  std::vector<std::string> found;
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByNumber(number);
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  if (field == nullptr) {
    const auto& unknown = reflection.GetUnknownFields(message);
    for (int i = 0; i < unknown.field_count(); ++i) {
      const auto& entry = unknown.field(i);
      if (entry.number() != number) continue;
      if (entry.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED) continue;
      found.push_back(entry.length_delimited());
    }
    return found;
  }
  const bool text = field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  if (!field->is_repeated()) {
    if (!reflection.HasField(message, field)) return found;
    found.push_back(text ? reflection.GetString(message, field)
                         : serialize(reflection.GetMessage(message, field)));
    return found;
  }
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    found.push_back(text ? reflection.GetRepeatedString(message, field, i)
                         : serialize(reflection.GetRepeatedMessage(message, field, i)));
  }
  return found;
}

std::vector<NodeList*> node_lists(NodeList& root) {
  std::vector<NodeList*> lists = {&root};
  for (size_t i = 0; i < lists.size(); ++i) {
    for (auto& node : *lists[i]) {
      for (auto& attribute : *node.mutable_attribute()) {
        if (attribute.has_g()) lists.push_back(attribute.mutable_g()->mutable_node());
        for (auto& graph : *attribute.mutable_graphs()) lists.push_back(graph.mutable_node());
      }
    }
  }
  return lists;
}

std::vector<const NodeList*> node_lists(const NodeList& root) {
  std::vector<const NodeList*> lists = {&root};
  for (size_t i = 0; i < lists.size(); ++i) {
    for (const auto& node : *lists[i]) {
      for (const auto& attribute : node.attribute()) {
        if (attribute.has_g()) lists.push_back(&attribute.g().node());
        for (const auto& graph : attribute.graphs()) lists.push_back(&graph.node());
      }
    }
  }
  return lists;
}

std::string serialize(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    message.SerializePartialToCodedStream(&out);
  }
  return bytes;
}

std::string origin_of(const ::onnx::NodeProto& node) {
  if (!node.name().empty()) return node.name();
  for (const std::string& output : node.output()) {
    if (!output.empty()) return output;
  }
  return node.op_type();
}

std::string describe(const ::onnx::NodeProto& node) {
  return cat("node ", quote_name(origin_of(node)), " (", node.op_type().substr(0, 80), ")");
}

std::string canonical_domain(const std::string& domain) {
  return domain == "ai.onnx" ? std::string() : domain;
}

}  // namespace octet::onnx
