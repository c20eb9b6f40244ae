// Rule files: protobuf text of message Rules, in which every line keeps its place in the file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/base/result.h"
#include "patterns/pattern.h"

namespace octet::patterns {

// Parsed, not yet checked for meaning. Errors: kUsage, "file:line:column: what is wrong".
Result<std::vector<Rule>> parse_rule_file(std::string_view text, const std::string& file);

}  // namespace octet::patterns
