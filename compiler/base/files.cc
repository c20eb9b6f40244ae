#include "compiler/base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "compiler/base/contained_open.h"
#include "compiler/base/file_errors.h"
#include "compiler/base/names.h"
#include "compiler/base/open_file.h"
#include "compiler/base/temporaries.h"

namespace octet {
namespace {

Error not_written(const std::string& path, int error) {
  return file_error(path, error, FileUse::kWrite);
}

// In the middle of writing: the caller knows the path.
Error not_written(int error) { return io_error(errno_advice(error, FileUse::kWrite)); }

Status write_all(int fd, std::string_view bytes) {
  constexpr size_t kChunk = size_t{1} << 30;
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), std::min(bytes.size(), kChunk));
    if (written < 0) {
      if (errno == EINTR) continue;
      return not_written(errno);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Status sync(int fd) {
  while (fsync(fd) != 0) {
    if (errno == EINTR) continue;
    // File systems that cannot sync say so; a disk that fails says something else.
    if (errno == EINVAL || errno == EROFS || errno == ENOTSUP) return {};
    return not_written(errno);
  }
  return {};
}

Result<std::string> random_name() {
  std::array<unsigned char, 8> random{};
  if (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    return io_error("no random bytes: ", errno_text(errno));
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string name = ".octet-";
  for (const unsigned char byte : random) {
    name += kHex[byte >> 4];
    name += kHex[byte & 15];
  }
  return name + ".tmp";
}

// Where the bytes go once links are followed, and what is there now.
struct Target {
  std::string folder;
  std::string name;
  std::optional<struct stat> existing;
};

Result<Target> find_target(const std::string& path) {
  if (path.find('\0') != std::string::npos) return not_written(path, EINVAL);
  struct stat info {};
  std::string resolved = path;
  std::optional<struct stat> existing;
  if (stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return io_error(quote_name(path), " is a folder; name a file");
    if (!S_ISREG(info.st_mode))
      return io_error(quote_name(path), " is not a regular file; name another");
    if (access(path.c_str(), W_OK) != 0) return not_written(path, errno);
    const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr),
                                                           &std::free);
    if (real == nullptr) return not_written(path, errno);
    resolved = real.get();
    existing = info;
  } else if (errno != ENOENT) {
    return not_written(path, errno);
  } else if (lstat(path.c_str(), &info) == 0) {
    return io_error(quote_name(path),
                    " is a symbolic link to nothing; remove it or name another file");
  }
  const size_t slash = resolved.rfind('/');
  Target target{".", resolved, existing};
  if (slash != std::string::npos) {
    target.folder = slash == 0 ? "/" : resolved.substr(0, slash);
    target.name = resolved.substr(slash + 1);
  }
  if (target.name.empty())
    return io_error(quote_name(path), " does not name a file; write one behind the folder");
  return target;
}

// The new file looks to others as the old one did. Changing the owner needs a right that most do
// not have; then the file belongs to who wrote it, as with any editor.
Status copy_mode(int fd, const struct stat& old) {
  struct stat created {};
  if (fstat(fd, &created) == 0 && (created.st_uid != old.st_uid || created.st_gid != old.st_gid)) {
    if (fchown(fd, old.st_uid, old.st_gid) != 0) {
      return fchmod(fd, old.st_mode & 0777) == 0 ? Status() : not_written(errno);
    }
  }
  return fchmod(fd, old.st_mode & 07777) == 0 ? Status() : not_written(errno);
}

Status fill_and_close(Descriptor& file, const Target& target, std::string_view bytes) {
  if (target.existing) OCTET_TRY(copy_mode(file.get(), *target.existing));
  OCTET_TRY(write_all(file.get(), bytes));
  OCTET_TRY(sync(file.get()));
  if (file.close() != 0 && errno != EINTR) return not_written(errno);
  return {};
}

}  // namespace

Result<std::string> read_file(const std::string& path, int64_t max_bytes) {
  OCTET_ASSIGN(const OpenFile file, OpenFile::open(path));
  if (file.size() > max_bytes) {
    return resource_limit(quote_name(path), " has ", file.size(), " bytes; at most ", max_bytes,
                          " are read");
  }
  return file.read_string(0, file.size());
}

Result<std::string> read_contained(const std::string& directory, const std::string& location,
                                   int64_t offset, int64_t length) {
  OCTET_ASSIGN(const OpenFile file, open_contained(directory, location));
  const int64_t size = file.size();
  if (offset < 0 || length < -1 || offset > size || (length >= 0 && length > size - offset)) {
    return malformed("offset ", offset, " and length ", length, " in ", quote_name(location),
                     ", which has ", size, " bytes");
  }
  return file.read_string(offset, length < 0 ? size - offset : length);
}

Status write_file_atomic(const std::string& path, std::string_view bytes) {
  OCTET_ASSIGN(const Target target, find_target(path));
  const Descriptor folder(open(target.folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  if (!folder.valid()) return not_written(path, errno);
  OCTET_ASSIGN(const std::string temporary, random_name());
  const internal::RegisteredTemporary registered(cat(target.folder, "/", temporary));
  Descriptor file(openat(folder.get(), temporary.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!file.valid()) return not_written(path, errno);
  Status status = fill_and_close(file, target, bytes);
  if (status.ok() &&
      renameat(folder.get(), temporary.c_str(), folder.get(), target.name.c_str()) != 0) {
    status = not_written(errno);
  }
  if (!status.ok()) {
    unlinkat(folder.get(), temporary.c_str(), 0);
    return std::move(status).in(quote_name(path));
  }
  return sync(folder.get()).in(quote_name(path));
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat x {};
  struct stat y {};
  return stat(a.c_str(), &x) == 0 && stat(b.c_str(), &y) == 0 && x.st_dev == y.st_dev &&
         x.st_ino == y.st_ino;
}

bool is_directory(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Result<std::vector<std::string>> list_files(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(opendir(directory.c_str()), &closedir);
  if (stream == nullptr) return file_error(directory, errno, FileUse::kRead);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const struct dirent* entry = readdir(stream.get());
    if (entry == nullptr) break;
    struct stat info {};
    if (fstatat(dirfd(stream.get()), entry->d_name, &info, 0) == 0 && S_ISREG(info.st_mode)) {
      names.emplace_back(entry->d_name);
    }
  }
  if (errno != 0) return file_error(directory, errno, FileUse::kRead);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace octet
