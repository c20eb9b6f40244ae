// Tensor data in files beside the model (onnx/docs/ExternalData.md).
#pragma once

#include <string>

#include "compiler/base/result.h"
#include "compiler/onnx/proto.h"

namespace octet::onnx {

struct ExternalSource {
  std::string directory;   // empty: external data is refused
  std::string model_path;  // which cannot be its own data file; may be empty
};

// The `size` bytes that the tensor's external_data entries name. kMalformed for entries that are
// unknown, given twice or no numbers, for another length than `size`, for a wrong checksum.
Result<std::string> read_external(const ::onnx::TensorProto& tensor, int64_t size,
                                  const ExternalSource& source);

}  // namespace octet::onnx
