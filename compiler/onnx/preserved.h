// The `preserved` strings of the IR, and origins, as parts of ONNX messages.
//
// A value's string is a serialized GraphProto with what is left of the value's ValueInfoProto (in
// value_info) and of its TensorProto (in initializer); a node's, graph's and model's is what is
// left of the message itself. Empty when nothing is left.
//
// Origins that are not just the node's own name are written as metadata of the node, with the keys
// "octet.origin.0", "octet.origin.1", ...
#pragma once

#include <string>
#include <vector>

#include "compiler/ir/graph.h"
#include "compiler/onnx/proto.h"

namespace octet::onnx {

struct ValueRest {
  ::onnx::ValueInfoProto info;
  ::onnx::TensorProto tensor;
};

std::string pack(ValueRest rest);
ValueRest unpack(const std::string& preserved);

// Metadata entries for the origins; empty when reading the node back gives them anyway.
std::string origin_metadata(const ir::Node& node, const std::string& default_origin);

// Takes the entries that origin_metadata wrote out of a serialized NodeProto.
std::vector<std::string> take_origins(std::string& node_bytes);

}  // namespace octet::onnx
