#include "compiler/base/spill_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "compiler/base/file_errors.h"

namespace octet {

SpillFile::SpillFile(Descriptor descriptor)
    : descriptor_(std::move(descriptor)), mutex_(std::make_unique<std::mutex>()) {}

Result<SpillFile> SpillFile::create() {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::temp_directory_path(error);
  if (error) return file_error("the folder for temporary files", error.value(), FileUse::kWrite);
  std::string path = (folder / ".octet-XXXXXX").string();
  Descriptor descriptor(mkstemp(path.data()));
  if (!descriptor.valid()) return file_error(path, errno, FileUse::kWrite);
  if (unlink(path.c_str()) != 0) return file_error(path, errno, FileUse::kWrite);
  return SpillFile(std::move(descriptor));
}

Result<int64_t> SpillFile::append(std::span<const std::byte> bytes) {
  int64_t offset = 0;
  {
    const std::lock_guard lock(*mutex_);
    offset = size_;
    size_ += static_cast<int64_t>(bytes.size());
  }
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t written = pwrite(descriptor_.get(), bytes.data() + done, bytes.size() - done,
                                   offset + static_cast<int64_t>(done));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return file_error("temporary file", errno, FileUse::kWrite);
    done += static_cast<size_t>(written);
  }
  return offset;
}

Status SpillFile::read_at(int64_t offset, std::span<std::byte> out) const {
  for (size_t done = 0; done < out.size();) {
    const ssize_t got = pread(descriptor_.get(), out.data() + done, out.size() - done,
                              offset + static_cast<int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return file_error("temporary file", got < 0 ? errno : EIO, FileUse::kRead);
    done += static_cast<size_t>(got);
  }
  return {};
}

}  // namespace octet
