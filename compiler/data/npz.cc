#include "compiler/data/npz.h"

#include <utility>

#include "compiler/base/names.h"
#include "compiler/base/open_file.h"
#include "compiler/data/zip.h"

namespace octet::data {
namespace {

std::string array_name(const std::string& member) {
  const bool npy = member.size() >= 4 && member.compare(member.size() - 4, 4, ".npy") == 0;
  return npy ? member.substr(0, member.size() - 4) : member;
}

// The start of a member that claims to be as long as the directory says: enough to check a header
// without inflating what may be a bomb.
class MemberStart : public ByteSource {
 public:
  MemberStart(std::vector<std::byte> start, int64_t size) : start_(std::move(start)), size_(size) {}
  int64_t size() const override { return size_; }
  Status read_at(int64_t offset, std::span<std::byte> out) const override {
    const auto begin = static_cast<size_t>(offset);
    if (begin > start_.size() || out.size() > start_.size() - begin) {
      return bad_data("ends within its header");
    }
    std::copy_n(start_.begin() + offset, out.size(), out.begin());
    return {};
  }

 private:
  std::vector<std::byte> start_;
  int64_t size_;
};

Result<ZipArchive> open_archive(const std::string& path) {
  OCTET_ASSIGN(OpenFile file, OpenFile::open(path));
  return ZipArchive::open(std::make_shared<const OpenFile>(std::move(file)));
}

Result<NpyHeader> member_header(const ZipArchive& archive, const ZipMember& member) {
  constexpr int64_t kStart = 1 << 14;  // more than the header of any array of numbers
  OCTET_ASSIGN(std::vector<std::byte> start, archive.read_start(member, kStart));
  return read_npy_header(MemberStart(std::move(start), member.size));
}

// Calls read(archive, member) for each member and collects the results by array name.
template <typename T, typename Read>
Result<std::map<std::string, T>> collect(const std::string& path, const Read& read) {
  OCTET_ASSIGN(const ZipArchive archive, open_archive(path));
  std::map<std::string, T> out;
  for (const ZipMember& member : archive.members()) {
    const std::string name = array_name(member.name);
    Result<T> item = read(archive, member).in(cat("array ", quote_name(name)));
    if (!item.ok()) return item.error();
    if (!out.emplace(name, std::move(item).value()).second) {
      return bad_data("has two arrays named ", quote_name(name));
    }
  }
  return out;
}

}  // namespace

Result<std::map<std::string, NpyHeader>> read_npz_headers(const std::string& path) {
  return collect<NpyHeader>(path, member_header);
}

Result<std::map<std::string, Array>> open_npz(const std::string& path) {
  int64_t budget = kMostInflated;
  const auto open = [&budget](const ZipArchive& archive, const ZipMember& member) -> Result<Array> {
    OCTET_ASSIGN(const NpyHeader header, member_header(archive, member));
    OCTET_ASSIGN(ByteSourcePtr source, archive.read(member, budget));
    if (member.method != 0) budget -= header.data_bytes;
    return Array::open(std::move(source));
  };
  return collect<Array>(path, open);
}

}  // namespace octet::data
