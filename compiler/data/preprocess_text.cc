// Reading a Preprocess from the command line or from a file.
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/base/files.h"
#include "compiler/base/name_hint.h"
#include "compiler/base/names.h"
#include "compiler/data/dataset.h"
#include "compiler/data/preprocess.h"
#include "compiler/data/preprocess.pb.h"

namespace octet::data {
namespace {

constexpr int64_t kLargestFile = int64_t{1} << 20;

template <typename T>
using Words = std::vector<std::pair<std::string, T>>;

template <typename T>
Result<T> choose(std::string_view key, std::string_view value, const Words<T>& words) {
  std::vector<std::string> names;
  for (const auto& [name, choice] : words) {
    if (name == value) return choice;
    names.push_back(name);
  }
  return usage_error("preprocess: ", key, "=", quote_name(value), " is not known",
                     name_hint(value, names));
}

Result<Fit> parse_fit(std::string_view value) {
  return choose<Fit>("fit", value, {{"stretch", Fit::kStretch}, {"crop", Fit::kCenterCrop}});
}

Result<Channels> parse_channels(std::string_view value) {
  return choose<Channels>(
      "channels", value,
      {{"rgb", Channels::kRgb}, {"bgr", Channels::kBgr}, {"gray", Channels::kGray}});
}

Result<Layout> parse_layout(std::string_view value) {
  return choose<Layout>("layout", value, {{"nchw", Layout::kNchw}, {"nhwc", Layout::kNhwc}});
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <typename T>
std::optional<T> number(std::string_view text) {
  T out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

// "224x320" is 224 rows of 320 pixels; "224" is square.
Status parse_size(std::string_view value, Preprocess& out) {
  const std::vector<std::string_view> parts = split(value, 'x');
  out.height = number<int64_t>(parts.front());
  out.width = number<int64_t>(parts.back());
  if (parts.size() > 2 || !out.height || !out.width) {
    return usage_error("preprocess: size=", quote_name(value), " is not HEIGHTxWIDTH");
  }
  return {};
}

Result<std::vector<double>> parse_numbers(std::string_view key, std::string_view value) {
  std::vector<double> out;
  for (const std::string_view part : split(value, ':')) {
    const auto parsed = number<double>(part);
    if (!parsed) {
      return usage_error("preprocess: ", key, "=", quote_name(value),
                         " is not a number or numbers separated by ':'");
    }
    out.push_back(*parsed);
  }
  return out;
}

Status parse_entry(std::string_view key, std::string_view value, Preprocess& out) {
  if (key == "size") return parse_size(value, out);
  if (key == "fit") {
    OCTET_ASSIGN(out.fit, parse_fit(value));
  } else if (key == "channels") {
    OCTET_ASSIGN(out.channels, parse_channels(value));
  } else if (key == "mean") {
    OCTET_ASSIGN(out.mean, parse_numbers(key, value));
  } else if (key == "std") {
    OCTET_ASSIGN(out.std, parse_numbers(key, value));
  } else if (key == "layout") {
    OCTET_ASSIGN(out.layout, parse_layout(value));
  } else {
    const std::vector<std::string> keys = {"size", "fit", "channels", "mean", "std", "layout"};
    return usage_error("preprocess: ", quote_name(key), " is not known", name_hint(key, keys));
  }
  return {};
}

Result<Preprocess> parse_list(std::string_view text) {
  Preprocess out;
  std::vector<std::string_view> seen;
  for (const std::string_view entry : split(text, ',')) {
    const size_t equals = entry.find('=');
    if (equals == std::string_view::npos) {
      return usage_error("preprocess: ", quote_name(entry), " is not KEY=VALUE");
    }
    const std::string_view key = entry.substr(0, equals);
    for (const std::string_view earlier : seen) {
      if (earlier == key) return usage_error("preprocess: ", quote_name(key), " is given twice");
    }
    seen.push_back(key);
    OCTET_TRY(parse_entry(key, entry.substr(equals + 1), out));
  }
  return out;
}

class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& what) override {
    if (text_.empty()) text_ = cat(line + 1, ":", column + 1, ": ", what);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

Result<Preprocess> from_message(const file::PreprocessFile& message) {
  Preprocess out;
  if (message.has_height()) out.height = message.height();
  if (message.has_width()) out.width = message.width();
  if (message.has_fit()) {
    OCTET_ASSIGN(out.fit, parse_fit(message.fit()));
  }
  if (message.has_channels()) {
    OCTET_ASSIGN(out.channels, parse_channels(message.channels()));
  }
  if (message.has_layout()) {
    OCTET_ASSIGN(out.layout, parse_layout(message.layout()));
  }
  if (message.mean_size() > 0) out.mean.assign(message.mean().begin(), message.mean().end());
  if (message.std_size() > 0) out.std.assign(message.std().begin(), message.std().end());
  return out;
}

Result<Preprocess> parse_file(const std::string& path) {
  OCTET_ASSIGN(const std::string text, read_file(path, kLargestFile));
  file::PreprocessFile message;
  FirstError errors;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  if (!parser.ParseFromString(text, &message)) {
    return usage_error(path, ":", errors.text().empty() ? "1:1: unreadable" : errors.text());
  }
  return from_message(message).in(path);
}

}  // namespace

Result<Preprocess> parse_preprocess(const std::string& text) {
  const bool is_list = text.find('=') != std::string::npos;
  OCTET_ASSIGN(Preprocess out, is_list ? parse_list(text) : parse_file(text));
  OCTET_TRY(check_preprocess(out));
  return out;
}

}  // namespace octet::data
