// Inlining of model-local functions.
#pragma once

#include <map>
#include <string>

#include "compiler/base/result.h"
#include "compiler/onnx/import.h"
#include "compiler/onnx/proto.h"

namespace octet::onnx {

// Nodes that stand for another one of the file, and its name.
using OriginOverrides = std::map<const ::onnx::NodeProto*, std::string>;

// Replaces every call in the model's graph, bodies included, by the nodes of the function, and
// drops the functions. New values and nodes are named after the call ("call/name"), unique in the
// model. Opset imports of the functions are added to the model's; kUnsupported where a function
// needs another version of a domain than the model.
Result<OriginOverrides> inline_functions(::onnx::ModelProto& model, const ImportOptions& options);

}  // namespace octet::onnx
