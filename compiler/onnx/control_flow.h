// Nodes with bodies: the numbers of operands and results that If, Loop and Scan demand.
#pragma once

#include "compiler/base/result.h"
#include "compiler/onnx/proto.h"

namespace octet::onnx {

// kMalformed where a body's inputs and outputs do not fit the node (onnx/docs/Operators.md, If,
// Loop, Scan; Scan from opset 9). Other operators pass.
Status check_control_flow(const ::onnx::NodeProto& node, int64_t opset);

}  // namespace octet::onnx
