// Bytes that can be read at any offset, from a file or from memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "compiler/base/open_file.h"
#include "compiler/base/result.h"

namespace octet::data {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual int64_t size() const = 0;
  // Fills `out` from `offset`; the range must lie within size(). Safe from several threads.
  virtual Status read_at(int64_t offset, std::span<std::byte> out) const = 0;
};

using ByteSourcePtr = std::shared_ptr<const ByteSource>;

// `size` bytes of a file from `begin`.
class FileBytes : public ByteSource {
 public:
  FileBytes(std::shared_ptr<const OpenFile> file, int64_t begin, int64_t size)
      : file_(std::move(file)), begin_(begin), size_(size) {}
  int64_t size() const override { return size_; }
  Status read_at(int64_t offset, std::span<std::byte> out) const override {
    return file_->read_at(begin_ + offset, out);
  }

 private:
  std::shared_ptr<const OpenFile> file_;
  int64_t begin_;
  int64_t size_;
};

class MemoryBytes : public ByteSource {
 public:
  explicit MemoryBytes(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  int64_t size() const override { return static_cast<int64_t>(bytes_.size()); }
  Status read_at(int64_t offset, std::span<std::byte> out) const override {
    std::copy_n(bytes_.begin() + offset, out.size(), out.begin());
    return {};
  }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace octet::data
