// What went wrong with a file, and what to do about it.
#pragma once

#include <string>

#include "compiler/base/result.h"

namespace octet {

// "No such file or directory" for an errno value.
std::string errno_text(int error);

enum class FileUse { kRead, kWrite };

// errno_text with the cure behind it where there is one: "No space left on device; free some space
// or write to another disk".
std::string errno_advice(int error, FileUse use);

// kIo: the path and errno_advice. For a file that is not there to be read the advice names the
// folder that is missing, or the nearest name of that kind that the folder has.
Error file_error(const std::string& path, int error, FileUse use);

}  // namespace octet
