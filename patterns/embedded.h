// The files of patterns/rules, made part of the program by the build.
#pragma once

#include <span>

#include "compiler/base/embedded_file.h"

namespace octet::patterns {

// Sorted by path.
std::span<const EmbeddedFile> embedded_rule_files();

}  // namespace octet::patterns
