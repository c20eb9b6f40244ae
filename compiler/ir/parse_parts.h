// The parts of the text form that are not graphs: types, tensors, attributes. Also for the rules of
// patterns/, whose lines hold the same literals. The grammar is in parse.h; errors are kMalformed
// and begin with line:column.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "compiler/base/result.h"
#include "compiler/ir/attribute.h"
#include "compiler/ir/lexer.h"
#include "compiler/ir/tensor.h"
#include "compiler/ir/tensor_type.h"

namespace octet::ir {

// Puts a position in front of an error that was made without knowing it.
template <typename T>
Result<T> located(Position position, Result<T> result) {
  return std::move(result).in(cat(position.line, ":", position.column));
}

Result<TensorType> parse_type(Lexer& lexer);

// What stands behind a type: elements or bytes. The shape must be static.
Result<Tensor> parse_data(Lexer& lexer, DType dtype, const Shape& shape);

// Behind the word "tensor": a type and its data.
Result<Tensor> parse_tensor(Lexer& lexer);

// base64"..."
Result<std::vector<std::byte>> parse_bytes(Lexer& lexer);
Result<std::string> parse_byte_string(Lexer& lexer);

// True when the next token begins a float: 1.5, inf, nan, 0x7fc00001.
bool at_float(const Lexer& lexer);
Result<float> parse_float(Lexer& lexer);

// Every kind of attribute but graphs.
Result<Attribute> parse_attribute(Lexer& lexer);

// open [item {"," item}] close
template <typename Item>
Status parse_list(Lexer& lexer, std::string_view open, std::string_view close, const Item& item) {
  OCTET_TRY(lexer.expect(open));
  if (lexer.accept(close)) return {};
  do {
    OCTET_TRY(item());
  } while (lexer.accept(","));
  if (!lexer.accept(close)) return lexer.expected(cat("',' or '", close, "'"));
  return {};
}

}  // namespace octet::ir
