// Attributes of nodes: a closed variant. 64-bit integers stay 64-bit.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "compiler/ir/tensor.h"

namespace octet::ir {

class Graph;
using GraphPtr = std::shared_ptr<const Graph>;

// A kind of attribute that Octet does not look into (sparse tensors, types, lists of tensors and
// graphs): the ONNX message as it came, so that it can be written again.
struct OpaqueAttribute {
  int32_t onnx_type = 0;
  std::string bytes;
  bool operator==(const OpaqueAttribute&) const = default;
};

// Tensors and graphs compare by content; see attributes_equal in graph.h.
using Attribute =
    std::variant<int64_t, float, std::string, TensorPtr, GraphPtr, std::vector<int64_t>,
                 std::vector<float>, std::vector<std::string>, OpaqueAttribute>;

// Sorted by name: the order in the file has no meaning, and printing must not depend on it.
using AttributeMap = std::map<std::string, Attribute, std::less<>>;

}  // namespace octet::ir
