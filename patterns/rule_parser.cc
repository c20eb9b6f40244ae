#include "patterns/rule_parser.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace octet::patterns {
namespace {

using ir::Lexer;
using ir::Token;
using ir::TokenKind;

enum class Side { kMatch, kReplace };

size_t intern(std::vector<std::string>& names, std::string_view name) {
  const auto at = std::find(names.begin(), names.end(), name);
  if (at != names.end()) return static_cast<size_t>(at - names.begin());
  names.emplace_back(name);
  return names.size() - 1;
}

class LineParser {
 public:
  LineParser(const SourceLine& line, Rule& rule, Side side)
      : lexer_(line.text, line.at), rule_(rule), side_(side) {}

  Result<MatchLine> match_line();
  Result<ReplaceLine> replace_line();
  Result<WhereClause> where_clause();
  Result<ValueRef> value();
  Status end();
  // Chains written as operands, each a line in front of the one that reads it.
  std::vector<MatchLine> inner_lines() && { return std::move(inner_lines_); }

 private:
  Result<std::vector<ValueRef>> values();
  Result<OpCall> op_name();
  Result<OpCall> call();
  Result<SkipChain> chain();
  Result<Operand> operand();
  Result<Operand> chain_operand();
  Result<AttributeTerm> term();
  Result<ir::Attribute> literal();
  Result<ir::Attribute> list();
  Result<Number> number();
  Result<Argument> argument();
  // $name, in one: its position is that of the $.
  Result<Token> dollar_name();
  Result<BuilderCall> builder(const Token& name);
  Result<std::vector<Argument>> arguments();
  bool at_number() const;

  Lexer lexer_;
  Rule& rule_;
  Side side_;
  std::vector<MatchLine> inner_lines_;
};

Status LineParser::end() {
  if (lexer_.peek().kind != TokenKind::kEnd) return lexer_.expected("the end of the line");
  return {};
}

Result<ValueRef> LineParser::value() {
  OCTET_ASSIGN(const Token token, lexer_.expect(TokenKind::kName, "a value such as %x"));
  ValueRef ref;
  ref.name = intern(rule_.value_names, token.str());
  ref.at = token.position;
  ref.optional = lexer_.accept("?");
  return ref;
}

Result<std::vector<ValueRef>> LineParser::values() {
  std::vector<ValueRef> out;
  do {
    OCTET_ASSIGN(ValueRef ref, value());
    out.push_back(ref);
  } while (lexer_.accept(","));
  return out;
}

Result<OpCall> LineParser::op_name() {
  OpCall call;
  call.at = lexer_.peek().position;
  OCTET_ASSIGN(call.op_type, lexer_.word("an operator"));
  if (lexer_.accept("::")) {
    call.domain = std::move(call.op_type);
    OCTET_ASSIGN(call.op_type, lexer_.word("an operator"));
  }
  return call;
}

Result<OpCall> LineParser::call() {
  OCTET_ASSIGN(OpCall out, op_name());
  OCTET_TRY(lexer_.expect("("));
  if (!lexer_.accept(")")) {
    do {
      OCTET_ASSIGN(Operand next, operand());
      out.operands.push_back(std::move(next));
    } while (lexer_.accept(","));
    OCTET_TRY(lexer_.expect(")"));
  }
  if (!lexer_.accept("{") || lexer_.accept("}")) return out;
  do {
    if (side_ == Side::kMatch && lexer_.accept("...")) {
      out.others = OpCall::Others::kAllowed;
      continue;
    }
    OCTET_ASSIGN(AttributeTerm next, term());
    out.attributes.push_back(std::move(next));
  } while (lexer_.accept(","));
  OCTET_TRY(lexer_.expect("}"));
  return out;
}

Result<SkipChain> LineParser::chain() {
  SkipChain out;
  OCTET_TRY(lexer_.expect("("));
  do {
    OCTET_ASSIGN(OpCall next, op_name());
    out.operators.push_back(std::move(next));
  } while (lexer_.accept("|"));
  OCTET_TRY(lexer_.expect(")"));
  OCTET_TRY(lexer_.expect("*"));
  OCTET_ASSIGN(out.inner, value());
  return out;
}

bool LineParser::at_number() const {
  const Token& token = lexer_.peek();
  return token.kind == TokenKind::kInteger || token.kind == TokenKind::kFloat ||
         token.is_word("inf");
}

Result<Number> LineParser::number() {
  if (!at_number()) return lexer_.expected("a number");
  Number out;
  if (lexer_.peek().kind == TokenKind::kInteger) {
    OCTET_ASSIGN(out.integer, lexer_.integer("a number"));
    out.value = static_cast<double>(*out.integer);
    return out;
  }
  const std::string text = lexer_.next().str();
  if (text == "inf" || text == "-inf") {
    const double inf = std::numeric_limits<double>::infinity();
    out.value = text[0] == '-' ? -inf : inf;
    return out;
  }
  std::from_chars(text.data(), text.data() + text.size(), out.value);
  return out;
}

Result<Operand> LineParser::chain_operand() {
  const Position at = lexer_.peek().position;
  OCTET_ASSIGN(SkipChain skip, chain());
  ValueRef top;
  // No name of a file has a space in it.
  top.name = intern(rule_.value_names, cat("chain ", rule_.value_names.size()));
  top.at = at;
  MatchLine line;
  line.outputs = {top};
  line.chain = std::move(skip);
  line.at = at;
  inner_lines_.push_back(std::move(line));
  return Operand(top);
}

Result<Operand> LineParser::operand() {
  if (at_number()) {
    OCTET_ASSIGN(Number out, number());
    return Operand(out);
  }
  if (side_ == Side::kMatch && lexer_.accept("~")) return chain_operand();
  if (side_ == Side::kReplace && lexer_.peek().is_punctuation("$")) {
    OCTET_ASSIGN(const Token name, dollar_name());
    OCTET_ASSIGN(BuilderCall out, builder(name));
    return Operand(std::move(out));
  }
  if (lexer_.peek().kind != TokenKind::kName) return lexer_.expected("an operand");
  OCTET_ASSIGN(ValueRef out, value());
  return Operand(out);
}

Result<ir::Attribute> LineParser::list() {
  std::vector<Number> numbers;
  if (!lexer_.accept("]")) {
    do {
      OCTET_ASSIGN(Number next, number());
      numbers.push_back(next);
    } while (lexer_.accept(","));
    OCTET_TRY(lexer_.expect("]"));
  }
  const bool integers = std::all_of(numbers.begin(), numbers.end(),
                                    [](const Number& n) { return n.integer.has_value(); });
  if (integers) {
    std::vector<int64_t> out;
    for (const Number& n : numbers) out.push_back(*n.integer);
    return ir::Attribute(std::move(out));
  }
  std::vector<float> out;
  for (const Number& n : numbers) out.push_back(static_cast<float>(n.value));
  return ir::Attribute(std::move(out));
}

Result<ir::Attribute> LineParser::literal() {
  if (lexer_.peek().kind == TokenKind::kString) return ir::Attribute(lexer_.next().str());
  if (lexer_.accept("[")) return list();
  if (!at_number()) return lexer_.expected("a value of an attribute");
  OCTET_ASSIGN(const Number out, number());
  if (out.integer) return ir::Attribute(*out.integer);
  return ir::Attribute(static_cast<float>(out.value));
}

Result<AttributeTerm> LineParser::term() {
  AttributeTerm out;
  out.at = lexer_.peek().position;
  OCTET_ASSIGN(out.name, lexer_.word("the name of an attribute"));
  if (side_ == Side::kMatch && lexer_.accept("?")) {
    out.presence = AttributeTerm::Presence::kMayBeAbsent;
  }
  OCTET_TRY(lexer_.expect("="));
  if (!lexer_.peek().is_punctuation("$")) {
    OCTET_ASSIGN(ir::Attribute value, literal());
    out.value = std::move(value);
    return out;
  }
  OCTET_ASSIGN(const Token name, dollar_name());
  if (side_ == Side::kReplace && lexer_.peek().is_punctuation("(")) {
    OCTET_ASSIGN(out.value, builder(name));
  } else {
    out.value = AttributeRef{intern(rule_.attribute_names, name.text), name.position};
  }
  return out;
}

Result<Token> LineParser::dollar_name() {
  const Position at = lexer_.peek().position;
  OCTET_TRY(lexer_.expect("$"));
  OCTET_ASSIGN(Token name, lexer_.expect(TokenKind::kIdentifier, "a name after $"));
  name.position = at;
  return name;
}

Result<Argument> LineParser::argument() {
  if (at_number()) {
    OCTET_ASSIGN(Number out, number());
    return Argument(out);
  }
  if (lexer_.peek().kind == TokenKind::kName) {
    OCTET_ASSIGN(ValueRef out, value());
    return Argument(out);
  }
  if (lexer_.peek().is_punctuation("$")) {
    OCTET_ASSIGN(const Token name, dollar_name());
    return Argument(AttributeRef{intern(rule_.attribute_names, name.text), name.position});
  }
  OCTET_ASSIGN(const Token word, lexer_.expect(TokenKind::kIdentifier, "an argument"));
  return Argument(Word{word.str(), word.position});
}

Result<std::vector<Argument>> LineParser::arguments() {
  std::vector<Argument> out;
  OCTET_TRY(lexer_.expect("("));
  if (lexer_.accept(")")) return out;
  do {
    OCTET_ASSIGN(Argument next, argument());
    out.push_back(std::move(next));
  } while (lexer_.accept(","));
  OCTET_TRY(lexer_.expect(")"));
  return out;
}

Result<BuilderCall> LineParser::builder(const Token& name) {
  BuilderCall out;
  out.name = name.str();
  out.at = name.position;
  OCTET_ASSIGN(out.arguments, arguments());
  return out;
}

Result<MatchLine> LineParser::match_line() {
  MatchLine out;
  out.at = lexer_.peek().position;
  OCTET_ASSIGN(out.outputs, values());
  OCTET_TRY(lexer_.expect("="));
  if (lexer_.accept("~")) {
    OCTET_ASSIGN(out.chain, chain());
    return out;
  }
  const bool alternatives = lexer_.accept("{");
  do {
    OCTET_ASSIGN(OpCall next, call());
    out.alternatives.push_back(std::move(next));
  } while (alternatives && lexer_.accept("|"));
  if (alternatives) OCTET_TRY(lexer_.expect("}"));
  return out;
}

Result<ReplaceLine> LineParser::replace_line() {
  ReplaceLine out;
  out.at = lexer_.peek().position;
  OCTET_ASSIGN(out.outputs, values());
  OCTET_TRY(lexer_.expect("="));
  if (lexer_.peek().kind == TokenKind::kName) {
    OCTET_ASSIGN(out.value, value());
  } else if (lexer_.accept("~")) {
    Replay replay;
    OCTET_ASSIGN(replay.chain, value());
    OCTET_ASSIGN(replay.inner, value());
    out.value = replay;
  } else if (lexer_.peek().is_punctuation("$")) {
    OCTET_ASSIGN(const Token name, dollar_name());
    OCTET_ASSIGN(out.value, builder(name));
  } else {
    OCTET_ASSIGN(out.value, call());
  }
  return out;
}

Result<WhereClause> LineParser::where_clause() {
  WhereClause out;
  out.at = lexer_.peek().position;
  OCTET_ASSIGN(const Token name, lexer_.expect(TokenKind::kIdentifier, "a predicate"));
  out.predicate = name.str();
  OCTET_ASSIGN(out.arguments, arguments());
  if (lexer_.accept("=")) {
    OCTET_ASSIGN(Argument value, argument());
    out.arguments.push_back(std::move(value));
  }
  return out;
}

}  // namespace

Status parse_match(const SourceLine& line, Rule& rule) {
  LineParser parser(line, rule, Side::kMatch);
  OCTET_ASSIGN(MatchLine parsed, parser.match_line());
  OCTET_TRY(parser.end());
  for (MatchLine& inner : std::move(parser).inner_lines()) rule.match.push_back(std::move(inner));
  rule.match.push_back(std::move(parsed));
  return {};
}

Status parse_replace(const SourceLine& line, Rule& rule) {
  LineParser parser(line, rule, Side::kReplace);
  OCTET_ASSIGN(ReplaceLine parsed, parser.replace_line());
  OCTET_TRY(parser.end());
  rule.replace.push_back(std::move(parsed));
  return {};
}

Status parse_where(const SourceLine& line, Rule& rule) {
  LineParser parser(line, rule, Side::kMatch);
  OCTET_ASSIGN(WhereClause parsed, parser.where_clause());
  OCTET_TRY(parser.end());
  parsed.text = std::string(line.text);
  rule.where.push_back(std::move(parsed));
  return {};
}

Status parse_keep(const SourceLine& line, Rule& rule) {
  LineParser parser(line, rule, Side::kMatch);
  OCTET_ASSIGN(const ValueRef parsed, parser.value());
  OCTET_TRY(parser.end());
  rule.keep.push_back(parsed);
  return {};
}

}  // namespace octet::patterns
