// Names that come from a model, made safe to show.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace octet {

// `name` in double quotes, control characters, quotes and backslashes escaped, cut at 120
// characters. What every message uses for a name that it did not make up itself.
std::string quote_name(std::string_view name);

// The candidate with the least edit distance to `wanted`; empty when there are none. Ties go to
// the first.
std::string nearest_name(std::string_view wanted, const std::vector<std::string>& candidates);

// True when `pattern` matches all of `text`: '*' stands for any run, '?' for one character.
bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace octet
