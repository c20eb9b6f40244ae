#include "backends/backends.h"
#include "compiler/base/files.h"
#include "patterns/rules.h"
#include "tools/octet/invocation.h"

namespace octet::tools {
namespace {

// A description has these fields at its top level; a rule file has only "rules {" there.
bool is_backend(const std::string& text) {
  size_t start = 0;
  while (start < text.size()) {
    const size_t end = std::min(text.find('\n', start), text.size());
    const std::string line = text.substr(start, end - start);
    for (const char* field : {"name:", "space {", "op {"}) {
      if (line.rfind(field, 0) == 0) return true;
    }
    start = end + 1;
  }
  return false;
}

Status check(const std::string& path, const Invocation& invocation) {
  constexpr int64_t kLargest = int64_t{4} << 20;
  OCTET_ASSIGN(const std::string text, read_file(path, kLargest));
  if (is_backend(text)) {
    OCTET_ASSIGN(const plan::BackendSpec spec, backends::parse_backend(text, path));
    if (invocation.json) {
      print_result(Json{{"backend", spec.name}, {"operators", spec.ops.size()}});
    } else {
      print_result(cat("backend ", spec.name, ": ", spec.ops.size(), " operators, ",
                       spec.spaces.size(), " spaces\n"));
    }
    return {};
  }
  OCTET_ASSIGN(const patterns::RuleSet rules, patterns::RuleSet::load_text(text, path));
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
