// Opening a file that a model names, and never one outside the model's folder.
#pragma once

#include <string>

#include "compiler/base/open_file.h"
#include "compiler/base/result.h"

namespace octet {

enum class ContainedMethod {
  kKernel,  // openat2(2), and the walk where the kernel does not have it
  kWalk,    // one component after the other without following links
};

// kMalformed unless `location` is a plain relative name: components other than "." and "..",
// separated by single '/', no backslash, no drive letter, no NUL, at most 4095 bytes.
Status check_plain_location(const std::string& location);

// The regular file `location` beneath `directory`. kMalformed for a location that is not plain, a
// symbolic link on the way or a file with several names; kIo otherwise.
Result<OpenFile> open_contained(const std::string& directory, const std::string& location,
                                ContainedMethod method = ContainedMethod::kKernel);

}  // namespace octet
