// Writes the parts of the text form that are not graphs; parse_parts.h reads them.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "compiler/ir/attribute.h"
#include "compiler/ir/print.h"
#include "compiler/ir/tensor.h"
#include "compiler/ir/tensor_type.h"

namespace octet::ir {

// Items with ", " between them.
template <typename List, typename Write>
void append_list(std::string& out, const List& list, const Write& write) {
  bool first = true;
  for (const auto& item : list) {
    if (!std::exchange(first, false)) out += ", ";
    write(item);
  }
}

void append_bytes(std::string& out, std::string_view bytes);        // base64"..."
void append_preserved(std::string& out, const std::string& bytes);  // " preserved ..." unless empty

// float32[1,N,?] quant(...). Nothing at all is known of a type that is_unknown().
bool is_unknown(const TensorType& type);
void append_type(std::string& out, const TensorType& type);

// Elements or bytes, without the type; and "tensor" with it.
void append_data(std::string& out, const Tensor& tensor, const PrintOptions& options);
void append_tensor(std::string& out, const Tensor& tensor, const PrintOptions& options);

// Every kind of attribute but graphs; "(null)" for a tensor that is not there.
void append_attribute(std::string& out, const Attribute& attribute, const PrintOptions& options);

}  // namespace octet::ir
