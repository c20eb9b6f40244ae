// TensorProto -> Tensor.
#pragma once

#include <span>

#include "compiler/base/budget.h"
#include "compiler/ir/tensor.h"
#include "compiler/onnx/external.h"
#include "compiler/onnx/import.h"
#include "compiler/onnx/proto.h"

namespace octet::onnx {

class TensorReader {
 public:
  TensorReader(const ImportOptions& options, ExternalSource source)
      : options_(options), source_(std::move(source)), budget_(options.max_tensor_bytes) {}

  // Takes shape, type and data out of the message and leaves the rest (name, doc_string, fields
  // that are not known). kMalformed when the data does not fit type and shape.
  Result<ir::Tensor> take(::onnx::TensorProto& tensor);

  // A sparse initializer made dense; its name is that of `values`.
  Result<ir::Tensor> take_sparse(::onnx::SparseTensorProto& sparse);

  // The extents of a claimed shape: none negative, no overflow, rank within the limit.
  Result<std::vector<int64_t>> shape(std::span<const int64_t> dims) const;

 private:
  Result<ir::Tensor> take_raw(::onnx::TensorProto& tensor, ir::DType dtype,
                              std::vector<int64_t> shape, int64_t size);
  Result<ir::Tensor> take_external(::onnx::TensorProto& tensor, ir::DType dtype,
                                   std::vector<int64_t> shape, int64_t size);

  const ImportOptions& options_;
  ExternalSource source_;
  MemoryBudget budget_;
};

}  // namespace octet::onnx
