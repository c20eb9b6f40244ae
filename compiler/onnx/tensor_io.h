// Tensors on their own: the input_*.pb and output_*.pb files of ONNX's test data.
#pragma once

#include <string>
#include <string_view>

#include "compiler/base/result.h"
#include "compiler/ir/tensor.h"

namespace octet::onnx {

// A serialized TensorProto without external data. kMalformed when it is not one.
Result<ir::Tensor> import_tensor_bytes(std::string_view bytes);

// The serialized TensorProto of a tensor under a name.
std::string export_tensor_bytes(const ir::Tensor& tensor, const std::string& name);

}  // namespace octet::onnx
