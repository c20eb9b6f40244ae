// A nameless temporary file for data that would not fit the memory: gone when it is closed, however
// the process ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

#include "compiler/base/open_file.h"
#include "compiler/base/result.h"

namespace octet {

class SpillFile {
 public:
  // In the folder for temporary files (TMPDIR, else /tmp). Errors: kIo.
  static Result<SpillFile> create();

  // Where the bytes begin; safe from several threads. Errors: kIo, as on a full disk.
  Result<int64_t> append(std::span<const std::byte> bytes);
  // Fills `out` from `offset`; safe from several threads.
  Status read_at(int64_t offset, std::span<std::byte> out) const;

 private:
  explicit SpillFile(Descriptor descriptor);

  Descriptor descriptor_;
  std::unique_ptr<std::mutex> mutex_;
  int64_t size_ = 0;
};

}  // namespace octet
