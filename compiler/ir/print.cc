#include "compiler/ir/print.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "compiler/ir/literals.h"
#include "compiler/ir/parse.h"

namespace octet::ir {
namespace {

template <typename List, typename Write>
void append_list(std::string& out, const List& list, const Write& write) {
  bool first = true;
  for (const auto& item : list) {
    if (!std::exchange(first, false)) out += ", ";
    write(item);
  }
}

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
  if (quant.granularity() == Granularity::kBlocked) out += cat("block = ", quant.block_size(), ", ");
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
  const bool numeric = numerics::is_integer(dtype) || numerics::is_floating_point(dtype) ||
                       dtype == DType::kBool;
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

// --- graphs ----------------------------------------------------------------------------------

class Printer {
 public:
  explicit Printer(const PrintOptions& options) : options_(options) {}

  std::string file(const Graph& graph) {
    model(graph.model);
    out_ += '\n';
    this->graph(graph);
    out_ += '\n';
    return std::move(out_);
  }

 private:
  void line_start() { out_.append(2 * static_cast<size_t>(depth_), ' '); }

  void model(const ModelInfo& info);
  void graph(const Graph& graph);
  void body(const Graph& graph, const Graph& outer);
  void value(const Graph& graph, ValueId id);
  void constant(const Value& value);
  void operands(const Graph& graph, const std::vector<ValueId>& ids);
  void outputs(const Graph& graph, const Node& node);
  void attribute(const Graph& graph, const Attribute& attribute);
  void node(const Graph& graph, const Node& node);
  void suffixes(const Graph& graph, const Node& node);

  const PrintOptions& options_;
  std::string out_;
  int depth_ = 0;
};

void Printer::model(const ModelInfo& info) {
  std::vector<std::string> fields = {cat("ir_version = ", info.ir_version)};
  const auto text_field = [&](std::string_view key, const std::string& text) {
    if (text.empty()) return;
    fields.push_back(cat(key, " = "));
    append_quoted(fields.back(), text);
  };
  for (const auto& [domain, version] : info.opset_imports) {
    fields.emplace_back("opset ");
    append_quoted(fields.back(), domain);
    fields.back() += cat(" = ", version);
  }
  text_field("producer", info.producer_name);
  text_field("producer_version", info.producer_version);
  text_field("domain", info.domain);
  if (info.model_version != 0) fields.push_back(cat("model_version = ", info.model_version));
  const bool one_line = info.doc_string.empty() && info.metadata.empty() && info.preserved.empty();
  text_field("doc", info.doc_string);
  for (const auto& [key, text] : info.metadata) {
    fields.emplace_back("metadata ");
    append_quoted(fields.back(), key);
    fields.back() += " = ";
    append_quoted(fields.back(), text);
  }
  if (!info.preserved.empty()) {
    fields.emplace_back();
    append_preserved(fields.back(), info.preserved);
    fields.back().erase(0, 1);
  }
  out_ += "model {";
  ++depth_;
  for (const std::string& field : fields) {
    out_ += one_line ? ' ' : '\n';
    if (!one_line) line_start();
    out_ += field;
  }
  --depth_;
  out_ += one_line ? ' ' : '\n';
  if (!one_line) line_start();
  out_ += '}';
}

void Printer::value(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  append_name(out_, value.name);
  if (!is_unknown(value.type)) {
    out_ += ": ";
    append_dtype(out_, value.type.storage);
    append_shape(out_, value.type.shape);
    if (value.type.quant) append_quant(out_, *value.type.quant, value.type.storage);
  }
  append_preserved(out_, value.preserved);
}

void Printer::constant(const Value& value) {
  out_ += " = ";
  const Tensor& tensor = *value.constant;
  if (tensor.dtype() == value.type.storage && Shape::of(tensor.shape()) == value.type.shape) {
    append_data(out_, tensor, options_);
  } else {
    append_tensor(out_, tensor, options_);
  }
}

void Printer::operands(const Graph& graph, const std::vector<ValueId>& ids) {
  append_list(out_, ids, [&](ValueId id) {
    if (id.valid()) {
      append_name(out_, graph.value(id).name);
    } else {
      out_ += '_';
    }
  });
}

void Printer::graph(const Graph& graph) {
  out_ += "graph ";
  append_quoted(out_, graph.name);
  out_ += " {\n";
  ++depth_;
  const auto line = [this](const auto& write) {
    line_start();
    write();
    out_ += '\n';
  };
  if (!graph.doc_string.empty()) {
    line([&] {
      out_ += "doc ";
      append_quoted(out_, graph.doc_string);
    });
  }
  if (!graph.preserved.empty()) {
    line([&] {
      out_ += "preserved ";
      append_bytes(out_, graph.preserved);
    });
  }
  for (ValueId id : graph.inputs()) {
    line([&] {
      out_ += "input ";
      value(graph, id);
      if (graph.value(id).is_constant()) constant(graph.value(id));
    });
  }
  for (ValueId id : graph.captures()) {
    line([&] {
      out_ += "capture ";
      value(graph, id);
    });
  }
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const Value& candidate = graph.value(ValueId(i));
    if (!candidate.alive || !candidate.is_constant() || candidate.is_input) continue;
    line([&] {
      out_ += "const ";
      value(graph, ValueId(i));
      constant(candidate);
    });
  }
  for (NodeId id : graph.order()) {
    line([&] { node(graph, graph.node(id)); });
  }
  for (ValueId id : graph.outputs()) {
    line([&] {
      out_ += "output ";
      append_name(out_, graph.value(id).name);
    });
  }
  --depth_;
  line_start();
  out_ += '}';
}

void Printer::body(const Graph& body, const Graph& outer) {
  if (depth_ >= kMaxGraphDepth) {
    out_ += "(a graph nested too deep)";
    return;
  }
  ModelInfo implied;
  implied.opset_imports = outer.model.opset_imports;
  if (body.model != implied) {
    model(body.model);
    out_ += ' ';
  }
  graph(body);
}

void Printer::outputs(const Graph& graph, const Node& node) {
  if (node.outputs.empty()) out_ += "()";
  append_list(out_, node.outputs, [&](ValueId id) {
    if (id.valid()) {
      value(graph, id);
    } else {
      out_ += '_';
    }
  });
}

void Printer::attribute(const Graph& graph, const Attribute& attribute) {
  const auto list = [this](const auto& items, std::string_view kind, const auto& write) {
    if (items.empty()) out_ += cat(kind, " ");
    out_ += '[';
    append_list(out_, items, write);
    out_ += ']';
  };
  if (const auto* i = std::get_if<int64_t>(&attribute)) {
    out_ += cat(*i);
  } else if (const auto* f = std::get_if<float>(&attribute)) {
    append_float(out_, *f);
  } else if (const auto* s = std::get_if<std::string>(&attribute)) {
    append_quoted(out_, *s);
  } else if (const auto* ints = std::get_if<std::vector<int64_t>>(&attribute)) {
    list(*ints, "ints", [this](int64_t x) { out_ += cat(x); });
  } else if (const auto* floats = std::get_if<std::vector<float>>(&attribute)) {
    list(*floats, "floats", [this](float x) { append_float(out_, x); });
  } else if (const auto* strings = std::get_if<std::vector<std::string>>(&attribute)) {
    list(*strings, "strings", [this](const std::string& x) { append_quoted(out_, x); });
  } else if (const auto* opaque = std::get_if<OpaqueAttribute>(&attribute)) {
    out_ += cat("opaque ", opaque->onnx_type, " ");
    append_bytes(out_, opaque->bytes);
  } else if (const auto* tensor = std::get_if<TensorPtr>(&attribute); tensor && *tensor) {
    append_tensor(out_, **tensor, options_);
  } else if (const auto* nested = std::get_if<GraphPtr>(&attribute); nested && *nested) {
    body(**nested, graph);
  } else {
    out_ += "(null)";
  }
}

// What the parser takes for the implicit inputs when nothing is written.
bool captures_have_outer_names(const Graph& graph, const Node& node) {
  size_t next = 0;
  for (const GraphPtr& body : bodies(node)) {
    for (ValueId id : body ? body->captures() : std::vector<ValueId>()) {
      if (next >= node.implicit_inputs.size()) return false;
      const ValueId outer = node.implicit_inputs[next++];
      if (!outer.valid() || graph.value(outer).name != body->value(id).name) return false;
    }
  }
  return next == node.implicit_inputs.size();
}

void Printer::suffixes(const Graph& graph, const Node& node) {
  if (!captures_have_outer_names(graph, node)) {
    out_ += " captures(";
    operands(graph, node.implicit_inputs);
    out_ += ')';
  }
  if (!node.name.empty()) {
    out_ += " name ";
    append_quoted(out_, node.name);
  }
  Node anonymous = {};
  anonymous.name = node.name;
  anonymous.outputs = node.outputs;
  if (node.origins != std::vector<std::string>{display_name(graph, anonymous)}) {
    out_ += " from [";
    append_list(out_, node.origins, [this](const std::string& x) { append_quoted(out_, x); });
    out_ += ']';
  }
  if (!node.doc_string.empty()) {
    out_ += " doc ";
    append_quoted(out_, node.doc_string);
  }
  append_preserved(out_, node.preserved);
}

void Printer::node(const Graph& graph, const Node& node) {
  outputs(graph, node);
  out_ += " = ";
  if (!node.domain.empty()) {
    append_word(out_, node.domain);
    out_ += "::";
  }
  append_word(out_, node.op_type);
  out_ += '(';
  operands(graph, node.inputs);
  out_ += ')';
  if (!node.attributes.empty()) {
    out_ += " {";
    append_list(out_, node.attributes, [&](const auto& entry) {
      append_word(out_, entry.first);
      out_ += " = ";
      attribute(graph, entry.second);
    });
    out_ += '}';
  }
  suffixes(graph, node);
}

}  // namespace

std::string print(const Graph& graph, const PrintOptions& options) {
  return Printer(options).file(graph);
}

}  // namespace octet::ir
