// Tokens of the text form (.oct). The rules of patterns/ have a grammar of their own over the same
// tokens.
//
//   identifier   Conv  float32  com.microsoft  _
//   name         %x  %/features/conv.1/Conv_output_0  %Add:0  %"any bytes"
//   integer      -12
//   float        0.5  -1e-07  -inf        ("inf" and "nan" are identifiers)
//   bits         0x7fc00001
//   string       "any bytes"              (escapes: \" \\ \n \t \r \xHH)
//   punctuation  -> :: ... and single characters
//   #            begins a comment that lasts to the end of the line
//
// Newlines have no meaning of their own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/base/result.h"

namespace octet::ir {

// Counted from 1; a column is a byte.
struct Position {
  int64_t line = 1;
  int64_t column = 1;
};

enum class TokenKind {
  kEnd,
  kIdentifier,
  kName,
  kInteger,
  kFloat,
  kBits,
  kString,
  kPunctuation,
  kInvalid,  // its text says what is wrong
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  // As in the source; of names without the %, of strings and quoted names without the quotes.
  std::string_view text;
  Position position;
  bool quoted = false;  // a name or string: escapes in `text` are not resolved yet

  bool is(TokenKind k, std::string_view t) const { return kind == k && text == t; }
  bool is_punctuation(std::string_view t) const { return is(TokenKind::kPunctuation, t); }
  bool is_word(std::string_view t) const { return is(TokenKind::kIdentifier, t); }
  std::string str() const;  // the text, escapes resolved
};

// Reads one token ahead. `text` must outlive the lexer and its tokens.
class Lexer {
 public:
  // `start` is where `text` stands in its file.
  explicit Lexer(std::string_view text, Position start = {});

  const Token& peek() const { return token_; }
  Token next();  // the token that peek() showed

  // Consume the next token if it is this one.
  bool accept(std::string_view punctuation);
  bool accept_word(std::string_view word);

  // Consume the next token, or say what was expected instead of it.
  Status expect(std::string_view punctuation);
  Status expect_word(std::string_view word);
  Result<Token> expect(TokenKind kind, std::string_view what);
  Result<std::string> string(std::string_view what);
  Result<std::string> word(std::string_view what);  // an identifier other than _, or a string
  Result<int64_t> integer(std::string_view what);

  // kMalformed: "3:14: expected `what`, found ...", or what is wrong with an invalid token.
  Error expected(std::string_view what) const { return expected(what, token_); }
  static Error expected(std::string_view what, const Token& found);
  // "3:14: message".
  static Error error_at(Position position, std::string_view message);

 private:
  Token scan();
  Token take(TokenKind kind, size_t length);
  Token take_quoted(TokenKind kind, size_t prefix);
  Token invalid(std::string_view why);
  void skip_blanks();

  std::string_view rest_;
  Position position_;
  Token token_;
};

}  // namespace octet::ir
