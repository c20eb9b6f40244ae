// Opset 6, which PyTorch wrote until 2018, as opset 7.
#pragma once

#include "compiler/onnx/proto.h"

namespace octet::onnx {

// Rewrites a model that imports ai.onnx 6 when the meaning of every node in it is known in version
// 7 (onnx/docs/Changelog.md, Version 7): the attributes `broadcast` and `axis` of the two-operand
// operators go, an operand that `axis` aligned gets the axes it needs by an Unsqueeze; `is_test`
// goes where it is 1. Any other model stays as it is.
void upgrade_from_opset6(::onnx::ModelProto& model);

}  // namespace octet::onnx
