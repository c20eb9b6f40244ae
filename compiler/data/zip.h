// Reading ZIP archives as NumPy writes them (.npz): members stored or deflated, ZIP64 included
// (PKWARE APPNOTE.TXT 6.3).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compiler/base/open_file.h"
#include "compiler/base/result.h"
#include "compiler/data/byte_source.h"

namespace octet::data {

struct ZipMember {
  std::string name;
  uint32_t method = 0;  // 0 stored, 8 deflated
  uint32_t crc = 0;
  int64_t packed_size = 0;
  int64_t size = 0;
  int64_t header_offset = 0;
};

class ZipArchive {
 public:
  // Reads the directory. kBadData for what is not a ZIP archive, is encrypted, spans several files,
  // or claims sizes that cannot be.
  static Result<ZipArchive> open(std::shared_ptr<const OpenFile> file);

  const std::vector<ZipMember>& members() const { return members_; }

  // A stored member is read from the file when asked for. A deflated one is inflated whole, up to
  // `max_bytes` (kResourceLimit beyond), and its checksum is verified.
  Result<ByteSourcePtr> read(const ZipMember& member, int64_t max_bytes) const;

  // The first bytes of a member, at most `length`, without inflating the rest.
  Result<std::vector<std::byte>> read_start(const ZipMember& member, int64_t length) const;

 private:
  Result<int64_t> data_offset(const ZipMember& member) const;

  std::shared_ptr<const OpenFile> file_;
  std::vector<ZipMember> members_;
};

}  // namespace octet::data
