#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "compiler/base/files.h"
#include "compiler/base/names.h"
#include "compiler/base/open_file.h"
#include "compiler/data/array.h"
#include "compiler/data/dataset.h"

namespace octet::data {
namespace {

constexpr int64_t kLargestText = int64_t{256} << 20;

Result<std::vector<int64_t>> read_array_labels(std::shared_ptr<const OpenFile> file) {
  const int64_t size = file->size();
  OCTET_ASSIGN(const Array array,
               Array::open(std::make_shared<const FileBytes>(std::move(file), 0, size)));
  if (!numerics::is_integer(array.dtype())) {
    return bad_data("labels are integers; the array is of ", numerics::dtype_name(array.dtype()));
  }
  OCTET_ASSIGN(const ir::Tensor labels, array.whole());
  if (labels.rank() != 1 && !(labels.rank() == 2 && labels.shape()[1] == 1)) {
    return bad_data("labels have one axis; the array is ",
                    ir::Shape::of(array.shape()).to_string());
  }
  return labels.to_int64s();
}

struct Line {
  std::string_view file;  // empty for a line with an index alone
  int64_t label = 0;
};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// The index is the last word; what stands before it, spaces included, is the file.
std::optional<Line> parse_line(std::string_view text) {
  size_t begin = text.size();
  while (begin > 0 && !is_space(text[begin - 1])) --begin;
  Line line;
  const std::string_view index = text.substr(begin);
  const auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), line.label);
  if (error != std::errc() || end != index.data() + index.size()) return std::nullopt;
  line.file = trimmed(text.substr(0, begin));
  return line;
}

Result<std::vector<int64_t>> parse_text_labels(std::string_view text) {
  std::vector<Line> lines;
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view content = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (content.empty()) continue;
    const auto line = parse_line(content);
    if (!line) return bad_data("line ", number, " is neither \"INDEX\" nor \"FILE INDEX\"");
    if (!lines.empty() && lines[0].file.empty() != line->file.empty()) {
      return bad_data("line ", number, " names a file where others do not, or the other way round");
    }
    lines.push_back(*line);
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.file < b.file; });
  std::vector<int64_t> labels;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0 && !lines[i].file.empty() && lines[i].file == lines[i - 1].file) {
      return bad_data("file ", quote_name(lines[i].file), " has two labels");
    }
    labels.push_back(lines[i].label);
  }
  return labels;
}

Result<std::vector<int64_t>> read_any(const std::string& path) {
  OCTET_ASSIGN(OpenFile opened, OpenFile::open(path));
  const auto file = std::make_shared<const OpenFile>(std::move(opened));
  std::byte first{};
  if (file->size() > 0) OCTET_TRY(file->read_at(0, {&first, 1}));
  if (first == std::byte{0x93}) return read_array_labels(file).in(quote_name(path));
  OCTET_ASSIGN(const std::string text, read_file(path, kLargestText));
  return parse_text_labels(text).in(quote_name(path));
}

}  // namespace

Result<std::vector<int64_t>> read_labels(const std::string& path, size_t count) {
  OCTET_ASSIGN(std::vector<int64_t> labels, read_any(path));
  if (labels.size() != count) {
    return bad_data(quote_name(path), " has ", labels.size(), " labels for ", count,
                    " samples; give one label for every sample of the data");
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0) return bad_data(quote_name(path), ": label ", i, " is ", labels[i]);
  }
  return labels;
}

}  // namespace octet::data
