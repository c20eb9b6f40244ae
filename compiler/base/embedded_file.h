// A text file that the build made part of the program; see tools/cmake/embed.cmake.
#pragma once

#include <span>
#include <string_view>

namespace octet {

struct EmbeddedFile {
  std::string_view path;  // from the root of the repository
  std::string_view text;
};

}  // namespace octet
