// Tensor -> TensorProto.
#pragma once

#include "compiler/ir/tensor.h"
#include "compiler/onnx/proto.h"

namespace octet::onnx {

// Sets dims, data_type and data (raw_data; string_data for strings), keeps the rest.
void fill_tensor(const ir::Tensor& tensor, ::onnx::TensorProto& proto);

// dims and data_type alone.
void fill_tensor_type(const ir::Tensor& tensor, ::onnx::TensorProto& proto);

}  // namespace octet::onnx
