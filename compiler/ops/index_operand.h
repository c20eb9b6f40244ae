// Operands that pick elements, checked before anything is read through them.
#pragma once

#include <cstdint>

#include "compiler/ops/evaluate_helpers.h"

namespace octet::ops {

// The indices of an int32 or int64 tensor, negative ones counted from the end.
class IndexReader {
 public:
  // kMalformed for other element types.
  static Result<IndexReader> make(const EvaluateContext& context, size_t operand) {
    const Tensor& tensor = context.input(operand);
    if (tensor.dtype() != DType::kInt32 && tensor.dtype() != DType::kInt64) {
      return malformed("input ", operand, ": ", numerics::dtype_name(tensor.dtype()),
                       " where int32 or int64 is needed");
    }
    return IndexReader(tensor, operand);
  }

  // Index `i`, in [0, extent); kMalformed when it is outside of [-extent, extent).
  Result<int64_t> at(int64_t i, int64_t extent) const {
    const int64_t index = wide_ != nullptr ? wide_[i] : narrow_[i];
    if (index < -extent || index >= extent) {
      return malformed("input ", operand_, ": index ", index, " for an extent of ", extent);
    }
    return index < 0 ? index + extent : index;
  }

 private:
  IndexReader(const Tensor& tensor, size_t operand)
      : wide_(tensor.dtype() == DType::kInt64 ? tensor.data<int64_t>().data() : nullptr),
        narrow_(tensor.dtype() == DType::kInt32 ? tensor.data<int32_t>().data() : nullptr),
        operand_(operand) {}

  const int64_t* wide_;
  const int32_t* narrow_;
  size_t operand_;
};

}  // namespace octet::ops
