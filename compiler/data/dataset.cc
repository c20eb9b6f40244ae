#include "compiler/data/dataset.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "compiler/base/files.h"
#include "compiler/base/log.h"
#include "compiler/base/names.h"
#include "compiler/base/open_file.h"
#include "compiler/data/image.h"
#include "compiler/data/sources.h"

namespace octet::data {
namespace {

// Memory is asked for in many places behind here; a lack of it is an error like any other.
template <typename Call>
auto without_exceptions(const Call& call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return resource_limit("no memory for the data");
  } catch (const std::length_error&) {
    return resource_limit("no memory for the data");
  }
}

class GuardedDataset : public Dataset {
 public:
  explicit GuardedDataset(DatasetPtr inner) : inner_(std::move(inner)) {}
  size_t size() const override { return inner_->size(); }
  bool data_free() const override { return inner_->data_free(); }
  Result<Sample> get(size_t index) const override {
    return without_exceptions([&] { return inner_->get(index); });
  }

 private:
  DatasetPtr inner_;
};

std::string lower_extension(const std::string& name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos || dot == 0) return {};
  std::string extension = name.substr(dot + 1);
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return extension;
}

std::vector<std::string> with_extension(const std::vector<std::string>& names,
                                        const std::vector<std::string_view>& extensions) {
  std::vector<std::string> out;
  for (const std::string& name : names) {
    const std::string extension = lower_extension(name);
    if (std::find(extensions.begin(), extensions.end(), extension) != extensions.end()) {
      out.push_back(name);
    }
  }
  return out;
}

std::optional<int64_t> number(std::string_view text) {
  int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

// Paths of the folders test_data_set_0, test_data_set_1, ... by number.
Result<std::vector<std::string>> test_data_sets(const std::string& folder) {
  constexpr std::string_view kPrefix = "test_data_set_";
  std::vector<std::pair<int64_t, std::string>> found;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  while (!error && entry != std::filesystem::directory_iterator()) {
    const std::string name = entry->path().filename().string();
    const auto index =
        name.rfind(kPrefix, 0) == 0 ? number(name.substr(kPrefix.size())) : std::nullopt;
    if (index && is_directory(entry->path().string())) {
      found.emplace_back(*index, cat(folder, "/", name));
    }
    entry.increment(error);
  }
  if (error) return io_error(quote_name(folder), ": ", error.message());
  std::sort(found.begin(), found.end());
  std::vector<std::string> out;
  for (auto& [index, path] : found) out.push_back(std::move(path));
  return out;
}

Result<DatasetPtr> open_folder(const std::string& path, const std::vector<InputSpec>& inputs,
                               const OpenOptions& options) {
  OCTET_ASSIGN(const std::vector<std::string> names, list_files(path));
  OCTET_ASSIGN(std::vector<std::string> sets, test_data_sets(path));
  if (sets.empty() && std::find(names.begin(), names.end(), "input_0.pb") != names.end()) {
    sets.push_back(path);
  }
  std::vector<std::string> npz = with_extension(names, {"npz"});
  std::vector<std::string> pictures = with_extension(names, {"jpg", "jpeg", "png"});
  const int kinds = (sets.empty() ? 0 : 1) + (npz.empty() ? 0 : 1) + (pictures.empty() ? 0 : 1);
  if (kinds == 0) {
    return bad_data(quote_name(path),
                    " has no samples: no JPEG or PNG pictures, no .npz, no test_data_set_*");
  }
  if (kinds > 1) return bad_data(quote_name(path), " mixes kinds of data; use a folder for each");
  if (!sets.empty()) return open_test_data(std::move(sets), inputs, options);
  const size_t used = npz.size() + pictures.size();
  if (used < names.size()) {
    log_detail(cat(quote_name(path), ": ", names.size() - used, " files of other kinds skipped"));
  }
  if (!npz.empty()) return open_npz_folder(path, std::move(npz), inputs, options);
  return open_picture_folder(path, std::move(pictures), inputs, options);
}

Result<DatasetPtr> open_file(const std::string& path, const std::vector<InputSpec>& inputs,
                             const OpenOptions& options) {
  OCTET_ASSIGN(const OpenFile file, OpenFile::open(path));
  std::array<std::byte, 8> start{};
  const auto length = static_cast<size_t>(std::min<int64_t>(file.size(), 8));
  OCTET_TRY(file.read_at(0, std::span(start).first(length)));
  if (start[0] == std::byte{0x93} && start[1] == std::byte{'N'}) {
    return open_npy_file(path, inputs, options).in(quote_name(path));
  }
  if (start[0] == std::byte{'P'} && start[1] == std::byte{'K'}) {
    return open_npz_file(path, inputs, options).in(quote_name(path));
  }
  if (image_format(start) != ImageFormat::kUnknown) {
    return bad_data(quote_name(path), " is one picture; give the folder that it is in");
  }
  return bad_data(quote_name(path), " is neither .npy nor .npz");
}

Result<DatasetPtr> open_any(const std::string& path, const std::vector<InputSpec>& inputs,
                            const OpenOptions& options) {
  constexpr std::string_view kRandom = "random:";
  if (inputs.empty()) return bad_data("the model has no inputs");
  if (path.rfind(kRandom, 0) == 0) {
    const auto count = number(std::string_view(path).substr(kRandom.size()));
    if (!count || *count <= 0) {
      return usage_error(quote_name(path), " is not random:N with N of at least 1");
    }
    constexpr int64_t kMost = 1'000'000;
    if (*count > kMost) {
      return usage_error("--data ", quote_name(path), ": at most ", kMost,
                         " random samples; a few tell as much, as random:8");
    }
    return open_random(*count, inputs, options);
  }
  if (is_directory(path)) return open_folder(path, inputs, options);
  if (path == "random" && !std::filesystem::exists(path)) {
    return usage_error(quote_name(path), ": give the number of samples behind it, as random:8");
  }
  return open_file(path, inputs, options);
}

}  // namespace

Result<size_t> sample_count(int64_t count, const OpenOptions& options) {
  size_t out = count > 0 ? static_cast<size_t>(count) : 0;
  if (options.limit) out = std::min(out, *options.limit);
  if (out == 0) return bad_data("has no samples");
  return out;
}

Status refuse_preprocess(const OpenOptions& options, const std::string& what) {
  if (!options.preprocess) return {};
  return usage_error("--preprocess is for pictures; the data is ", what);
}

Result<std::unique_ptr<Dataset>> open_dataset(const std::string& path,
                                              const std::vector<InputSpec>& inputs,
                                              const OpenOptions& options) {
  return without_exceptions([&]() -> Result<DatasetPtr> {
    OCTET_ASSIGN(DatasetPtr inner, open_any(path, inputs, options));
    return DatasetPtr(std::make_unique<GuardedDataset>(std::move(inner)));
  });
}

}  // namespace octet::data
