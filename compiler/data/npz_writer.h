// Writes .npz archives as numpy.savez does: stored members, no compression.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/tensor.h"

namespace octet::data {

// The bytes of an archive with one array per name, in the given order; the same input gives the
// same bytes. kUnsupported for a type that NumPy does not have, kResourceLimit at 4 GiB.
Result<std::string> write_npz(const std::vector<std::pair<std::string, ir::Tensor>>& arrays);

}  // namespace octet::data
