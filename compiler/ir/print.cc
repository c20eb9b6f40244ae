#include "compiler/ir/print.h"

#include <utility>

#include "compiler/ir/literals.h"
#include "compiler/ir/parse.h"
#include "compiler/ir/print_parts.h"

namespace octet::ir {
namespace {

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
    append_type(out_, value.type);
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
  const auto* nested = std::get_if<GraphPtr>(&attribute);
  if (nested != nullptr && *nested != nullptr) {
    body(**nested, graph);
  } else {
    append_attribute(out_, attribute, options_);
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
