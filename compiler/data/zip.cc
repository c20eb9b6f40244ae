#include "compiler/data/zip.h"

#include <zlib.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "compiler/base/names.h"

namespace octet::data {
namespace {

constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kEnd64LocatorSignature = 0x07064b50;
constexpr uint32_t kDirectorySignature = 0x02014b50;
constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr int64_t kLargestDirectory = int64_t{64} << 20;
constexpr uint32_t kOverflow32 = 0xFFFFFFFF;
// Deflate makes at most 1032 bytes from one.
constexpr int64_t kGreatestRatio = 1032;

using Bytes = std::span<const std::byte>;

// Little endian fields at fixed offsets; `bytes` must be long enough.
uint64_t field(Bytes bytes, size_t offset, size_t width) {
  uint64_t out = 0;
  for (size_t i = width; i-- > 0;) out = out << 8 | std::to_integer<uint64_t>(bytes[offset + i]);
  return out;
}
uint32_t u16(Bytes bytes, size_t offset) { return static_cast<uint32_t>(field(bytes, offset, 2)); }
uint32_t u32(Bytes bytes, size_t offset) { return static_cast<uint32_t>(field(bytes, offset, 4)); }
// Offsets and sizes beyond int64 become -1, which every check refuses.
int64_t u64(Bytes bytes, size_t offset) {
  const uint64_t value = field(bytes, offset, 8);
  return value > INT64_MAX ? -1 : static_cast<int64_t>(value);
}

Result<std::vector<std::byte>> read_range(const OpenFile& file, int64_t offset, int64_t size) {
  if (offset < 0 || size < 0 || offset > file.size() || size > file.size() - offset) {
    return bad_data("is a damaged .npz archive");
  }
  std::vector<std::byte> out(static_cast<size_t>(size));
  OCTET_TRY(file.read_at(offset, out));
  return out;
}

struct Directory {
  int64_t offset = 0;
  int64_t size = 0;
  int64_t count = 0;
};

Result<Directory> find_directory(const OpenFile& file) {
  constexpr int64_t kEndSize = 22;
  constexpr int64_t kLocatorSize = 20;
  const int64_t tail_size = std::min<int64_t>(file.size(), kEndSize + 65535 + kLocatorSize);
  const int64_t tail_offset = file.size() - tail_size;
  OCTET_ASSIGN(const std::vector<std::byte> tail, read_range(file, tail_offset, tail_size));
  for (int64_t at = tail_size - kEndSize; at >= 0; --at) {
    const Bytes end = Bytes(tail).subspan(static_cast<size_t>(at));
    if (u32(end, 0) != kEndSignature) continue;
    if (at + kEndSize + u16(end, 20) != tail_size) continue;  // the comment must reach the end
    if (u16(end, 4) != 0 || u16(end, 6) != 0) return bad_data("is an archive in several parts");
    Directory out{u32(end, 16), u32(end, 12), u16(end, 10)};
    if (at < kLocatorSize) return out;
    const Bytes locator = Bytes(tail).subspan(static_cast<size_t>(at - kLocatorSize));
    if (u32(locator, 0) != kEnd64LocatorSignature) return out;
    OCTET_ASSIGN(const std::vector<std::byte> end64, read_range(file, u64(locator, 8), 56));
    if (u32(end64, 0) != kEnd64Signature) return bad_data("is a damaged .npz archive");
    return Directory{u64(end64, 48), u64(end64, 40), u64(end64, 32)};
  }
  return bad_data("is not a .npz archive");
}

// Values that did not fit 32 bits stand in an extra field, in this order, those alone.
Status apply_zip64(Bytes extra, ZipMember& member) {
  while (extra.size() >= 4) {
    const size_t size = u16(extra, 2);
    if (size > extra.size() - 4) break;
    Bytes body = extra.subspan(4, size);
    if (u16(extra, 0) == 1) {
      for (int64_t* value : {&member.size, &member.packed_size, &member.header_offset}) {
        if (*value != kOverflow32) continue;
        if (body.size() < 8) return bad_data("is a damaged .npz archive");
        *value = u64(body, 0);
        body = body.subspan(8);
      }
    }
    extra = extra.subspan(4 + size);
  }
  return {};
}

Status check_member(const ZipMember& member, uint32_t flags, int64_t file_size) {
  if ((flags & 1) != 0) return bad_data("is encrypted");
  if (member.method != 0 && member.method != 8) {
    return bad_data("is compressed by method ", member.method, ", not deflate");
  }
  const bool sizes_fit = member.size >= 0 && member.packed_size >= 0 && member.header_offset >= 0 &&
                         member.packed_size <= file_size && member.header_offset < file_size;
  const bool stored_fits = member.method != 0 || member.size == member.packed_size;
  if (!sizes_fit || !stored_fits || member.size / kGreatestRatio > member.packed_size) {
    return bad_data("claims ", member.size, " bytes out of ", member.packed_size);
  }
  return {};
}

Result<std::vector<ZipMember>> parse_directory(Bytes rest, int64_t count, int64_t file_size) {
  constexpr size_t kEntrySize = 46;
  std::vector<ZipMember> members;
  for (int64_t i = 0; i < count; ++i) {
    if (rest.size() < kEntrySize || u32(rest, 0) != kDirectorySignature) {
      return bad_data("is a damaged .npz archive");
    }
    const size_t name = u16(rest, 28);
    const size_t extra = u16(rest, 30);
    const size_t comment = u16(rest, 32);
    if (rest.size() - kEntrySize < name + extra + comment) {
      return bad_data("is a damaged .npz archive");
    }
    ZipMember member;
    member.name.assign(reinterpret_cast<const char*>(rest.data()) + kEntrySize, name);
    member.method = u16(rest, 10);
    member.crc = u32(rest, 16);
    member.packed_size = u32(rest, 20);
    member.size = u32(rest, 24);
    member.header_offset = u32(rest, 42);
    OCTET_TRY(apply_zip64(rest.subspan(kEntrySize + name, extra), member));
    OCTET_TRY(
        check_member(member, u16(rest, 8), file_size).in(cat("member ", quote_name(member.name))));
    members.push_back(std::move(member));
    rest = rest.subspan(kEntrySize + name + extra + comment);
  }
  return members;
}

class Inflater {
 public:
  Inflater() { ready_ = inflateInit2(&stream_, -MAX_WBITS) == Z_OK; }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }

  // Fills `out` from the packed bytes at `offset`; the number of bytes that there were.
  Result<size_t> run(const OpenFile& file, int64_t offset, int64_t packed_size,
                     std::span<std::byte> out) {
    if (!ready_) return resource_limit("no memory to inflate with");
    std::vector<std::byte> chunk(static_cast<size_t>(std::min<int64_t>(packed_size, 1 << 16)));
    size_t filled = 0;
    int status = Z_OK;
    while (status == Z_OK && filled < out.size()) {
      if (stream_.avail_in == 0) {
        if (packed_size == 0) break;
        const auto size =
            static_cast<size_t>(std::min<int64_t>(packed_size, static_cast<int64_t>(chunk.size())));
        OCTET_TRY(file.read_at(offset, std::span(chunk).first(size)));
        offset += static_cast<int64_t>(size);
        packed_size -= static_cast<int64_t>(size);
        stream_.next_in = reinterpret_cast<Bytef*>(chunk.data());
        stream_.avail_in = static_cast<uInt>(size);
      }
      const size_t room = std::min<size_t>(out.size() - filled, 1U << 30);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
      stream_.avail_out = static_cast<uInt>(room);
      status = inflate(&stream_, Z_NO_FLUSH);
      filled += room - stream_.avail_out;
    }
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
      return bad_data("is damaged: it cannot be inflated");
    }
    return filled;
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

}  // namespace

Result<ZipArchive> ZipArchive::open(std::shared_ptr<const OpenFile> file) {
  OCTET_ASSIGN(const Directory directory, find_directory(*file));
  constexpr int64_t kSmallestEntry = 46;
  if (directory.size > kLargestDirectory || directory.count < 0 ||
      directory.count > directory.size / kSmallestEntry) {
    return bad_data("is a damaged .npz archive");
  }
  OCTET_ASSIGN(const std::vector<std::byte> bytes,
               read_range(*file, directory.offset, directory.size));
  ZipArchive archive;
  OCTET_ASSIGN(archive.members_, parse_directory(bytes, directory.count, file->size()));
  archive.file_ = std::move(file);
  return archive;
}

Result<int64_t> ZipArchive::data_offset(const ZipMember& member) const {
  constexpr int64_t kLocalSize = 30;
  OCTET_ASSIGN(const std::vector<std::byte> local,
               read_range(*file_, member.header_offset, kLocalSize));
  if (u32(local, 0) != kLocalSignature) return bad_data("is a damaged .npz archive");
  const int64_t offset = member.header_offset + kLocalSize + u16(local, 26) + u16(local, 28);
  if (offset > file_->size() || member.packed_size > file_->size() - offset) {
    return bad_data("is a damaged .npz archive: a member reaches beyond its end");
  }
  return offset;
}

Result<ByteSourcePtr> ZipArchive::read(const ZipMember& member, int64_t max_bytes) const {
  OCTET_ASSIGN(const int64_t offset, data_offset(member));
  if (member.method == 0) {
    return ByteSourcePtr(std::make_shared<FileBytes>(file_, offset, member.size));
  }
  if (member.size > max_bytes) {
    return resource_limit("has ", member.size, " bytes when inflated; at most ", max_bytes,
                          " are taken. Save it with numpy.savez, which does not compress");
  }
  OCTET_ASSIGN(std::vector<std::byte> out, read_start(member, member.size));
  if (static_cast<int64_t>(out.size()) != member.size) {
    return bad_data("is damaged: ", member.size, " bytes expected, ", out.size(), " found");
  }
  const uLong crc = crc32_z(0, reinterpret_cast<const Bytef*>(out.data()), out.size());
  if (crc != member.crc) return bad_data("is damaged: its checksum is wrong");
  return ByteSourcePtr(std::make_shared<MemoryBytes>(std::move(out)));
}

Result<std::vector<std::byte>> ZipArchive::read_start(const ZipMember& member,
                                                      int64_t length) const {
  OCTET_ASSIGN(const int64_t offset, data_offset(member));
  length = std::min(length, member.size);
  if (member.method == 0) return read_range(*file_, offset, length);
  std::vector<std::byte> out;
  try {
    out.resize(static_cast<size_t>(length));
  } catch (const std::bad_alloc&) {
    return resource_limit("no memory for ", length, " bytes");
  }
  OCTET_ASSIGN(const size_t filled, Inflater().run(*file_, offset, member.packed_size, out));
  out.resize(filled);
  return out;
}

}  // namespace octet::data
