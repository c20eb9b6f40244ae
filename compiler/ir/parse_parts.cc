#include "compiler/ir/parse_parts.h"

#include <bit>
#include <charconv>
#include <limits>

#include "compiler/ir/literals.h"

namespace octet::ir {
namespace {

template <typename T>
Result<T> number_from(const Token& token, int base = 10) {
  std::string_view text = token.text;
  if (base == 16) text.remove_prefix(2);
  T value = 0;
  std::from_chars_result end{};
  if constexpr (std::is_floating_point_v<T>) {
    end = std::from_chars(text.data(), text.data() + text.size(), value);
  } else {
    end = std::from_chars(text.data(), text.data() + text.size(), value, base);
  }
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) {
    return Lexer::error_at(token.position,
                           cat("the number ", token.text.substr(0, 40), " is out of range"));
  }
  return value;
}

// A float or an integer.
template <typename T>
Result<T> real_from(const Token& token) {
  if (token.is_word("inf")) return std::numeric_limits<T>::infinity();
  if (token.is_word("nan")) return std::numeric_limits<T>::quiet_NaN();
  if (token.kind != TokenKind::kFloat && token.kind != TokenKind::kInteger) {
    return Lexer::expected("a number", token);
  }
  return number_from<T>(token);
}

Result<int32_t> parse_int32(Lexer& lexer, std::string_view what) {
  const Position position = lexer.peek().position;
  OCTET_ASSIGN(const int64_t value, lexer.integer(what));
  if (value < std::numeric_limits<int32_t>::min() || value > std::numeric_limits<int32_t>::max()) {
    return Lexer::error_at(position, "an integer beyond 32 bits");
  }
  return static_cast<int32_t>(value);
}

Result<DType> parse_dtype(Lexer& lexer) {
  constexpr std::string_view kWhat = "an element type such as float32";
  const Token& token = lexer.peek();
  if (token.kind != TokenKind::kIdentifier) return lexer.expected(kWhat);
  const auto dtype = numerics::dtype_from_name(token.text);
  if (!dtype && token.text != "undefined") return lexer.expected(kWhat);
  lexer.next();
  return dtype.value_or(DType::kUndefined);
}

Result<Shape> parse_shape(Lexer& lexer) {
  std::vector<Dim> dims;
  bool has_rank = true;
  const Status status = parse_list(lexer, "[", "]", [&]() -> Status {
    const Position position = lexer.peek().position;
    if (dims.empty() && has_rank && lexer.accept("...")) {
      has_rank = false;
      return {};
    }
    if (!has_rank) return lexer.expected("']'");
    if (lexer.accept("?")) {
      dims.emplace_back();
    } else if (lexer.peek().kind == TokenKind::kInteger) {
      OCTET_ASSIGN(const int64_t extent, lexer.integer("an extent"));
      if (extent < 0) return Lexer::error_at(position, "a negative extent");
      dims.emplace_back(extent);
    } else {
      OCTET_ASSIGN(std::string name, lexer.word("an extent: a number, a name or ?"));
      if (name.empty()) return Lexer::error_at(position, "an extent with an empty name");
      dims.push_back(Dim::named(std::move(name)));
    }
    return {};
  });
  if (!status.ok()) return status.error();
  return has_rank ? Shape(std::move(dims)) : Shape();
}

// --- quantization parameters -----------------------------------------------------------------

Result<float> parse_scale(Lexer& lexer) {
  if (lexer.peek().kind == TokenKind::kBits) return parse_float(lexer);
  return real_from<float>(lexer.next());
}

struct QuantFields {
  QuantParams::Spec spec;
  bool has_axis = false;
  bool has_block = false;
  bool has_range = false;
};

Status parse_quant_field(Lexer& lexer, QuantFields& fields) {
  QuantParams::Spec& spec = fields.spec;
  const Token key = lexer.peek();
  OCTET_TRY(
      lexer.expect(TokenKind::kIdentifier, "scale, zero_point, axis, block, range or storage"));
  OCTET_TRY(lexer.expect("="));
  if (key.text == "scale" && lexer.peek().is_punctuation("[")) {
    return parse_list(lexer, "[", "]", [&]() -> Status {
      OCTET_ASSIGN(const float scale, parse_scale(lexer));
      spec.scales.push_back(scale);
      return {};
    });
  }
  if (key.text == "scale") {
    OCTET_ASSIGN(const float scale, parse_scale(lexer));
    spec.scales.push_back(scale);
  } else if (key.text == "zero_point" && lexer.peek().is_punctuation("[")) {
    return parse_list(lexer, "[", "]", [&]() -> Status {
      OCTET_ASSIGN(const int32_t zero_point, parse_int32(lexer, "a zero point"));
      spec.zero_points.push_back(zero_point);
      return {};
    });
  } else if (key.text == "zero_point") {
    OCTET_ASSIGN(const int32_t zero_point, parse_int32(lexer, "a zero point"));
    spec.zero_points.assign(1, zero_point);
  } else if (key.text == "axis") {
    fields.has_axis = true;
    OCTET_ASSIGN(spec.axis, lexer.integer("an axis"));
  } else if (key.text == "block") {
    fields.has_block = true;
    OCTET_ASSIGN(spec.block_size, lexer.integer("a block size"));
  } else if (key.text == "storage") {
    OCTET_ASSIGN(spec.storage, parse_dtype(lexer));
  } else if (key.text == "range") {
    fields.has_range = true;
    OCTET_TRY(lexer.expect("["));
    OCTET_ASSIGN(spec.qmin, parse_int32(lexer, "the least integer"));
    OCTET_TRY(lexer.expect(","));
    OCTET_ASSIGN(spec.qmax, parse_int32(lexer, "the greatest integer"));
    OCTET_TRY(lexer.expect("]"));
  } else {
    return Lexer::expected("scale, zero_point, axis, block, range or storage", key);
  }
  return {};
}

// Behind the word "quant".
Result<QuantParams> parse_quant(Lexer& lexer, DType storage) {
  const Position position = lexer.peek().position;
  QuantFields fields;
  fields.spec.storage = storage;
  OCTET_TRY(parse_list(lexer, "(", ")", [&] { return parse_quant_field(lexer, fields); }));
  QuantParams::Spec& spec = fields.spec;
  if (fields.has_block) {
    spec.granularity = Granularity::kBlocked;
  } else if (fields.has_axis) {
    spec.granularity = Granularity::kPerAxis;
  }
  if (spec.zero_points.empty()) spec.zero_points.assign(1, 0);
  if (spec.zero_points.size() == 1)
    spec.zero_points.resize(spec.scales.size(), spec.zero_points[0]);
  const bool narrow = numerics::is_integer(spec.storage) && numerics::bit_width(spec.storage) <= 32;
  if (!fields.has_range && narrow) {
    const numerics::IntegerRange range = numerics::integer_range(spec.storage);
    // The greatest uint32 is no int32; [Q5] refuses what does not fit.
    spec.qmin = static_cast<int32_t>(range.min);
    spec.qmax =
        static_cast<int32_t>(std::min<int64_t>(range.max, std::numeric_limits<int32_t>::max()));
  }
  return located(position, QuantParams::make(std::move(spec)));
}

// --- tensors ---------------------------------------------------------------------------------

Status set_integer(Tensor& tensor, int64_t i, const Token& token) {
  if (token.kind != TokenKind::kInteger) return Lexer::expected("an integer", token);
  if (tensor.dtype() == DType::kUint64) {
    OCTET_ASSIGN(const auto value, number_from<uint64_t>(token));
    tensor.set_from_int64(i, static_cast<int64_t>(value));
    return {};
  }
  OCTET_ASSIGN(const auto value, number_from<int64_t>(token));
  if (numerics::bit_width(tensor.dtype()) <= 32) {
    const numerics::IntegerRange range = numerics::integer_range(tensor.dtype());
    if (value < range.min || value > range.max) {
      return Lexer::error_at(token.position,
                             cat(value, " does not fit ", numerics::dtype_name(tensor.dtype())));
    }
  }
  tensor.set_from_int64(i, value);
  return {};
}

Status set_element(Tensor& tensor, int64_t i, const Token& token) {
  const DType dtype = tensor.dtype();
  if (dtype == DType::kBool) {
    if (!token.is_word("true") && !token.is_word("false")) {
      return Lexer::expected("true or false", token);
    }
    tensor.set_from_int64(i, token.text == "true" ? 1 : 0);
    return {};
  }
  if (numerics::is_integer(dtype)) return set_integer(tensor, i, token);
  if (!numerics::is_floating_point(dtype)) {
    return Lexer::expected("base64\"...\"", token);
  }
  if (dtype == DType::kFloat64) {
    OCTET_ASSIGN(const auto value, real_from<double>(token));
    tensor.set_from_double(i, value);
  } else {
    OCTET_ASSIGN(const auto value, real_from<float>(token));
    tensor.set_from_double(i, static_cast<double>(value));
  }
  return {};
}

Result<Tensor> parse_elements(Lexer& lexer, DType dtype, std::vector<int64_t> shape) {
  const Position position = lexer.peek().position;
  // Elements are counted before the tensor is made: the shape may promise more than there is.
  std::vector<Token> tokens;
  if (shape.empty()) {
    tokens.push_back(lexer.next());
  } else {
    const auto element = [&]() -> Status {
      tokens.push_back(lexer.next());
      return {};
    };
    OCTET_TRY(parse_list(lexer, "[", "]", element));
  }
  if (dtype == DType::kString) {
    std::vector<std::string> strings;
    for (const Token& token : tokens) {
      if (token.kind != TokenKind::kString) return Lexer::expected("a string", token);
      strings.push_back(token.str());
    }
    return located(position, Tensor::of_strings(std::move(shape), std::move(strings)));
  }
  const Shape declared = Shape::of(shape);
  const auto count = declared.element_count();
  if (!count || static_cast<uint64_t>(*count) != tokens.size()) {
    return Lexer::error_at(position,
                           cat(tokens.size(), " elements for a shape of ", declared.to_string()));
  }
  OCTET_ASSIGN(Tensor tensor, located(position, Tensor::zeros(dtype, std::move(shape))));
  for (size_t i = 0; i < tokens.size(); ++i) {
    OCTET_TRY(set_element(tensor, static_cast<int64_t>(i), tokens[i]));
  }
  return tensor;
}

// --- attributes ------------------------------------------------------------------------------

template <typename T, typename ParseItem>
Result<Attribute> parse_items(Lexer& lexer, const ParseItem& parse_item) {
  std::vector<T> items;
  OCTET_TRY(parse_list(lexer, "[", "]", [&]() -> Status {
    OCTET_ASSIGN(T item, parse_item());
    items.push_back(std::move(item));
    return {};
  }));
  return Attribute(std::move(items));
}

// The first element tells the kind: it stands behind the '[' that the lexer shows.
Result<Attribute> parse_list_attribute(Lexer& lexer) {
  Lexer ahead = lexer;
  ahead.next();
  if (at_float(ahead)) {
    return parse_items<float>(lexer, [&] { return parse_float(lexer); });
  }
  switch (ahead.peek().kind) {
    case TokenKind::kInteger:
      return parse_items<int64_t>(lexer, [&] { return lexer.integer("an integer"); });
    case TokenKind::kString:
      return parse_items<std::string>(lexer, [&] { return lexer.string("a string"); });
    default:
      return ahead.expected(
          "a number or a string (an empty list is ints [], floats [] or "
          "strings [])");
  }
}

Result<Attribute> parse_opaque(Lexer& lexer) {
  OpaqueAttribute opaque;
  OCTET_ASSIGN(opaque.onnx_type, parse_int32(lexer, "the number of an attribute type"));
  OCTET_ASSIGN(opaque.bytes, parse_byte_string(lexer));
  return Attribute(std::move(opaque));
}

}  // namespace

Result<TensorType> parse_type(Lexer& lexer) {
  TensorType type;
  OCTET_ASSIGN(type.storage, parse_dtype(lexer));
  OCTET_ASSIGN(type.shape, parse_shape(lexer));
  if (lexer.accept_word("quant")) {
    OCTET_ASSIGN(type.quant, parse_quant(lexer, type.storage));
  }
  return type;
}

Result<Tensor> parse_data(Lexer& lexer, DType dtype, const Shape& shape) {
  const Position position = lexer.peek().position;
  if (!shape.is_static()) {
    return Lexer::error_at(position, cat("data for a shape of ", shape.to_string()));
  }
  if (lexer.peek().is_word("digest")) {
    return Lexer::error_at(position, "a summary has no data to read; print the graph in full");
  }
  if (!lexer.peek().is_word("base64")) return parse_elements(lexer, dtype, shape.extents());
  OCTET_ASSIGN(std::vector<std::byte> bytes, parse_bytes(lexer));
  return located(position, Tensor::from_bytes(dtype, shape.extents(), std::move(bytes)));
}

Result<Tensor> parse_tensor(Lexer& lexer) {
  OCTET_ASSIGN(const DType dtype, parse_dtype(lexer));
  OCTET_ASSIGN(const Shape shape, parse_shape(lexer));
  return parse_data(lexer, dtype, shape);
}

Result<std::vector<std::byte>> parse_bytes(Lexer& lexer) {
  OCTET_TRY(lexer.expect_word("base64"));
  OCTET_ASSIGN(const Token token, lexer.expect(TokenKind::kString, "a string of base64"));
  auto bytes = decode_base64(token.text);
  if (!bytes) return Lexer::error_at(token.position, "not well-formed base64");
  return std::move(*bytes);
}

Result<std::string> parse_byte_string(Lexer& lexer) {
  OCTET_ASSIGN(const std::vector<std::byte> bytes, parse_bytes(lexer));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

bool at_float(const Lexer& lexer) {
  const Token& token = lexer.peek();
  return token.kind == TokenKind::kFloat || token.kind == TokenKind::kBits ||
         token.is_word("inf") || token.is_word("nan");
}

Result<float> parse_float(Lexer& lexer) {
  if (!at_float(lexer)) return lexer.expected("a float such as 1.0");
  const Token token = lexer.next();
  if (token.kind != TokenKind::kBits) return real_from<float>(token);
  OCTET_ASSIGN(const auto bits, number_from<uint32_t>(token, 16));
  return std::bit_cast<float>(bits);
}

Result<Attribute> parse_attribute(Lexer& lexer) {
  const Token& token = lexer.peek();
  if (at_float(lexer)) {
    OCTET_ASSIGN(const float value, parse_float(lexer));
    return Attribute(value);
  }
  if (token.kind == TokenKind::kInteger) {
    OCTET_ASSIGN(const int64_t value, lexer.integer("an integer"));
    return Attribute(value);
  }
  if (token.kind == TokenKind::kString) return Attribute(lexer.next().str());
  if (token.is_punctuation("[")) return parse_list_attribute(lexer);
  if (lexer.accept_word("ints")) {
    return parse_items<int64_t>(lexer, [&] { return lexer.integer("an integer"); });
  }
  if (lexer.accept_word("floats")) {
    return parse_items<float>(lexer, [&] { return parse_float(lexer); });
  }
  if (lexer.accept_word("strings")) {
    return parse_items<std::string>(lexer, [&] { return lexer.string("a string"); });
  }
  if (lexer.accept_word("tensor")) {
    OCTET_ASSIGN(Tensor tensor, parse_tensor(lexer));
    return Attribute(TensorPtr(std::make_shared<const Tensor>(std::move(tensor))));
  }
  if (lexer.accept_word("opaque")) return parse_opaque(lexer);
  return lexer.expected("an attribute: a number, a string, a list, tensor, graph or opaque");
}

}  // namespace octet::ir
