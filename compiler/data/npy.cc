#include "compiler/data/npy.h"

#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "compiler/base/checked.h"
#include "compiler/base/names.h"
#include "compiler/ir/shape.h"

namespace octet::data {
namespace {

using ir::DType;

constexpr int64_t kLongestHeader = int64_t{1} << 20;
constexpr size_t kMostAxes = 32;

// Reads the few kinds of Python literal that the header is made of.
class Literals {
 public:
  explicit Literals(std::string_view text) : rest_(text) {}

  bool take(char c) {
    skip_space();
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool take_word(std::string_view word) {
    skip_space();
    if (rest_.substr(0, word.size()) != word) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  std::optional<std::string_view> quoted() {
    skip_space();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) return std::nullopt;
    const size_t end = rest_.find(rest_[0], 1);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view out = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return out;
  }

  std::optional<int64_t> integer() {
    skip_space();
    int64_t out = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), out);
    if (error != std::errc()) return std::nullopt;
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    take('L');  // as Python 2 wrote long integers
    return out;
  }

  bool at(char c) {
    skip_space();
    return !rest_.empty() && rest_[0] == c;
  }

  bool at_end() {
    skip_space();
    return rest_.empty();
  }

 private:
  void skip_space() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n' || rest_[0] == '\t')) {
      rest_.remove_prefix(1);
    }
  }

  std::string_view rest_;
};

struct TypeCode {
  std::string_view code;
  DType dtype;
};
constexpr std::array<TypeCode, 12> kTypeCodes = {{{"f4", DType::kFloat32},
                                                  {"f8", DType::kFloat64},
                                                  {"f2", DType::kFloat16},
                                                  {"u1", DType::kUint8},
                                                  {"i1", DType::kInt8},
                                                  {"u2", DType::kUint16},
                                                  {"i2", DType::kInt16},
                                                  {"u4", DType::kUint32},
                                                  {"i4", DType::kInt32},
                                                  {"u8", DType::kUint64},
                                                  {"i8", DType::kInt64},
                                                  {"b1", DType::kBool}}};

Status parse_type(std::string_view descr, NpyHeader& header) {
  const std::string_view code = descr.substr(descr.empty() ? 0 : 1);
  if (code.substr(0, 1) == "O") {
    return bad_data("holds Python objects (a pickle), which are never read");
  }
  for (const TypeCode& known : kTypeCodes) {
    if (known.code != code) continue;
    header.dtype = known.dtype;
    header.byte_order = descr[0] == '>' ? ByteOrder::kBig : ByteOrder::kLittle;
    return {};
  }
  return bad_data("has elements of type ", quote_name(descr), ", which no input takes");
}

Status parse_descr(Literals& in, NpyHeader& header) {
  if (in.at('[')) return bad_data("is an array of records, which no input takes");
  const auto descr = in.quoted();
  if (!descr) return bad_data("has a header without a readable element type");
  return parse_type(*descr, header);
}

Status parse_shape(Literals& in, NpyHeader& header) {
  if (!in.take('(')) return bad_data("has a header whose shape is not a tuple");
  while (!in.take(')')) {
    const auto extent = in.integer();
    if (!extent || *extent < 0) return bad_data("has a header with a shape that cannot be read");
    header.shape.push_back(*extent);
    if (header.shape.size() > kMostAxes) return bad_data("has more than ", kMostAxes, " axes");
    if (!in.take(',') && !in.at(')')) {
      return bad_data("has a header with a shape that cannot be read");
    }
  }
  return {};
}

int64_t little_endian(std::span<const std::byte> bytes) {
  int64_t out = 0;
  for (size_t i = bytes.size(); i-- > 0;) out = out << 8 | std::to_integer<int64_t>(bytes[i]);
  return out;
}

}  // namespace

Result<NpyHeader> parse_npy_dictionary(std::string_view text) {
  NpyHeader header;
  bool has_descr = false;
  bool has_order = false;
  bool has_shape = false;
  bool fortran = false;
  Literals in(text);
  if (!in.take('{')) return bad_data("has a header that is not a dictionary");
  while (!in.take('}')) {
    const auto key = in.quoted();
    if (!key || !in.take(':')) return bad_data("has a header that cannot be read");
    if (*key == "descr" && !has_descr) {
      has_descr = true;
      OCTET_TRY(parse_descr(in, header));
    } else if (*key == "fortran_order" && !has_order) {
      has_order = true;
      fortran = in.take_word("True");
      if (!fortran && !in.take_word("False")) {
        return bad_data("has a header whose fortran_order is neither True nor False");
      }
    } else if (*key == "shape" && !has_shape) {
      has_shape = true;
      OCTET_TRY(parse_shape(in, header));
    } else {
      return bad_data("has a header with the unexpected entry ", quote_name(*key));
    }
    if (!in.take(',') && !in.at('}')) return bad_data("has a header that cannot be read");
  }
  if (!in.at_end() || !has_descr || !has_order || !has_shape) {
    return bad_data("has a header that is not complete");
  }
  if (fortran && header.shape.size() > 1) {
    return bad_data("is in Fortran order; save numpy.ascontiguousarray(array)");
  }
  return header;
}

Result<NpyHeader> read_npy_header(const ByteSource& source) {
  std::array<std::byte, 12> preamble{};
  const std::span<std::byte> start(preamble.data(),
                                   static_cast<size_t>(std::min<int64_t>(12, source.size())));
  OCTET_TRY(source.read_at(0, start));
  constexpr std::array<std::byte, 6> kMagic = {std::byte{0x93}, std::byte{'N'}, std::byte{'U'},
                                               std::byte{'M'},  std::byte{'P'}, std::byte{'Y'}};
  if (start.size() < 10 || !std::equal(kMagic.begin(), kMagic.end(), start.begin())) {
    return bad_data("is not a .npy array");
  }
  const int version = std::to_integer<int>(preamble[6]);
  if (version < 1 || version > 3) return bad_data("is of .npy version ", version);
  const int64_t length_bytes = version == 1 ? 2 : 4;
  const int64_t text_offset = 8 + length_bytes;
  const int64_t length = little_endian(std::span(preamble).subspan(8, length_bytes));
  if (length > kLongestHeader) return bad_data("claims a header of ", length, " bytes");
  if (text_offset + length > source.size()) return bad_data("ends within its header");
  std::string text(static_cast<size_t>(length), '\0');
  OCTET_TRY(source.read_at(text_offset, std::as_writable_bytes(std::span(text))));
  OCTET_ASSIGN(NpyHeader header, parse_npy_dictionary(text));
  header.data_offset = text_offset + length;
  const auto count = checked_product(header.shape);
  const int64_t claimed = count ? numerics::storage_bytes(header.dtype, *count).value_or(-1) : -1;
  header.data_bytes = source.size() - header.data_offset;
  if (claimed != header.data_bytes) {
    return bad_data("claims ", numerics::dtype_name(header.dtype),
                    ir::Shape::of(header.shape).to_string(),
                    claimed >= 0 ? cat(", ", claimed, " bytes") : ", which is too large",
                    ", and has ", header.data_bytes, " bytes of data");
  }
  return header;
}

}  // namespace octet::data
