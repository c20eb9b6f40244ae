// ONNX's protobuf classes, for this room only. Fields that the installed release does not know
// stay in the messages' unknown field sets.
#pragma once

#ifndef ONNX_ML
#define ONNX_ML 1
#endif
#include <onnx/onnx_pb.h>

#include <string>
#include <string_view>
#include <vector>

namespace octet::onnx {

// The contents of a message's text or message fields `number`, whether the installed classes know
// that field or not.
std::vector<std::string> field_contents(const google::protobuf::Message& message, int number);

using NodeList = google::protobuf::RepeatedPtrField<::onnx::NodeProto>;

// The list itself and those of all bodies below it, outer ones first.
std::vector<NodeList*> node_lists(NodeList& root);
std::vector<const NodeList*> node_lists(const NodeList& root);

// Serialized bytes; the same for equal messages.
std::string serialize(const google::protobuf::Message& message);

// node "conv1" (Conv); one without a name goes by its first output, else by its operator alone.
std::string describe(const ::onnx::NodeProto& node);

// The name of a node, or else of its first output, or else its operator.
std::string origin_of(const ::onnx::NodeProto& node);

// "" for "ai.onnx", which is the same domain.
std::string canonical_domain(const std::string& domain);

}  // namespace octet::onnx
