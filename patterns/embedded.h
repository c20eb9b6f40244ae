// The files of patterns/rules, made part of the program by the build.
#pragma once

#include <span>
#include <string_view>

namespace octet::patterns {

struct EmbeddedFile {
  std::string_view path;  // from the root of the repository
  std::string_view text;
};

// Sorted by path.
std::span<const EmbeddedFile> embedded_rule_files();

}  // namespace octet::patterns
