#include "compiler/onnx/external.h"

#include <charconv>
#include <map>

#include "compiler/base/checked.h"
#include "compiler/base/files.h"
#include "compiler/base/names.h"
#include "compiler/onnx/sha1.h"

namespace octet::onnx {
namespace {

struct Entry {
  std::string location;
  int64_t offset = 0;
  int64_t length = -1;  // not given
  std::string checksum;
};

Result<int64_t> parse_number(const std::string& key, const std::string& text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end || value < 0) {
    return malformed("external data: ", key, " ", quote_name(text), " is not a byte count");
  }
  return value;
}

Result<Entry> parse_entry(const ::onnx::TensorProto& tensor) {
  std::map<std::string, std::string> given;
  for (const auto& pair : tensor.external_data()) {
    if (!given.emplace(pair.key(), pair.value()).second) {
      return malformed("external data: key ", quote_name(pair.key()), " is given twice");
    }
  }
  Entry entry;
  for (const auto& [key, value] : given) {
    if (key == "location") {
      entry.location = value;
    } else if (key == "offset") {
      OCTET_ASSIGN(entry.offset, parse_number(key, value));
    } else if (key == "length") {
      OCTET_ASSIGN(entry.length, parse_number(key, value));
    } else if (key == "checksum") {
      entry.checksum = value;
    } else {
      return malformed("external data: unknown key ", quote_name(key));
    }
  }
  if (entry.location.empty()) return malformed("external data: no location");
  return entry;
}

}  // namespace

Result<std::string> read_external(const ::onnx::TensorProto& tensor, int64_t size,
                                  const ExternalSource& source) {
  OCTET_ASSIGN(const Entry entry, parse_entry(tensor));
  if (entry.length >= 0 && entry.length != size) {
    return malformed("external data: length ", entry.length, ", but type and shape need ", size);
  }
  if (!checked_add(entry.offset, size)) {
    return malformed("external data: offset ", entry.offset, " is too large");
  }
  if (source.directory.empty()) {
    return malformed("external data in ", quote_name(entry.location),
                     ", but the model was not read from a file");
  }
  OCTET_ASSIGN(std::string bytes,
               read_contained(source.directory, entry.location, entry.offset, size));
  if (!source.model_path.empty() &&
      same_file(source.model_path, source.directory + "/" + entry.location)) {
    return malformed("external data: location ", quote_name(entry.location),
                     " is the model itself");
  }
  if (!entry.checksum.empty() && entry.checksum != sha1_hex(bytes)) {
    return malformed("external data: checksum of ", quote_name(entry.location), " is ",
                     sha1_hex(bytes), ", not ", quote_name(entry.checksum));
  }
  return bytes;
}

}  // namespace octet::onnx
