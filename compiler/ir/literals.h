// How single things are written in text form: names, strings, numbers, bytes. Shared by the
// printer, the lexer and the parser, so that what one writes the others read.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace octet::ir {

// [A-Za-z_][A-Za-z0-9_.]*, with every '.' inside.
size_t identifier_length(std::string_view text);  // of the identifier that `text` begins with, or 0
bool is_identifier(std::string_view text);

// What may follow '%' without quotes: [A-Za-z0-9_/] and, in front of one of those, '.' and '-';
// ':' in front of a digit ("conv/BiasAdd:0").
size_t bare_name_length(std::string_view text);

// "..." with the escapes \" \\ \n \t \r \xHH. Well-formed UTF-8 stays as it is, control characters
// and all other bytes are escaped: the text form is UTF-8 whatever the names are.
void append_quoted(std::string& out, std::string_view bytes);
// The length of the escape that `text` begins with (at its backslash); 0 when it is none of those.
size_t escape_length(std::string_view text);
// The bytes that stand between the quotes. Every escape must be well formed.
std::string unescape(std::string_view text);

void append_name(std::string& out, std::string_view name);  // %x or %"odd name"
void append_word(std::string& out, std::string_view word);  // an identifier, or quoted

// The shortest decimal that reads back as the same number, with a point or exponent: 0.1, 1.0,
// -0.0, 1e-07, inf, -inf, nan. A float NaN of other bits than the usual ones is 0x and its bits.
void append_float(std::string& out, float x);
void append_double(std::string& out, double x);

// RFC 4648, padded, without line breaks. Decoding takes nothing else.
void append_base64(std::string& out, std::span<const std::byte> bytes);
std::optional<std::vector<std::byte>> decode_base64(std::string_view text);

std::span<const std::byte> as_bytes(std::string_view text);

// 64 bits that tell contents apart in summaries; not made to withstand forgery.
uint64_t content_digest(std::span<const std::byte> bytes);

}  // namespace octet::ir
