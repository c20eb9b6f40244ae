// ValueInfoProto <-> TensorType.
#pragma once

#include "compiler/base/result.h"
#include "compiler/ir/tensor_type.h"
#include "compiler/onnx/proto.h"

namespace octet::onnx {

// Takes element type and shape of a tensor out of `info` and leaves what the IR has no place for:
// doc_string, denotations, types that are no tensors, fields that are not known. Values that are no
// tensors have dtype kUndefined. The name stays.
Result<ir::TensorType> take_type(::onnx::ValueInfoProto& info, int64_t max_rank);

// The reverse: adds type and shape to what take_type left.
void fill_type(const ir::TensorType& type, ::onnx::ValueInfoProto& info);

// What two declarations of one value say together; kMalformed when they contradict each other.
Result<ir::TensorType> merge_types(const ir::TensorType& a, const ir::TensorType& b);

}  // namespace octet::onnx
