#include "compiler/data/npz_writer.h"

#include <zlib.h>

#include <cstdint>

#include "compiler/base/names.h"

namespace octet::data {
namespace {

using ir::DType;

// numpy.lib.format: the "descr" of little-endian arrays.
std::string_view descr(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "<f4";
    case DType::kFloat64:
      return "<f8";
    case DType::kFloat16:
      return "<f2";
    case DType::kInt8:
      return "|i1";
    case DType::kUint8:
      return "|u1";
    case DType::kInt16:
      return "<i2";
    case DType::kUint16:
      return "<u2";
    case DType::kInt32:
      return "<i4";
    case DType::kUint32:
      return "<u4";
    case DType::kInt64:
      return "<i8";
    case DType::kUint64:
      return "<u8";
    case DType::kBool:
      return "|b1";
    default:
      return "";
  }
}

std::string npy_header(const ir::Tensor& tensor) {
  std::string shape;
  for (int64_t extent : tensor.shape()) shape += cat(extent, ", ");
  std::string text = cat("{'descr': '", descr(tensor.dtype()), "', 'fortran_order': False, ",
                         "'shape': (", shape, "), }");
  // Magic, version and length take 10 bytes; the data starts at a multiple of 64.
  while ((10 + text.size() + 1) % 64 != 0) text += ' ';
  text += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(text.size() & 0xff);
  out += static_cast<char>(text.size() >> 8);
  return out + text;
}

void put(std::string& out, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>((value >> (8 * i)) & 0xff);
}

struct Member {
  std::string name;
  uint32_t crc = 0;
  uint32_t size = 0;
  uint32_t offset = 0;
};

// The fields that local and central headers share (PKWARE APPNOTE.TXT 4.3.7, 4.3.12): version
// needed, flags, method, time, date, checksum, sizes, name length.
void put_common(std::string& out, const Member& member) {
  constexpr uint32_t kFirstOfJanuary1980 = 0x21;
  put(out, 20, 2);
  put(out, 0, 2);
  put(out, 0, 2);
  put(out, 0, 2);
  put(out, kFirstOfJanuary1980, 2);
  put(out, member.crc, 4);
  put(out, member.size, 4);
  put(out, member.size, 4);
  put(out, static_cast<uint32_t>(member.name.size()), 2);
  put(out, 0, 2);
}

}  // namespace

Result<std::string> write_npz(const std::vector<std::pair<std::string, ir::Tensor>>& arrays) {
  std::string out;
  std::vector<Member> members;
  for (const auto& [name, tensor] : arrays) {
    if (descr(tensor.dtype()).empty()) {
      return unsupported("array ", quote_name(name), " has the type ",
                         numerics::dtype_name(tensor.dtype()), ", which NumPy does not have");
    }
    std::string body = npy_header(tensor);
    body.append(reinterpret_cast<const char*>(tensor.bytes().data()), tensor.bytes().size());
    if (out.size() + body.size() > UINT32_MAX - (uint32_t{1} << 20)) {
      return resource_limit("an .npz archive of 4 GiB or more; write fewer samples");
    }
    Member member{name + ".npy", 0, static_cast<uint32_t>(body.size()),
                  static_cast<uint32_t>(out.size())};
    member.crc = static_cast<uint32_t>(crc32_z(
        crc32_z(0, nullptr, 0), reinterpret_cast<const unsigned char*>(body.data()), body.size()));
    put(out, 0x04034b50, 4);
    put_common(out, member);
    out += member.name;
    out += body;
    members.push_back(std::move(member));
  }
  const auto directory = static_cast<uint32_t>(out.size());
  for (const Member& member : members) {
    put(out, 0x02014b50, 4);
    put(out, 20, 2);
    put_common(out, member);
    put(out, 0, 2);  // comment
    put(out, 0, 2);  // disk
    put(out, 0, 2);  // internal attributes
    put(out, 0, 4);  // external attributes
    put(out, member.offset, 4);
    out += member.name;
  }
  const auto directory_size = static_cast<uint32_t>(out.size()) - directory;
  put(out, 0x06054b50, 4);
  put(out, 0, 4);
  put(out, static_cast<uint32_t>(members.size()), 2);
  put(out, static_cast<uint32_t>(members.size()), 2);
  put(out, directory_size, 4);
  put(out, directory, 4);
  put(out, 0, 2);
  return out;
}

}  // namespace octet::data
