// Holds every #include between rooms to the table of docs/architecture.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

// Room -> rooms it may include besides itself. The table is read from docs/architecture.md, so that
// the page and the code cannot part.
std::map<std::string, std::set<std::string>> read_table() {
  std::map<std::string, std::set<std::string>> table;
  std::ifstream file(fs::path(OCTET_SOURCE_DIR) / "docs/architecture.md");
  // | `compiler/ir` | what it holds | `compiler/base` `compiler/numerics` |
  const std::regex row(R"(\|\s*`([a-z/]+)`\s*\|[^|]*\|([^|]*)\|\s*)");
  const std::regex name(R"(`([a-z/]+)`)");
  for (std::string line; std::getline(file, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, row)) continue;
    std::set<std::string>& allowed = table[match[1]];
    const std::string cell = match[2];
    for (std::sregex_iterator it(cell.begin(), cell.end(), name), end; it != end; ++it) {
      allowed.insert((*it)[1]);
    }
  }
  return table;
}

// The longest room name that is a folder prefix of `path`.
std::string room_of(const std::string& path, const auto& table) {
  std::string best;
  for (const auto& [room, allowed] : table) {
    if (path.rfind(room + "/", 0) == 0 && room.size() > best.size()) best = room;
  }
  return best;
}

std::vector<fs::path> sources_below(const std::string& folder) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(OCTET_SOURCE_DIR) / folder)) {
    const std::string extension = entry.path().extension();
    if (extension == ".cc" || extension == ".h") out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

TEST(IncludeTable, ListsEveryRoom) {
  const auto table = read_table();
  for (const char* room :
       {"compiler/base", "compiler/numerics", "compiler/ir", "compiler/ops", "compiler/interpreter",
        "compiler/onnx", "compiler/data", "compiler/calibration", "compiler/plan",
        "compiler/accuracy", "patterns", "passes", "backends", "tools"}) {
    EXPECT_TRUE(table.contains(room)) << room << " has no row in docs/architecture.md";
  }
}

TEST(IncludeTable, IncludesGoDownTheLayersOnly) {
  const auto table = read_table();
  ASSERT_FALSE(table.empty());
  const std::regex include(R"re(\s*#include\s+"([^"]+)".*)re");
  size_t checked = 0;
  for (const char* folder : {"compiler", "patterns", "passes", "backends", "tools"}) {
    for (const fs::path& source : sources_below(folder)) {
      const std::string relative = fs::relative(source, OCTET_SOURCE_DIR).generic_string();
      const std::string room = room_of(relative, table);
      ASSERT_FALSE(room.empty()) << relative << " lies in no room";
      std::ifstream file(source);
      for (std::string line; std::getline(file, line);) {
        std::smatch match;
        if (!std::regex_match(line, match, include)) continue;
        const std::string target = room_of(match[1], table);
        if (target.empty() || target == room) continue;
        ++checked;
        EXPECT_TRUE(table.at(room).contains(target)) << relative << " includes " << match[1] << ": "
                                                     << room << " may not include " << target;
      }
    }
  }
  EXPECT_GT(checked, 50U);
}

// ONNX's protobuf classes and spdlog are known to one room, and one file, each.
TEST(IncludeTable, ForeignHeadersStayInTheirRoom) {
  const std::map<std::string, std::string> owners = {
      {"<onnx/", "compiler/onnx/"},       {"<spdlog/", "compiler/base/log.cc"},
      {"<dnnl", "compiler/interpreter/"}, {"<CLI/", "tools/"},
      {"<jpeglib", "compiler/data/"},     {"<png.h", "compiler/data/"},
  };
  for (const char* folder : {"compiler", "patterns", "passes", "backends", "tools"}) {
    for (const fs::path& source : sources_below(folder)) {
      const std::string relative = fs::relative(source, OCTET_SOURCE_DIR).generic_string();
      std::ifstream file(source);
      for (std::string line; std::getline(file, line);) {
        if (line.rfind("#include", 0) != 0) continue;
        for (const auto& [header, owner] : owners) {
          if (line.find(header) == std::string::npos) continue;
          EXPECT_EQ(relative.rfind(owner, 0), 0U) << relative << ": " << line;
        }
      }
    }
  }
}

}  // namespace
