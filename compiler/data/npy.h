// The header of a NumPy .npy file (numpy/lib/format.py, versions 1.0 to 3.0).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/data/byte_source.h"
#include "compiler/ir/tensor_type.h"

namespace octet::data {

enum class ByteOrder { kLittle, kBig };

struct NpyHeader {
  ir::DType dtype = ir::DType::kUndefined;
  ByteOrder byte_order = ByteOrder::kLittle;
  std::vector<int64_t> shape;
  int64_t data_offset = 0;
  int64_t data_bytes = 0;
};

// Reads and checks the header of `source`: the data that it claims must be exactly what follows.
// Numbers and bool only: Python objects, strings, records and complex numbers are refused, and so
// is Fortran order for more than one axis, where a sample is not contiguous. kBadData.
Result<NpyHeader> read_npy_header(const ByteSource& source);

// The dictionary between the preamble and the data: dtype, byte order and shape.
Result<NpyHeader> parse_npy_dictionary(std::string_view text);

}  // namespace octet::data
