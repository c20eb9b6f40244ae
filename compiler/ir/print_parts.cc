#include "compiler/ir/print_parts.h"

#include <algorithm>
#include <limits>

#include "compiler/ir/literals.h"

namespace octet::ir {
namespace {

void append_dtype(std::string& out, DType dtype) {
  out += dtype == DType::kUndefined ? "undefined" : numerics::dtype_name(dtype);
}

void append_shape(std::string& out, const Shape& shape) {
  if (!shape.has_rank()) {
    out += "[...]";
    return;
  }
  out += '[';
  bool first = true;
  for (const Dim& dim : shape.dims()) {
    if (!std::exchange(first, false)) out += ',';
    if (dim.is_named()) {
      append_word(out, dim.name());
    } else {
      out += dim.to_string();
    }
  }
  out += ']';
}

// --- quantization parameters -----------------------------------------------------------------

void append_quant(std::string& out, const QuantParams& quant, DType storage) {
  out += " quant(";
  if (quant.storage() != storage) {
    out += "storage = ";
    append_dtype(out, quant.storage());
    out += ", ";
  }
  if (!quant.per_tensor()) out += cat("axis = ", quant.axis(), ", ");
  if (quant.granularity() == Granularity::kBlocked) {
    out += cat("block = ", quant.block_size(), ", ");
  }
  out += "scale = ";
  if (quant.per_tensor()) {
    append_float(out, quant.scales().front());
  } else {
    out += '[';
    append_list(out, quant.scales(), [&](float scale) { append_float(out, scale); });
    out += ']';
  }
  const std::vector<int32_t>& zero_points = quant.zero_points();
  const bool all_equal = std::all_of(zero_points.begin(), zero_points.end(),
                                     [&](int32_t z) { return z == zero_points.front(); });
  if (all_equal && zero_points.front() != 0) {
    out += cat(", zero_point = ", zero_points.front());
  } else if (!all_equal) {
    out += ", zero_point = [";
    append_list(out, zero_points, [&](int32_t z) { out += cat(z); });
    out += ']';
  }
  const numerics::IntegerRange range = numerics::integer_range(quant.storage());
  if (quant.qmin() != range.min || quant.qmax() != range.max) {
    out += cat(", range = [", quant.qmin(), ", ", quant.qmax(), "]");
  }
  out += ')';
}

// --- tensors ---------------------------------------------------------------------------------

void append_element(std::string& out, const Tensor& tensor, int64_t i) {
  switch (tensor.dtype()) {
    case DType::kString:
      return append_quoted(out, tensor.strings()[static_cast<size_t>(i)]);
    case DType::kBool:
      out += tensor.at_as_int64(i) != 0 ? "true" : "false";
      return;
    case DType::kFloat64:
      return append_double(out, tensor.at_as_double(i));
    case DType::kUint64:
      out += cat(static_cast<uint64_t>(tensor.at_as_int64(i)));
      return;
    default:
      if (numerics::is_integer(tensor.dtype())) {
        out += cat(tensor.at_as_int64(i));
      } else {
        append_float(out, static_cast<float>(tensor.at_as_double(i)));
      }
  }
}

// True when writing the elements as numbers loses nothing: not so for NaNs of unusual bits, a bool
// of 2, or bits that pad a packed type.
bool readable(const Tensor& tensor) {
  const DType dtype = tensor.dtype();
  if (dtype == DType::kString) return true;
  const bool numeric =
      numerics::is_integer(dtype) || numerics::is_floating_point(dtype) || dtype == DType::kBool;
  if (!numeric || tensor.element_count() > kReadableElements) return false;
  auto copy = Tensor::zeros(dtype, tensor.shape());
  if (!copy.ok()) return false;
  const bool integer = numerics::is_integer(dtype) || dtype == DType::kBool;
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    if (integer) {
      copy->set_from_int64(i, tensor.at_as_int64(i));
    } else {
      const double x = tensor.at_as_double(i);
      copy->set_from_double(i, x != x ? std::numeric_limits<double>::quiet_NaN() : x);
    }
  }
  return *copy == tensor;
}

}  // namespace

void append_bytes(std::string& out, std::string_view bytes) {
  out += "base64\"";
  append_base64(out, as_bytes(bytes));
  out += '"';
}

void append_preserved(std::string& out, const std::string& bytes) {
  if (bytes.empty()) return;
  out += " preserved ";
  append_bytes(out, bytes);
}

bool is_unknown(const TensorType& type) {
  return type.storage == DType::kUndefined && !type.shape.has_rank() && !type.quant;
}

void append_data(std::string& out, const Tensor& tensor, const PrintOptions& options) {
  if (readable(tensor)) {
    if (tensor.rank() == 0) return append_element(out, tensor, 0);
    out += '[';
    for (int64_t i = 0; i < tensor.element_count(); ++i) {
      if (i > 0) out += ", ";
      append_element(out, tensor, i);
    }
    out += ']';
  } else if (options.constants == ConstantText::kSummary &&
             tensor.element_count() > kReadableElements) {
    out += "digest\"";
    const uint64_t digest = content_digest(tensor.bytes());
    for (int shift = 60; shift >= 0; shift -= 4) {
      out += "0123456789abcdef"[(digest >> shift) & 15];
    }
    out += '"';
  } else {
    out += "base64\"";
    append_base64(out, tensor.bytes());
    out += '"';
  }
}

void append_tensor(std::string& out, const Tensor& tensor, const PrintOptions& options) {
  out += "tensor ";
  append_dtype(out, tensor.dtype());
  append_shape(out, Shape::of(tensor.shape()));
  out += ' ';
  append_data(out, tensor, options);
}

void append_type(std::string& out, const TensorType& type) {
  append_dtype(out, type.storage);
  append_shape(out, type.shape);
  if (type.quant) append_quant(out, *type.quant, type.storage);
}

void append_attribute(std::string& out, const Attribute& attribute, const PrintOptions& options) {
  const auto list = [&out](const auto& items, std::string_view kind, const auto& write) {
    if (items.empty()) out += cat(kind, " ");
    out += '[';
    append_list(out, items, write);
    out += ']';
  };
  if (const auto* i = std::get_if<int64_t>(&attribute)) {
    out += cat(*i);
  } else if (const auto* f = std::get_if<float>(&attribute)) {
    append_float(out, *f);
  } else if (const auto* s = std::get_if<std::string>(&attribute)) {
    append_quoted(out, *s);
  } else if (const auto* ints = std::get_if<std::vector<int64_t>>(&attribute)) {
    list(*ints, "ints", [&out](int64_t x) { out += cat(x); });
  } else if (const auto* floats = std::get_if<std::vector<float>>(&attribute)) {
    list(*floats, "floats", [&out](float x) { append_float(out, x); });
  } else if (const auto* strings = std::get_if<std::vector<std::string>>(&attribute)) {
    list(*strings, "strings", [&out](const std::string& x) { append_quoted(out, x); });
  } else if (const auto* opaque = std::get_if<OpaqueAttribute>(&attribute)) {
    out += cat("opaque ", opaque->onnx_type, " ");
    append_bytes(out, opaque->bytes);
  } else if (const auto* tensor = std::get_if<TensorPtr>(&attribute); tensor && *tensor) {
    append_tensor(out, **tensor, options);
  } else {
    out += "(null)";
  }
}

}  // namespace octet::ir
