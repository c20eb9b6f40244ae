#include "tools/octet/lists.h"

#include <algorithm>

namespace octet::tools {
namespace {

std::string to_text(const std::vector<ListEntry>& entries) {
  size_t width = 0;
  for (const ListEntry& entry : entries) width = std::max(width, entry.name.size());
  // Columns but for the last, whose lines end where they end.
  std::vector<size_t> widths;
  for (const ListEntry& entry : entries) {
    widths.resize(std::max(widths.size(), entry.fields.size()), 0);
    for (size_t i = 0; i + 1 < entry.fields.size(); ++i) {
      widths[i] = std::max(widths[i], entry.fields[i].second.size());
    }
  }
  std::string out;
  for (const ListEntry& entry : entries) {
    out += entry.name + std::string(width - entry.name.size(), ' ');
    for (size_t i = 0; i < entry.fields.size(); ++i) {
      const std::string& text = entry.fields[i].second;
      out += "  " + text;
      if (i + 1 < entry.fields.size()) {
        out += std::string(widths[i] - std::min(widths[i], text.size()), ' ');
      }
    }
    out += '\n';
  }
  return out;
}

Json to_json(const std::vector<ListEntry>& entries) {
  Json out = Json::array();
  for (const ListEntry& entry : entries) {
    Json item = {{"name", entry.name}};
    for (const auto& [key, text] : entry.fields) item[key] = text;
    out.push_back(std::move(item));
  }
  return out;
}

}  // namespace

void add_list(CLI::App& app, Invocation& invocation, const std::string& name,
              const std::string& description,
              std::function<Result<std::vector<ListEntry>>()> entries) {
  CLI::App& verb = add_verb(app, invocation, name, description,
                            "  octet " + name + "\n  octet " + name + " --json");
  verb.callback([entries = std::move(entries), &invocation] {
    invocation.action = [entries, &invocation]() -> Status {
      OCTET_ASSIGN(const std::vector<ListEntry> list, entries());
      if (invocation.json) {
        print_result(to_json(list));
      } else {
        print_result(to_text(list));
      }
      return {};
    };
  });
}

}  // namespace octet::tools
