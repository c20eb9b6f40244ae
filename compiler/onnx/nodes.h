// NodeProtos of one scope -> nodes of its graph.
#pragma once

#include <vector>

#include "compiler/base/result.h"
#include "compiler/onnx/functions.h"
#include "compiler/onnx/scopes.h"

namespace octet::onnx {

// Adds the nodes and outputs of scope `index`, whose values are declared and whose bodies are
// built. A name that is not this graph's but one around it becomes a capture; kMalformed when there
// is none.
Status build_nodes(std::vector<Scope>& scopes, size_t index, TensorReader& tensors,
                   const OriginOverrides& origins);

}  // namespace octet::onnx
