#include "compiler/ir/lexer.h"

#include <charconv>

#include "compiler/base/names.h"
#include "compiler/ir/literals.h"

namespace octet::ir {
namespace {

bool is_digit_at(std::string_view text, size_t i) {
  return i < text.size() && text[i] >= '0' && text[i] <= '9';
}

size_t digits_length(std::string_view text, size_t from) {
  size_t i = from;
  while (is_digit_at(text, i)) ++i;
  return i - from;
}

struct Number {
  TokenKind kind = TokenKind::kInteger;
  size_t length = 0;
};

// The number that `text` begins with; its first character is a digit, or '-' before one.
Number scan_number(std::string_view text) {
  Number number;
  if (text.starts_with("0x")) {
    const size_t end = text.find_first_not_of("0123456789abcdefABCDEF", 2);
    return {TokenKind::kBits, end == std::string_view::npos ? text.size() : end};
  }
  size_t i = text[0] == '-' ? 1 : 0;
  i += digits_length(text, i);
  if (i < text.size() && text[i] == '.' && is_digit_at(text, i + 1)) {
    number.kind = TokenKind::kFloat;
    i += 1 + digits_length(text, i + 1);
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    size_t exponent = i + 1;
    if (exponent < text.size() && (text[exponent] == '+' || text[exponent] == '-')) ++exponent;
    if (is_digit_at(text, exponent)) {
      number.kind = TokenKind::kFloat;
      i = exponent + digits_length(text, exponent);
    }
  }
  number.length = i;
  return number;
}

std::string describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::kEnd:
      return "the end";
    case TokenKind::kString:
      return "the string " + quote_name(token.str());
    case TokenKind::kName:
      return "the name " + quote_name(token.str());
    default:
      return "'" + std::string(token.text.substr(0, 40)) + "'";
  }
}

}  // namespace

std::string Token::str() const { return quoted ? unescape(text) : std::string(text); }

Lexer::Lexer(std::string_view text, Position start) : rest_(text), position_(start) {
  token_ = scan();
}

Token Lexer::next() {
  Token token = token_;
  // An invalid token stays: nothing after it can be trusted.
  if (token.kind != TokenKind::kInvalid) token_ = scan();
  return token;
}

Token Lexer::take(TokenKind kind, size_t length) {
  Token token{kind, rest_.substr(0, length), position_, false};
  rest_.remove_prefix(length);
  position_.column += static_cast<int64_t>(length);
  return token;
}

Token Lexer::invalid(std::string_view why) { return {TokenKind::kInvalid, why, position_, false}; }

// `prefix` is what stands in front of the opening quote.
Token Lexer::take_quoted(TokenKind kind, size_t prefix) {
  size_t i = prefix + 1;
  while (i < rest_.size() && rest_[i] != '"' && rest_[i] != '\n') {
    const size_t step = rest_[i] == '\\' ? escape_length(rest_.substr(i)) : 1;
    if (step == 0) {
      position_.column += static_cast<int64_t>(i);
      return invalid("unknown escape; known are \\\" \\\\ \\n \\t \\r and \\xHH");
    }
    i += step;
  }
  if (i >= rest_.size() || rest_[i] != '"') return invalid("string without an end on its line");
  Token token = take(kind, i + 1);
  token.text = token.text.substr(prefix + 1, i - prefix - 1);
  token.quoted = true;
  return token;
}

void Lexer::skip_blanks() {
  size_t i = 0;
  while (i < rest_.size()) {
    const char c = rest_[i];
    if (c == '\n') {
      ++position_.line;
      position_.column = 1;
      ++i;
    } else if (c == ' ' || c == '\t' || c == '\r') {
      ++position_.column;
      ++i;
    } else if (c == '#') {
      // The newline that ends the comment resets the column.
      i = std::min(rest_.find('\n', i), rest_.size());
    } else {
      break;
    }
  }
  rest_.remove_prefix(i);
}

Token Lexer::scan() {
  skip_blanks();
  if (rest_.empty()) return take(TokenKind::kEnd, 0);
  const char c = rest_[0];
  if (c == '"') return take_quoted(TokenKind::kString, 0);
  if (c == '%') {
    if (rest_.substr(1).starts_with('"')) return take_quoted(TokenKind::kName, 1);
    const size_t length = bare_name_length(rest_.substr(1));
    if (length == 0) return invalid("no name after %");
    Token token = take(TokenKind::kName, length + 1);
    token.text.remove_prefix(1);
    return token;
  }
  if (is_digit_at(rest_, 0) || (c == '-' && is_digit_at(rest_, 1))) {
    const Number number = scan_number(rest_);
    if (identifier_length(rest_.substr(number.length)) > 0) {
      return invalid("letters right behind a number");
    }
    return take(number.kind, number.length);
  }
  if (c == '-' && rest_.substr(1, identifier_length(rest_.substr(1))) == "inf") {
    return take(TokenKind::kFloat, 4);
  }
  if (const size_t length = identifier_length(rest_); length > 0) {
    return take(TokenKind::kIdentifier, length);
  }
  for (std::string_view punctuation : {"...", "->", "::"}) {
    if (rest_.starts_with(punctuation)) return take(TokenKind::kPunctuation, punctuation.size());
  }
  if (std::string_view("(){}[],:=|~*?$+-<>/!&@;.^").find(c) != std::string_view::npos) {
    return take(TokenKind::kPunctuation, 1);
  }
  return invalid("a character that begins nothing; odd names go in quotes: %\"...\"");
}

bool Lexer::accept(std::string_view punctuation) {
  if (!token_.is_punctuation(punctuation)) return false;
  next();
  return true;
}

bool Lexer::accept_word(std::string_view word) {
  if (!token_.is_word(word)) return false;
  next();
  return true;
}

Status Lexer::expect(std::string_view punctuation) {
  if (!accept(punctuation)) return expected(cat("'", punctuation, "'"));
  return {};
}

Status Lexer::expect_word(std::string_view word) {
  if (!accept_word(word)) return expected(cat("'", word, "'"));
  return {};
}

Result<Token> Lexer::expect(TokenKind kind, std::string_view what) {
  if (token_.kind != kind) return expected(what);
  return next();
}

Result<std::string> Lexer::string(std::string_view what) {
  if (token_.kind != TokenKind::kString) return expected(what);
  return next().str();
}

Result<std::string> Lexer::word(std::string_view what) {
  const bool identifier = token_.kind == TokenKind::kIdentifier && token_.text != "_";
  if (!identifier && token_.kind != TokenKind::kString) return expected(what);
  return next().str();
}

Result<int64_t> Lexer::integer(std::string_view what) {
  if (token_.kind != TokenKind::kInteger) return expected(what);
  int64_t value = 0;
  const std::string_view text = token_.text;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return error_at(token_.position, "an integer beyond 64 bits");
  }
  next();
  return value;
}

Error Lexer::expected(std::string_view what, const Token& found) {
  if (found.kind == TokenKind::kInvalid) return error_at(found.position, found.text);
  return error_at(found.position, cat("expected ", what, ", found ", describe(found)));
}

Error Lexer::error_at(Position position, std::string_view message) {
  return malformed(position.line, ":", position.column, ": ", message);
}

}  // namespace octet::ir
