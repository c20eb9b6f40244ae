#include "compiler/base/file_errors.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "compiler/base/name_hint.h"
#include "compiler/base/names.h"

namespace octet {
namespace {

// Enough for a folder of models; a folder of pictures has no name worth guessing.
constexpr size_t kMostNames = 1000;

std::string_view cure(int error, FileUse use) {
  const bool read = use == FileUse::kRead;
  switch (error) {
    case ENOENT:
      return read ? "check the path" : "make the folder first";
    case EACCES:
    case EPERM:
      return read ? "give this user the right to read it and to enter the folders above it"
                  : "give this user the right to write there, or name another file";
    case EROFS:
      return "name a file on another disk";
    case ENOSPC:
    case EDQUOT:
      return "free some space or write to another disk";
    case EFBIG:
      return "raise the limit on the size of files (ulimit -f)";
    case EMFILE:
    case ENFILE:
      return "raise the limit on open files (ulimit -n)";
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case EINVAL:
      return "check the path";
    default:
      return "";
  }
}

std::string_view ending(std::string_view name) {
  const size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(dot);
}

// Names in the folder, sorted, or nothing when it cannot be read or has too many.
std::optional<std::vector<std::string>> names_in(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(opendir(folder.c_str()), &closedir);
  if (stream == nullptr) return std::nullopt;
  std::vector<std::string> names;
  while (const struct dirent* entry = readdir(stream.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
    if (names.size() > kMostNames) return std::nullopt;
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Why a path that was to be read leads nowhere.
std::string missing(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0) return "it is a symbolic link to nothing";
  const size_t last = path.find_last_not_of('/');
  const size_t slash = last == std::string::npos ? last : path.rfind('/', last);
  const std::string folder =
      slash == std::string::npos ? "." : path.substr(0, std::max(slash, size_t{1}));
  if (stat(folder.c_str(), &info) != 0) return cat("there is no folder ", quote_name(folder));
  auto names = names_in(folder);
  if (!names) return "";
  if (names->empty()) return cat("the folder ", quote_name(folder), " is empty");
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  // Another kind of file is no help.
  names->erase(std::remove_if(names->begin(), names->end(),
                              [&](const std::string& other) {
                                return ending(name).empty() || ending(other) != ending(name);
                              }),
               names->end());
  if (names->empty()) return "";
  const std::string close = close_name(name, *names);
  return close.empty() ? "" : cat("the nearest name there is ", quote_name(close));
}

}  // namespace

std::string errno_text(int error) { return std::generic_category().message(error); }

std::string errno_advice(int error, FileUse use) {
  const std::string_view advice = cure(error, use);
  return advice.empty() ? errno_text(error) : cat(errno_text(error), "; ", advice);
}

Error file_error(const std::string& path, int error, FileUse use) {
  std::string text = errno_advice(error, use);
  if (error == ENOENT && use == FileUse::kRead && !path.empty()) {
    const std::string why = missing(path);
    if (!why.empty()) text += cat(": ", why);
  }
  return io_error(quote_name(path), ": ", text);
}

}  // namespace octet
