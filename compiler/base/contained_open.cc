#include "compiler/base/contained_open.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "compiler/base/file_errors.h"
#include "compiler/base/names.h"

namespace octet {
namespace {

constexpr int kReadFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// openat2 says EAGAIN when a rename raced with it; a lease on the file says the same for ever.
template <typename Call>
int retry(const Call& call) {
  constexpr int kMostRaces = 100;
  for (int races = 0;; ++races) {
    const int fd = call();
    if (fd >= 0 || (errno != EINTR && (errno != EAGAIN || races == kMostRaces))) return fd;
  }
}

int open_by_kernel(int directory, const std::string& location) {
  struct open_how how {};
  how.flags = kReadFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return retry([&] {
    return static_cast<int>(syscall(SYS_openat2, directory, location.c_str(), &how, sizeof(how)));
  });
}

// Opens a folder on the way. With O_DIRECTORY a link would give ENOTDIR, like a plain file.
int open_step(int directory, const std::string& name) {
  const int fd = retry([&] {
    return openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_DIRECTORY);
  });
  if (fd >= 0 || errno != ENOTDIR) return fd;
  struct stat info {};
  const bool link =
      fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
  errno = link ? ELOOP : ENOTDIR;
  return -1;
}

int open_by_walk(int directory, const std::string& location) {
  Descriptor step;
  int at = directory;
  size_t begin = 0;
  for (size_t slash = location.find('/'); slash != std::string::npos;
       slash = location.find('/', begin)) {
    Descriptor next(open_step(at, location.substr(begin, slash - begin)));
    if (!next.valid()) return -1;
    step = std::move(next);
    at = step.get();
    begin = slash + 1;
  }
  return retry([&] { return openat(at, location.c_str() + begin, kReadFlags); });
}

}  // namespace

Status check_plain_location(const std::string& location) {
  constexpr size_t kLongest = 4095;
  const auto refuse = [&](std::string_view why) {
    return malformed("location ", quote_name(location), " ", why);
  };
  if (location.empty()) return refuse("is empty");
  if (location.size() > kLongest) return refuse("is too long");
  if (location.find('\0') != std::string::npos) return refuse("contains a NUL");
  if (location.find('\\') != std::string::npos) return refuse("contains a backslash");
  if (location[0] == '/') return refuse("is absolute");
  if (location.size() >= 2 && location[1] == ':' && is_letter(location[0])) {
    return refuse("names a drive");
  }
  for (size_t begin = 0; begin <= location.size();) {
    const size_t end = std::min(location.find('/', begin), location.size());
    const std::string_view part = std::string_view(location).substr(begin, end - begin);
    if (part.empty()) return refuse("has an empty part");
    if (part == "." || part == "..") return refuse("is not a plain relative name");
    begin = end + 1;
  }
  return {};
}

Result<OpenFile> open_contained(const std::string& directory, const std::string& location,
                                ContainedMethod method) {
  OCTET_TRY(check_plain_location(location));
  const std::string folder = directory.empty() ? "." : directory;
  const Descriptor at(
      retry([&] { return open(folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY); }));
  if (!at.valid()) return file_error(folder, errno, FileUse::kRead);
  int fd = -1;
  if (method == ContainedMethod::kKernel) {
    fd = open_by_kernel(at.get(), location);
    // EPERM is what some sandboxes answer for a system call they do not know.
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) method = ContainedMethod::kWalk;
  }
  if (method == ContainedMethod::kWalk) fd = open_by_walk(at.get(), location);
  if (fd < 0 && (errno == ELOOP || errno == EXDEV)) {
    return malformed("location ", quote_name(location), " leads through a symbolic link");
  }
  if (fd < 0 && errno == ENOENT) {
    return io_error(quote_name(location), ": ", errno_text(errno), "; put the file into ",
                    quote_name(folder), ", beside what refers to it");
  }
  if (fd < 0) return file_error(location, errno, FileUse::kRead);
  OCTET_ASSIGN(OpenFile file, OpenFile::of(Descriptor(fd), location));
  if (file.link_count() != 1) {
    return malformed("location ", quote_name(location), " is a file with ", file.link_count(),
                     " names (hard links)");
  }
  return file;
}

}  // namespace octet
