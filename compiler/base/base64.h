// Bytes as text (RFC 4648, section 4, with padding).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/base/result.h"

namespace octet {

std::string to_base64(std::span<const std::byte> bytes);

// kMalformed for anything but what to_base64 writes.
Result<std::vector<std::byte>> from_base64(std::string_view text);

}  // namespace octet
