#include "compiler/ir/lexer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "compiler/ir/literals.h"

namespace octet::ir {
namespace {

std::vector<Token> tokens(std::string_view text) {
  Lexer lexer(text);
  std::vector<Token> out;
  while (lexer.peek().kind != TokenKind::kEnd && lexer.peek().kind != TokenKind::kInvalid) {
    out.push_back(lexer.next());
  }
  out.push_back(lexer.peek());
  return out;
}

// kind:text of every token, the end left out.
std::string summary(std::string_view text) {
  constexpr std::string_view kKinds = "$inIFBSp!";
  std::string out;
  for (const Token& token : tokens(text)) {
    if (token.kind == TokenKind::kEnd) break;
    if (!out.empty()) out += ' ';
    out += kKinds[static_cast<size_t>(token.kind)];
    out += ':';
    out += token.str();
  }
  return out;
}

TEST(Lexer, TellsTheKindsOfTokensApart) {
  EXPECT_EQ(summary("%x = Conv(%a, _)"), "n:x p:= i:Conv p:( n:a p:, i:_ p:)");
  EXPECT_EQ(summary("com.microsoft::QGemm"), "i:com.microsoft p::: i:QGemm");
  EXPECT_EQ(summary("[1,N,?] [...]"), "p:[ I:1 p:, i:N p:, p:? p:] p:[ p:... p:]");
  EXPECT_EQ(summary("-12 0.5 -1e-07 1E+3 -inf inf 0x7fc00001"),
            "I:-12 F:0.5 F:-1e-07 F:1E+3 F:-inf i:inf B:0x7fc00001");
  EXPECT_EQ(summary(R"("a\"\\\n\x41")"), "S:a\"\\\nA");
}

TEST(Lexer, ReadsWhatRulesNeed) {
  EXPECT_EQ(summary("%y = {Div(%m, 6.0) | Mul(%m)} -> %b? ~(Reshape|T)* $f(%x)"),
            "n:y p:= p:{ i:Div p:( n:m p:, F:6.0 p:) p:| i:Mul p:( n:m p:) p:} p:-> n:b p:? p:~ "
            "p:( i:Reshape p:| i:T p:) p:* p:$ i:f p:( n:x p:)");
}

TEST(Lexer, NamesEndWherePunctuationMustBegin) {
  EXPECT_EQ(summary("%x: float32"), "n:x p:: i:float32");
  EXPECT_EQ(summary("%x:float32"), "n:x p:: i:float32");
  EXPECT_EQ(summary("%conv/BiasAdd:0: int8"), "n:conv/BiasAdd:0 p:: i:int8");
  EXPECT_EQ(summary("%a->%b-1"), "n:a p:-> n:b-1");
  EXPECT_EQ(summary("%a... %/f.1/x"), "n:a p:... n:/f.1/x");
  EXPECT_EQ(summary("%\"odd \\x00 name\""), std::string("n:odd \0 name", 12));
}

TEST(Lexer, CommentsAndNewlinesAreBlanks) {
  EXPECT_EQ(summary("a # b %\" \n c\r\n\t#"), "i:a i:c");
}

TEST(Lexer, CountsLinesAndColumns) {
  const auto list = tokens("a %bc\n  \"d\" # e\n12");
  ASSERT_EQ(list.size(), 5U);
  const std::vector<std::pair<int64_t, int64_t>> expected = {
      {1, 1}, {1, 3}, {2, 3}, {3, 1}, {3, 3}};
  for (size_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(list[i].position.line, expected[i].first) << i;
    EXPECT_EQ(list[i].position.column, expected[i].second) << i;
  }
}

TEST(Lexer, StartsWhereItIsTold) {
  Lexer lexer("a\nb", {10, 5});
  EXPECT_EQ(lexer.next().position.column, 5);
  EXPECT_EQ(lexer.peek().position.line, 11);
  EXPECT_EQ(lexer.peek().position.column, 1);
}

TEST(Lexer, SaysWhatIsWrongWithAToken) {
  const auto message = [](std::string_view text) {
    Lexer lexer(text);
    while (lexer.peek().kind != TokenKind::kInvalid && lexer.peek().kind != TokenKind::kEnd) {
      lexer.next();
    }
    return lexer.expected("anything").message();
  };
  EXPECT_EQ(message("a \"b"), "1:3: string without an end on its line");
  EXPECT_EQ(message("a \"b\nc\""), "1:3: string without an end on its line");
  EXPECT_EQ(message("\"ab\\q\""), "1:4: unknown escape; known are \\\" \\\\ \\n \\t \\r and \\xHH");
  EXPECT_EQ(message("\"\\x4\""), "1:2: unknown escape; known are \\\" \\\\ \\n \\t \\r and \\xHH");
  EXPECT_EQ(message("\"\\"), "1:2: unknown escape; known are \\\" \\\\ \\n \\t \\r and \\xHH");
  EXPECT_EQ(message("12ab"), "1:1: letters right behind a number");
  EXPECT_EQ(message("% x"), "1:1: no name after %");
  EXPECT_EQ(message("%"), "1:1: no name after %");
  EXPECT_EQ(message("a\n \x01"),
            "2:2: a character that begins nothing; odd names go in quotes: %\"...\"");
}

TEST(Lexer, AnInvalidTokenStays) {
  Lexer lexer("\x02 a");
  lexer.next();
  lexer.next();
  EXPECT_EQ(lexer.peek().kind, TokenKind::kInvalid);
}

TEST(Lexer, ExpectationsNameWhatWasFound) {
  Lexer lexer("%x \"s\" Conv 99999999999999999999");
  EXPECT_EQ(lexer.expect("(").error().message(), "1:1: expected '(', found the name \"x\"");
  EXPECT_EQ(lexer.next().str(), "x");
  EXPECT_EQ(lexer.integer("a count").error().message(),
            "1:4: expected a count, found the string \"s\"");
  EXPECT_EQ(*lexer.string("a string"), "s");
  EXPECT_EQ(lexer.expect_word("Relu").error().message(), "1:8: expected 'Relu', found 'Conv'");
  EXPECT_EQ(*lexer.word("an operator"), "Conv");
  EXPECT_EQ(lexer.integer("a count").error().message(), "1:13: an integer beyond 64 bits");
  lexer.next();
  EXPECT_EQ(lexer.expect(")").error().message(), "1:33: expected ')', found the end");
  EXPECT_EQ(lexer.expect(")").error().code(), ErrorCode::kMalformed);
}

TEST(Literals, QuotedTextReadsBackWhateverTheBytes) {
  for (int a = 0; a < 256; ++a) {
    for (int b : {0, 0x22, 0x5C, 0x61, 0x80, 0xA9, 0xBF, 0xC3, 0xED, 0xF4, 0xFF}) {
      const std::string bytes = {static_cast<char>(a), static_cast<char>(b), 'z'};
      std::string quoted;
      append_quoted(quoted, bytes);
      const auto list = tokens(quoted);
      ASSERT_EQ(list.size(), 2U) << quoted;
      EXPECT_EQ(list[0].str(), bytes);
      std::string name;
      append_name(name, bytes);
      name += ": x";
      const auto names = tokens(name);
      ASSERT_EQ(names.size(), 4U) << name;
      EXPECT_EQ(names[0].str(), bytes);
    }
  }
}

TEST(Literals, Utf8StaysAndIllFormedBytesAreEscaped) {
  const auto quoted = [](std::string_view bytes) {
    std::string out;
    append_quoted(out, bytes);
    return out;
  };
  EXPECT_EQ(quoted("é日🙂"), "\"é日🙂\"");
  EXPECT_EQ(quoted("\xC0\xAF"), R"("\xc0\xaf")");          // overlong
  EXPECT_EQ(quoted("\xED\xA0\x80"), R"("\xed\xa0\x80")");  // surrogate
  EXPECT_EQ(quoted("\xF4\x90\x80\x80"), R"("\xf4\x90\x80\x80")");
  EXPECT_EQ(quoted("\xE6\x97"), R"("\xe6\x97")");  // cut short
  EXPECT_EQ(quoted("\xC2\x9B"), R"("\xc2\x9b")");  // a control character of its own
  EXPECT_EQ(quoted(std::string_view("\0\x7F\n", 3)), R"("\x00\x7f\n")");
}

TEST(Literals, Base64ReadsBackAndNothingElseIsRead) {
  std::string bytes;
  for (int length = 0; length < 70; ++length) {
    std::string text;
    append_base64(text, as_bytes(bytes));
    const auto back = decode_base64(text);
    ASSERT_TRUE(back.has_value()) << length;
    const auto expected = as_bytes(bytes);
    EXPECT_TRUE(std::equal(back->begin(), back->end(), expected.begin(), expected.end()));
    bytes += static_cast<char>(length * 37 + 11);
  }
  std::string text;
  append_base64(text, as_bytes("Man"));
  EXPECT_EQ(text, "TWFu");
  for (const char* bad : {"A", "AA", "AAA", "AA=", "====", "A===", "AA=A", "AB==", "AAB=", "AA A",
                          "AA\nA", "AAAA=", "\xFF\xFF\xFF\xFF"}) {
    EXPECT_FALSE(decode_base64(bad).has_value()) << bad;
  }
}

TEST(Literals, DigestTellsContentsApart) {
  std::string bytes(64, 'a');
  const uint64_t digest = content_digest(as_bytes(bytes));
  EXPECT_EQ(content_digest(as_bytes(std::string(64, 'a'))), digest);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string other = bytes;
    other[i] = 'b';
    EXPECT_NE(content_digest(as_bytes(other)), digest);
  }
  EXPECT_NE(content_digest(as_bytes("")), content_digest(as_bytes(std::string(1, '\0'))));
}

}  // namespace
}  // namespace octet::ir
