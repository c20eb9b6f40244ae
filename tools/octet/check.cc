#include <cctype>
#include <set>

#include "backends/backends.h"
#include "compiler/base/files.h"
#include "compiler/base/names.h"
#include "patterns/rules.h"
#include "tools/octet/invocation.h"

namespace octet::tools {
namespace {

// The words that lines begin with, indented ones left out: the fields at the top level of a file
// that is laid out as everyone lays it out.
std::set<std::string> top_level_words(const std::string& text) {
  std::set<std::string> out;
  size_t start = 0;
  while (start < text.size()) {
    const size_t end = std::min(text.find('\n', start), text.size());
    size_t stop = start;
    while (stop < end &&
           (std::isalpha(static_cast<unsigned char>(text[stop])) != 0 || text[stop] == '_')) {
      ++stop;
    }
    if (stop > start) out.insert(text.substr(start, stop - start));
    start = end + 1;
  }
  return out;
}

constexpr std::string_view kTakes =
    "check takes rule files (patterns/rule.proto) and backend descriptions "
    "(backends/backend.proto)";

enum class Kind { kRules, kBackend };

Result<Kind> kind_of(const std::string& path, const std::string& text) {
  const std::set<std::string> words = top_level_words(text);
  for (const char* field : {"name", "space", "op"}) {
    if (words.contains(field)) return Kind::kBackend;
  }
  if (words.contains("rules")) return Kind::kRules;
  for (const char* field : {"override", "range"}) {
    if (words.contains(field)) {
      return usage_error(quote_name(path), " looks like a recipe; ", kTakes,
                         "; a recipe is checked where it is used: octet plan MODEL --recipe FILE");
    }
  }
  if (words.contains("fingerprint")) {
    return usage_error(quote_name(path), " looks like a plan; ", kTakes);
  }
  // Whatever else it is, the reader of rules says in which line it stops being one.
  return Kind::kRules;
}

Status check(const std::string& path, const Invocation& invocation) {
  constexpr int64_t kLargest = int64_t{4} << 20;
  OCTET_ASSIGN(const std::string text, read_file(path, kLargest));
  OCTET_ASSIGN(const Kind kind, kind_of(path, text));
  if (kind == Kind::kBackend) {
    OCTET_ASSIGN(const plan::BackendSpec spec, backends::parse_backend(text, path));
    if (invocation.json) {
      print_result(Json{
          {"backend", spec.name}, {"operators", spec.ops.size()}, {"spaces", spec.spaces.size()}});
    } else {
      print_result(cat("backend ", spec.name, ": ", spec.ops.size(), " operators, ",
                       spec.spaces.size(), " spaces\n"));
    }
    return {};
  }
  OCTET_ASSIGN(const patterns::RuleSet rules, patterns::RuleSet::load_text(text, path));
  if (rules.rules().empty()) {
    return usage_error(quote_name(path), " holds neither a rule nor a backend; ", kTakes);
  }
  OCTET_ASSIGN(const auto evidence, patterns::check_rules(rules));
  Json json = Json::array();
  std::string lines;
  for (const patterns::RuleEvidence& rule : evidence) {
    json.push_back({{"rule", rule.rule}, {"compared", rule.compared}});
    lines += cat("rule ", rule.rule, ": ", rule.compared, " random graphs rewritten with equal ",
                 "numbers\n");
  }
  if (invocation.json) {
    print_result(json);
  } else {
    print_result(lines);
  }
  return {};
}

}  // namespace

void add_check(CLI::App& app, Invocation& invocation) {
  auto path = std::make_shared<std::string>();
  CLI::App& verb =
      add_verb(app, invocation, "check", "Tries out a vendor's rule file or backend description",
               "  octet check my_chip.textproto\n"
               "  octet check my_rules.textproto");
  verb.add_option("FILE", *path, "Rules (patterns/rule.proto) or backend (backends/backend.proto)")
      ->required();
  verb.callback([path, &invocation] {
    invocation.action = [path, &invocation] { return check(*path, invocation); };
  });
}

}  // namespace octet::tools
