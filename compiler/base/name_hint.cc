#include "compiler/base/name_hint.h"

#include <algorithm>
#include <numeric>

#include "compiler/base/names.h"

namespace octet {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row.back();
}

std::string close_name(std::string_view wanted, const std::vector<std::string>& candidates) {
  std::string best = nearest_name(wanted, candidates);
  const size_t allowed = std::max(wanted.size(), best.size()) / 3;
  return edit_distance(wanted, best) <= allowed ? best : std::string();
}

std::string name_hint(std::string_view wanted, const std::vector<std::string>& candidates) {
  constexpr size_t kMostListed = 12;
  const std::string close = close_name(wanted, candidates);
  if (!close.empty()) return "; the nearest is " + quote_name(close);
  if (candidates.empty() || candidates.size() > kMostListed) return "";
  std::string list;
  for (const std::string& name : candidates) list += (list.empty() ? "" : ", ") + quote_name(name);
  return (candidates.size() == 1 ? "; there is only " : "; there are ") + list;
}

}  // namespace octet
