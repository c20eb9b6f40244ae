// An array in a .npy file or a member of a .npz, read row by row.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/data/byte_source.h"
#include "compiler/data/npy.h"
#include "compiler/ir/tensor.h"

namespace octet::data {

class Array {
 public:
  static Result<Array> open(ByteSourcePtr source);

  ir::DType dtype() const { return header_.dtype; }
  const std::vector<int64_t>& shape() const { return header_.shape; }

  // Rows [first, first + count) along axis 0, under `shape`, which must have their element count.
  // In the machine's byte order; bool is 0 or 1.
  Result<ir::Tensor> rows(int64_t first, int64_t count, std::vector<int64_t> shape) const;

  // All of it.
  Result<ir::Tensor> whole() const;

 private:
  Result<ir::Tensor> read(int64_t offset, int64_t bytes, std::vector<int64_t> shape) const;

  NpyHeader header_;
  ByteSourcePtr source_;
};

}  // namespace octet::data
