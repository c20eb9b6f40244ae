// ONNX's TensorProto as bytes, for the input_*.pb files of test data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/tensor.h"

namespace octet::data {

// What stands in the file apart from the elements; the elements are still in the bytes.
struct TensorProtoHeader {
  std::string name;
  ir::DType dtype = ir::DType::kUndefined;
  std::vector<int64_t> shape;
};

// Field numbers of onnx.proto: dims 1, data_type 2, float_data 4, int32_data 5, string_data 6,
// int64_data 7, name 8, raw_data 9, double_data 10, uint64_data 11, external_data 13,
// data_location 14. Strings, complex numbers, segments and external data are refused, and what is
// not a TensorProto at all: kBadData.
Result<TensorProtoHeader> read_tensor_proto_header(std::string_view bytes);
Result<ir::Tensor> read_tensor_proto(std::string_view bytes);

}  // namespace octet::data
