// SHA-1 (FIPS 180-4, 6.1): what ONNX's `checksum` of external data is, and a content hash for names
// of data files. Not for security.
#pragma once

#include <string>
#include <string_view>

namespace octet::onnx {

// 40 lower-case hexadecimal digits.
std::string sha1_hex(std::string_view bytes);

}  // namespace octet::onnx
