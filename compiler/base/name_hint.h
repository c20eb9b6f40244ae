// What a message says after a name that is not known.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace octet {

// Insertions, deletions and substitutions that make one of the other.
size_t edit_distance(std::string_view a, std::string_view b);

// The candidate that `wanted` may be a slip of: an edit distance of at most a third of the longer
// of the two names. Empty when none is that close.
std::string close_name(std::string_view wanted, const std::vector<std::string>& candidates);

// "; the nearest is "X"" where one is close; else "; there are "A", "B"" where there are at most
// twelve; else nothing. Made to be put behind "unknown THING "WANTED"".
std::string name_hint(std::string_view wanted, const std::vector<std::string>& candidates);

}  // namespace octet
