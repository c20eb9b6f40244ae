// Verbs that list what is built in: a line each, or JSON with the same fields.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tools/octet/invocation.h"

namespace octet::tools {

struct ListEntry {
  std::string name;
  std::vector<std::pair<std::string, std::string>> fields;  // key and text, in the order shown
};

// Declares a verb that prints what `entries` gives.
void add_list(CLI::App& app, Invocation& invocation, const std::string& name,
              const std::string& description,
              std::function<Result<std::vector<ListEntry>>()> entries);

}  // namespace octet::tools
