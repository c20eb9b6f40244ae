// A regular file opened for reading, with the checks on its descriptor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "compiler/base/result.h"

namespace octet {

// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  // Closes now; the result of close(2), whose error for a written file is a lost write.
  int close();

 private:
  int fd_;
};

class OpenFile {
 public:
  // Opens without blocking and refuses what is not a regular file (folder, pipe, device): kIo with
  // the path in the message.
  static Result<OpenFile> open(const std::string& path);

  // Takes a descriptor that `name` was opened under; checks that it is a regular file.
  static Result<OpenFile> of(Descriptor descriptor, std::string name);

  // Size when the file was opened.
  int64_t size() const { return size_; }
  int64_t link_count() const { return link_count_; }
  const std::string& name() const { return name_; }

  // Fills `out` from `offset`; safe from several threads. kIo also when the file ends before.
  Status read_at(int64_t offset, std::span<std::byte> out) const;

  // `length` bytes at `offset`, both in range. kResourceLimit when there is no memory for them.
  Result<std::string> read_string(int64_t offset, int64_t length) const;

 private:
  Descriptor descriptor_;
  std::string name_;
  int64_t size_ = 0;
  int64_t link_count_ = 0;
};

}  // namespace octet
