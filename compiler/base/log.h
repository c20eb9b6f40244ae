// Messages to stderr. Results go to stdout and errors travel as values; this is for what a person
// may want to know on the way.
#pragma once

#include <string_view>

namespace octet {

enum class LogLevel { kQuiet, kNormal, kVerbose };

void set_log_level(LogLevel level);

void log_detail(std::string_view message);   // shown with --verbose
void log_info(std::string_view message);     // hidden by --quiet
void log_warning(std::string_view message);  // hidden by --quiet

}  // namespace octet
