#include "compiler/base/open_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <stdexcept>

#include "compiler/base/file_errors.h"
#include "compiler/base/names.h"

namespace octet {
namespace {

Error not_regular(const std::string& name, mode_t mode) {
  const char* kind = S_ISDIR(mode)    ? "is a folder"
                     : S_ISFIFO(mode) ? "is a pipe"
                                      : "is not a regular file";
  return io_error(quote_name(name), " ", kind, "; name a file");
}

}  // namespace

Descriptor::~Descriptor() { close(); }

int Descriptor::close() {
  const int fd = std::exchange(fd_, -1);
  return fd >= 0 ? ::close(fd) : 0;
}

Result<OpenFile> OpenFile::open(const std::string& path) {
  // Opening a device may do something to it, so look before; the check that counts is on the
  // descriptor.
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return file_error(path, errno, FileUse::kRead);
  if (!S_ISREG(info.st_mode)) return not_regular(path, info.st_mode);
  int fd = -1;
  do {
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return file_error(path, errno, FileUse::kRead);
  return of(Descriptor(fd), path);
}

Result<OpenFile> OpenFile::of(Descriptor descriptor, std::string name) {
  struct stat info {};
  if (fstat(descriptor.get(), &info) != 0) return file_error(name, errno, FileUse::kRead);
  if (!S_ISREG(info.st_mode)) return not_regular(name, info.st_mode);
  OpenFile file;
  file.descriptor_ = std::move(descriptor);
  file.name_ = std::move(name);
  file.size_ = info.st_size;
  file.link_count_ = static_cast<int64_t>(info.st_nlink);
  return file;
}

Status OpenFile::read_at(int64_t offset, std::span<std::byte> out) const {
  constexpr size_t kChunk = size_t{1} << 30;
  while (!out.empty()) {
    const ssize_t got = pread(descriptor_.get(), out.data(), std::min(out.size(), kChunk), offset);
    if (got < 0) {
      if (errno == EINTR) continue;
      return file_error(name_, errno, FileUse::kRead);
    }
    if (got == 0) return io_error(quote_name(name_), " ends before byte ", offset + 1);
    out = out.subspan(static_cast<size_t>(got));
    offset += got;
  }
  return {};
}

Result<std::string> OpenFile::read_string(int64_t offset, int64_t length) const {
  std::string bytes;
  try {
    bytes.resize(static_cast<size_t>(length));
  } catch (const std::bad_alloc&) {
    return resource_limit(quote_name(name_), ": no memory for ", length, " bytes");
  } catch (const std::length_error&) {
    return resource_limit(quote_name(name_), ": no memory for ", length, " bytes");
  }
  OCTET_TRY(read_at(offset, std::as_writable_bytes(std::span(bytes))));
  return bytes;
}

}  // namespace octet
