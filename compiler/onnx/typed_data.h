// The typed fields of TensorProto (float_data, int32_data, ...) as packed bytes.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/numerics/dtype.h"
#include "compiler/onnx/proto.h"

namespace octet::onnx {

// The field that holds elements of a type, "raw_data" aside; empty for types without one.
std::string_view typed_field(numerics::DType dtype);

// A typed field that has elements although it is not that of `dtype`; empty when there is none.
std::string_view misplaced_field(const ::onnx::TensorProto& tensor, numerics::DType dtype);

// The elements of the typed field of a type other than string as `count` packed elements:
// kMalformed unless there are as many as that needs and each fits.
Result<std::vector<std::byte>> typed_bytes(const ::onnx::TensorProto& tensor, numerics::DType dtype,
                                           int64_t count);

}  // namespace octet::onnx
