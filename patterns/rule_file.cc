#include "patterns/rule_file.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>

#include <algorithm>

#include "patterns/rule.pb.h"
#include "patterns/rule_parser.h"

namespace octet::patterns {
namespace {

namespace pb = google::protobuf;
using Tree = pb::TextFormat::ParseInfoTree;

Error at(const std::string& file, Position position, std::string_view message) {
  return usage_error(file, ":", position.line, ":", position.column, ": ", message);
}

// Keeps the first error; protobuf counts lines and columns from 0.
class FirstError : public pb::io::ErrorCollector {
 public:
  void AddError(int line, pb::io::ColumnNumber column, const std::string& message) override {
    if (found_) return;
    found_ = true;
    position_ = {line + 1, column + 1};
    message_ = message;
  }
  Position position() const { return position_; }
  const std::string& message() const { return message_; }

 private:
  bool found_ = false;
  Position position_;
  std::string message_;
};

// Where string literals begin, in order: protobuf tells where a field begins, not its value.
std::vector<Position> string_positions(std::string_view text) {
  pb::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  FirstError ignored;
  pb::io::Tokenizer tokenizer(&stream, &ignored);
  tokenizer.set_comment_style(pb::io::Tokenizer::SH_COMMENT_STYLE);
  std::vector<Position> out;
  while (tokenizer.Next()) {
    const auto& token = tokenizer.current();
    if (token.type == pb::io::Tokenizer::TYPE_STRING) {
      out.push_back({token.line + 1, token.column + 1});
    }
  }
  return out;
}

// Protobuf notices an unknown enumerator when it has read on: the word itself is in the message.
Position position_of_error(std::string_view text, const FirstError& error) {
  constexpr std::string_view kEnum = "Unknown enumeration value of \"";
  if (!error.message().starts_with(kEnum)) return error.position();
  std::string_view word = std::string_view(error.message()).substr(kEnum.size());
  word = word.substr(0, word.find('"'));
  size_t end = 0;  // of the text that protobuf had read
  for (int64_t line = 1; line < error.position().line; ++line) end = text.find('\n', end) + 1;
  end += static_cast<size_t>(error.position().column) - 1;
  const size_t found = text.rfind(word, end);
  if (found == std::string_view::npos) return error.position();
  const std::string_view before = text.substr(0, found);
  const auto newlines = std::count(before.begin(), before.end(), '\n');
  return {newlines + 1, static_cast<int64_t>(found - (before.rfind('\n') + 1)) + 1};
}

class RuleReader {
 public:
  RuleReader(const std::string& file, const std::vector<Position>& strings,
             const proto::Rule& message, const Tree* tree, Position fallback)
      : file_(file), strings_(strings), message_(message), tree_(tree), fallback_(fallback) {}

  Result<Rule> read();

 private:
  using ParseLine = Status (*)(const SourceLine&, Rule&);

  // Of a field; of the rule for a field that is not there.
  Position position_of(const char* field, int index) const;
  // Of the first character inside of the string that is the field's value.
  Position inside(const char* field, int index) const;
  Status lines(const char* field, const pb::RepeatedPtrField<std::string>& texts, ParseLine parse,
               Rule& rule) const;
  Status header(Rule& rule) const;

  const std::string& file_;
  const std::vector<Position>& strings_;
  const proto::Rule& message_;
  const Tree* tree_;
  Position fallback_;
};

Position RuleReader::position_of(const char* field, int index) const {
  const auto* descriptor = proto::Rule::descriptor()->FindFieldByName(field);
  if (tree_ == nullptr || descriptor == nullptr) return fallback_;
  const auto location = tree_->GetLocation(descriptor, index);
  if (location.line < 0) return fallback_;
  return {location.line + 1, location.column + 1};
}

Position RuleReader::inside(const char* field, int index) const {
  const Position begin = position_of(field, index);
  for (const Position& string : strings_) {
    const bool behind =
        string.line > begin.line || (string.line == begin.line && string.column > begin.column);
    if (behind) return {string.line, string.column + 1};
  }
  return begin;
}

Status RuleReader::lines(const char* field, const pb::RepeatedPtrField<std::string>& texts,
                         ParseLine parse, Rule& rule) const {
  for (int i = 0; i < texts.size(); ++i) {
    const Status status = parse({texts[i], inside(field, i)}, rule);
    if (!status.ok()) return usage_error(file_, ":", status.error().message());
  }
  return {};
}

Status RuleReader::header(Rule& rule) const {
  rule.file = file_;
  rule.name = message_.name();
  rule.doc = message_.doc();
  rule.at = message_.name().empty() ? fallback_ : position_of("name", -1);
  if (rule.name.empty()) return at(file_, fallback_, "a rule without a name");
  if (rule.doc.empty()) return at(file_, rule.at, cat("rule ", rule.name, " has no doc"));
  switch (message_.stage()) {
    case proto::Rule::CANONICALIZE:
      rule.stage = Stage::kCanonicalize;
      break;
    case proto::Rule::LOWER:
      rule.stage = Stage::kLower;
      break;
    default:
      return at(file_, rule.at, cat("rule ", rule.name, " has no stage"));
  }
  switch (message_.numerics()) {
    case proto::Rule::EXACT:
      rule.numerics = NumericsClass::kExact;
      break;
    case proto::Rule::ROUNDING:
      rule.numerics = NumericsClass::kRounding;
      break;
    case proto::Rule::APPROXIMATE:
      rule.numerics = NumericsClass::kApproximate;
      break;
    default:
      return at(file_, rule.at, cat("rule ", rule.name, " has no numerics class"));
  }
  rule.min_opset = message_.min_opset();
  if (message_.max_opset() != 0) rule.max_opset = message_.max_opset();
  if (rule.min_opset > rule.max_opset) {
    return at(file_, position_of("max_opset", -1),
              cat("no opset is between ", rule.min_opset, " and ", rule.max_opset));
  }
  return {};
}

Result<Rule> RuleReader::read() {
  Rule rule;
  OCTET_TRY(header(rule));
  OCTET_TRY(lines("match", message_.match(), parse_match, rule));
  OCTET_TRY(lines("where", message_.where(), parse_where, rule));
  OCTET_TRY(lines("replace", message_.replace(), parse_replace, rule));
  OCTET_TRY(lines("keep", message_.keep(), parse_keep, rule));
  return rule;
}

}  // namespace

Result<std::vector<Rule>> parse_rule_file(std::string_view text, const std::string& file) {
  proto::Rules message;
  Tree tree;
  FirstError error;
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.WriteLocationsTo(&tree);
  if (!parser.ParseFromString(std::string(text), &message)) {
    return at(file, position_of_error(text, error), error.message());
  }
  const std::vector<Position> strings = string_positions(text);
  const auto* field = proto::Rules::descriptor()->FindFieldByName("rules");
  std::vector<Rule> rules;
  for (int i = 0; i < message.rules_size(); ++i) {
    const auto location = tree.GetLocation(field, i);
    const Position position = {std::max(location.line, 0) + 1, std::max(location.column, 0) + 1};
    RuleReader reader(file, strings, message.rules(i), tree.GetTreeForNested(field, i), position);
    OCTET_ASSIGN(Rule rule, reader.read());
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace octet::patterns
