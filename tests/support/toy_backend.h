// The template of a backend, with more in it.
#pragma once

#include <string>

#include "backends/backends.h"
#include "compiler/base/files.h"
#include "tests/support/graph_builder.h"

namespace octet::testing {

inline std::string replaced_once(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

// backends/toy, with 16-bit activations for single layers.
inline std::string toy_text_with_wide_data() {
  std::string text =
      must(read_file(std::string(OCTET_SOURCE_DIR) + "/backends/toy/backend.textproto"));
  text = replaced_once(text, "name: \"toy\"", "name: \"wide_toy\"");
  text = replaced_once(text, "opset: 17", "opset: 21");
  text = replaced_once(text, "space { name: \"weight\"",
                       "space { name: \"wide\" dtype: \"int16\" symmetric: true qmin: -32767 }\n"
                       "space { name: \"weight\"");
  return replaced_once(text, "weight: \"weight\" }", "weight: \"weight\" wide_data: \"wide\" }");
}

inline plan::BackendSpec toy_with_wide_data() {
  return must(backends::parse_backend(toy_text_with_wide_data(), "wide_toy.textproto"));
}

}  // namespace octet::testing
