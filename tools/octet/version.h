#pragma once

namespace octet::tools {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace octet::tools
