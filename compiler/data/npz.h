// The arrays of a .npz file by name.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "compiler/base/result.h"
#include "compiler/data/array.h"
#include "compiler/data/npy.h"

namespace octet::data {

// The most that the compressed arrays of one archive may take in memory.
inline constexpr int64_t kMostInflated = int64_t{2} << 30;

// Types and shapes alone, checked, nothing inflated beyond the headers. kBadData.
Result<std::map<std::string, NpyHeader>> read_npz_headers(const std::string& path);

// All arrays, ordered by name (the member's name without ".npy"). Arrays that numpy.savez wrote
// stay in the file; compressed ones are inflated. The header of every array is checked before any
// is inflated. kBadData, kResourceLimit.
Result<std::map<std::string, Array>> open_npz(const std::string& path);

}  // namespace octet::data
