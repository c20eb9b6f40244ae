#include "compiler/onnx/export_tensor.h"

namespace octet::onnx {

void fill_tensor_type(const ir::Tensor& tensor, ::onnx::TensorProto& proto) {
  for (int64_t extent : tensor.shape()) proto.add_dims(extent);
  proto.set_data_type(static_cast<int32_t>(tensor.dtype()));
}

void fill_tensor(const ir::Tensor& tensor, ::onnx::TensorProto& proto) {
  fill_tensor_type(tensor, proto);
  if (tensor.dtype() == ir::DType::kString) {
    for (const std::string& value : tensor.strings()) proto.add_string_data(value);
    return;
  }
  proto.set_raw_data(tensor.bytes().data(), tensor.bytes().size());
}

}  // namespace octet::onnx
