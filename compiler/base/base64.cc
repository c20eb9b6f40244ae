#include "compiler/base/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace octet {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Value of each character; 64 for those that are no digit.
std::array<uint32_t, 256> digit_values() {
  std::array<uint32_t, 256> out{};
  out.fill(64);
  for (size_t i = 0; i < kDigits.size(); ++i) out[static_cast<uint8_t>(kDigits[i])] = i;
  return out;
}

}  // namespace

std::string to_base64(std::span<const std::byte> bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? std::to_integer<uint32_t>(bytes[i + k]) : 0);
    }
    for (size_t k = 0; k < 4; ++k) {
      out += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

Result<std::vector<std::byte>> from_base64(std::string_view text) {
  static const std::array<uint32_t, 256> values = digit_values();
  if (text.size() % 4 != 0) return malformed("base64 text of ", text.size(), " characters");
  std::vector<std::byte> out;
  out.reserve(text.size() / 4 * 3);
  for (size_t i = 0; i < text.size(); i += 4) {
    size_t count = 4;
    if (i + 4 == text.size()) {
      while (count > 2 && text[i + count - 1] == '=') --count;
    }
    uint32_t group = 0;
    for (size_t k = 0; k < 4; ++k) {
      const uint32_t value = k < count ? values[static_cast<uint8_t>(text[i + k])] : 0;
      if (value > 63) return malformed("base64 text with a wrong character at ", i + k);
      group = group << 6 | value;
    }
    const uint32_t unused = count == 4 ? 0 : count == 3 ? group & 0xFF : group & 0xFFFF;
    if (unused != 0) return malformed("base64 text whose last digit holds too many bits");
    for (size_t k = 0; k + 1 < count; ++k) {
      out.push_back(static_cast<std::byte>(group >> (16 - 8 * k) & 0xFF));
    }
  }
  return out;
}

}  // namespace octet
