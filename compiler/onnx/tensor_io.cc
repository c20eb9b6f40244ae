#include "compiler/onnx/tensor_io.h"

#include "compiler/onnx/export_tensor.h"
#include "compiler/onnx/tensors.h"
#include "compiler/onnx/wire_check.h"

namespace octet::onnx {

Result<ir::Tensor> import_tensor_bytes(std::string_view bytes) {
  const ImportOptions options;
  if (static_cast<int64_t>(bytes.size()) > options.max_file_bytes) {
    return resource_limit("a tensor of ", bytes.size(), " bytes");
  }
  OCTET_TRY(check_wire(bytes, WireMessage::kTensor, {}));
  ::onnx::TensorProto proto;
  if (!proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return malformed("not a TensorProto");
  }
  return TensorReader(options, {}).take(proto);
}

std::string export_tensor_bytes(const ir::Tensor& tensor, const std::string& name) {
  ::onnx::TensorProto proto;
  proto.set_name(name);
  fill_tensor(tensor, proto);
  return serialize(proto);
}

}  // namespace octet::onnx
