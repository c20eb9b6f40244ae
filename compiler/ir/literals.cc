#include "compiler/ir/literals.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace octet::ir {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_char(char c) { return is_letter(c) || is_digit(c) || c == '/'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

uint8_t byte_at(std::string_view text, size_t i) { return static_cast<uint8_t>(text[i]); }

// The length of the printable UTF-8 character that `text` begins with; 0 when it is ill-formed
// (overlong, a surrogate, beyond U+10FFFF) or a control character.
size_t printable_length(std::string_view text) {
  const uint8_t lead = byte_at(text, 0);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7F ? 1 : 0;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  uint32_t point = lead & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte_at(text, i) & 0xC0) != 0x80) return 0;
    point = (point << 6) | (byte_at(text, i) & 0x3FU);
  }
  constexpr std::array<uint32_t, 5> kLeast = {0, 0, 0xA0, 0x800, 0x10000};
  const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
  return point < kLeast[length] || point > 0x10FFFF || surrogate ? 0 : length;
}

template <typename T>
void append_shortest(std::string& out, T x) {
  std::array<char, 40> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), x).ptr;
  const std::string_view digits(buffer.data(), static_cast<size_t>(end - buffer.data()));
  out += digits;
  if (std::isfinite(x) && digits.find_first_of(".e") == std::string_view::npos) out += ".0";
}

}  // namespace

size_t identifier_length(std::string_view text) {
  if (text.empty() || !is_letter(text[0])) return 0;
  size_t i = 1;
  while (i < text.size()) {
    const bool inner_point =
        text[i] == '.' && i + 1 < text.size() && (is_letter(text[i + 1]) || is_digit(text[i + 1]));
    if (!is_letter(text[i]) && !is_digit(text[i]) && !inner_point) break;
    ++i;
  }
  return i;
}

bool is_identifier(std::string_view text) {
  return !text.empty() && identifier_length(text) == text.size();
}

size_t bare_name_length(std::string_view text) {
  size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (is_name_char(c)) continue;
    const char after = i + 1 < text.size() ? text[i + 1] : '\0';
    if ((c == '.' || c == '-') && is_name_char(after)) continue;
    if (c == ':' && is_digit(after)) continue;
    break;
  }
  return i;
}

void append_quoted(std::string& out, std::string_view bytes) {
  out += '"';
  for (size_t i = 0; i < bytes.size();) {
    const char c = bytes[i];
    const size_t length = printable_length(bytes.substr(i));
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (length > 0) {
      out += bytes.substr(i, length);
    } else if (c == '\n' || c == '\t' || c == '\r') {
      out += c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r";
    } else {
      out += "\\x";
      out += kHex[byte_at(bytes, i) >> 4];
      out += kHex[byte_at(bytes, i) & 15];
    }
    i += length > 0 ? length : 1;
  }
  out += '"';
}

size_t escape_length(std::string_view text) {
  if (text.size() < 2) return 0;
  if (std::string_view("\"\\ntr").find(text[1]) != std::string_view::npos) return 2;
  const bool hex =
      text[1] == 'x' && text.size() >= 4 && hex_digit(text[2]) >= 0 && hex_digit(text[3]) >= 0;
  return hex ? 4 : 0;
}

std::string unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 >= text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    if (c == 'x' && i + 2 < text.size()) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
    }
  }
  return out;
}

void append_name(std::string& out, std::string_view name) {
  out += '%';
  if (!name.empty() && bare_name_length(name) == name.size()) {
    out += name;
  } else {
    append_quoted(out, name);
  }
}

void append_word(std::string& out, std::string_view word) {
  // A lone underscore means "omitted".
  if (is_identifier(word) && word != "_") {
    out += word;
  } else {
    append_quoted(out, word);
  }
}

void append_float(std::string& out, float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if (!std::isnan(x)) return append_shortest(out, x);
  if (bits == 0x7FC00000) {
    out += "nan";
    return;
  }
  out += "0x";
  for (int shift = 28; shift >= 0; shift -= 4) out += kHex[(bits >> shift) & 15];
}

void append_double(std::string& out, double x) {
  if (std::isnan(x)) {
    out += "nan";
  } else {
    append_shortest(out, x);
  }
}

void append_base64(std::string& out, std::span<const std::byte> bytes) {
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = bytes.size() - i;
    auto group = static_cast<uint32_t>(bytes[i]) << 16;
    if (left > 1) group |= static_cast<uint32_t>(bytes[i + 1]) << 8;
    if (left > 2) group |= static_cast<uint32_t>(bytes[i + 2]);
    out += kBase64[group >> 18];
    out += kBase64[(group >> 12) & 63];
    out += left > 1 ? kBase64[(group >> 6) & 63] : '=';
    out += left > 2 ? kBase64[group & 63] : '=';
  }
}

std::optional<std::vector<std::byte>> decode_base64(std::string_view text) {
  constexpr uint8_t kNone = 255;
  std::array<uint8_t, 256> digit{};
  digit.fill(kNone);
  for (size_t i = 0; i < kBase64.size(); ++i) digit[byte_at(kBase64, i)] = static_cast<uint8_t>(i);

  if (text.size() % 4 != 0) return std::nullopt;
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  text.remove_suffix(padding);
  std::vector<std::byte> out;
  out.reserve(text.size() * 3 / 4);
  uint32_t group = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t value = digit[byte_at(text, i)];
    if (value == kNone) return std::nullopt;
    group = (group << 6) | value;
    // Characters 1, 2 and 3 of a group complete a byte each.
    if (i % 4 != 0) out.push_back(static_cast<std::byte>(group >> (6 - 2 * (i % 4))));
  }
  const uint32_t unused_bits = padding == 0 ? 0 : padding == 1 ? 3 : 15;
  if ((group & unused_bits) != 0) return std::nullopt;
  return out;
}

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span<const char>(text));
}

uint64_t content_digest(std::span<const std::byte> bytes) {
  constexpr uint64_t kPrime = 0x9E3779B97F4A7C15;
  uint64_t digest = bytes.size() * kPrime;
  for (size_t i = 0; i < bytes.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, std::min<size_t>(8, bytes.size() - i));
    digest = (digest ^ word) * kPrime;
    digest ^= digest >> 29;
  }
  return digest;
}

}  // namespace octet::ir
