#include "compiler/ir/parse.h"

#include <utility>

#include "compiler/base/names.h"
#include "compiler/ir/parse_parts.h"
#include "compiler/ir/verify.h"

namespace octet::ir {
namespace {

// A value as it stands where it is defined, before the graph has it.
struct Definition {
  std::string name;  // empty for an output that was not asked for
  TensorType type;
  std::string preserved;
  Position position;
};

// Graphs hold graphs, so parsing one may lead to parsing another; depth_ bounds that.
class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) {}

  Result<Graph> file();

 private:
  Result<ModelInfo> model();
  Status model_field(ModelInfo& info);
  Result<Graph> graph(ModelInfo info);
  Status statement(Graph& graph);
  Status input(Graph& graph);
  Status capture(Graph& graph);
  Status constant(Graph& graph);
  Status node(Graph& graph);
  Status captures(Graph& graph, Node& node, Position position);
  Status suffixes(Graph& graph, Node& node, Position position);
  Status attributes(Graph& graph, Node& node);
  Result<Attribute> body(Graph& graph);
  Result<Definition> definition();
  Result<std::vector<Definition>> outputs();
  Result<ValueId> reference(const Graph& graph);
  Result<Tensor> data(const TensorType& type);

  Lexer lexer_;
  int depth_ = 0;
};

Result<Graph> Parser::file() {
  ModelInfo info;
  if (lexer_.peek().is_word("model")) {
    OCTET_ASSIGN(info, model());
  }
  OCTET_ASSIGN(Graph out, graph(std::move(info)));
  if (lexer_.peek().kind != TokenKind::kEnd) return lexer_.expected("the end");
  OCTET_TRY(verify(out));
  return out;
}

// --- model -----------------------------------------------------------------------------------

Result<ModelInfo> Parser::model() {
  ModelInfo info;
  info.opset_imports.clear();
  OCTET_TRY(lexer_.expect_word("model"));
  OCTET_TRY(lexer_.expect("{"));
  while (!lexer_.accept("}")) OCTET_TRY(model_field(info));
  return info;
}

Status Parser::model_field(ModelInfo& info) {
  const Token key = lexer_.peek();
  if (key.kind != TokenKind::kIdentifier) return lexer_.expected("a field of the model or '}'");
  lexer_.next();
  if (key.text == "preserved") {
    OCTET_ASSIGN(info.preserved, parse_byte_string(lexer_));
    return {};
  }
  std::string name;
  const bool keyed = key.text == "opset" || key.text == "metadata";
  if (keyed) {
    OCTET_ASSIGN(name, lexer_.string("a string"));
  }
  OCTET_TRY(lexer_.expect("="));
  if (key.text == "opset") {
    OCTET_ASSIGN(const int64_t version, lexer_.integer("a version"));
    if (!info.opset_imports.emplace(std::move(name), version).second) {
      return Lexer::error_at(key.position, "two versions for one domain");
    }
  } else if (key.text == "metadata") {
    OCTET_ASSIGN(std::string text, lexer_.string("a string"));
    info.metadata.emplace_back(std::move(name), std::move(text));
  } else if (key.text == "ir_version") {
    OCTET_ASSIGN(info.ir_version, lexer_.integer("a version"));
  } else if (key.text == "model_version") {
    OCTET_ASSIGN(info.model_version, lexer_.integer("a version"));
  } else if (key.text == "producer") {
    OCTET_ASSIGN(info.producer_name, lexer_.string("a string"));
  } else if (key.text == "producer_version") {
    OCTET_ASSIGN(info.producer_version, lexer_.string("a string"));
  } else if (key.text == "domain") {
    OCTET_ASSIGN(info.domain, lexer_.string("a string"));
  } else if (key.text == "doc") {
    OCTET_ASSIGN(info.doc_string, lexer_.string("a string"));
  } else {
    return Lexer::expected("a field of the model", key);
  }
  return {};
}

// --- graph -----------------------------------------------------------------------------------

Result<Graph> Parser::graph(ModelInfo info) {
  const Position position = lexer_.peek().position;
  OCTET_TRY(lexer_.expect_word("graph"));
  if (depth_ >= kMaxGraphDepth) {
    return Lexer::error_at(position, cat("graphs nested deeper than ", kMaxGraphDepth));
  }
  ++depth_;
  Graph out;
  out.model = std::move(info);
  OCTET_ASSIGN(out.name, lexer_.string("the name of the graph as a string"));
  OCTET_TRY(lexer_.expect("{"));
  if (lexer_.accept_word("doc")) {
    OCTET_ASSIGN(out.doc_string, lexer_.string("a string"));
  }
  if (lexer_.accept_word("preserved")) {
    OCTET_ASSIGN(out.preserved, parse_byte_string(lexer_));
  }
  while (!lexer_.accept("}")) OCTET_TRY(statement(out));
  --depth_;
  return out;
}

Status Parser::statement(Graph& graph) {
  const Token& token = lexer_.peek();
  if (token.kind == TokenKind::kName || token.is_word("_") || token.is_punctuation("(")) {
    return node(graph);
  }
  if (lexer_.accept_word("input")) return input(graph);
  if (lexer_.accept_word("capture")) return capture(graph);
  if (lexer_.accept_word("const")) return constant(graph);
  if (lexer_.accept_word("output")) {
    OCTET_ASSIGN(const ValueId id, reference(graph));
    graph.add_output(id);
    return {};
  }
  return lexer_.expected("input, capture, const, output, a node or '}'");
}

Result<Definition> Parser::definition() {
  Definition out;
  out.position = lexer_.peek().position;
  OCTET_ASSIGN(const Token token, lexer_.expect(TokenKind::kName, "a name such as %x"));
  out.name = token.str();
  if (out.name.empty()) return Lexer::error_at(out.position, "an empty name");
  if (lexer_.accept(":")) {
    OCTET_ASSIGN(out.type, parse_type(lexer_));
  }
  if (lexer_.accept_word("preserved")) {
    OCTET_ASSIGN(out.preserved, parse_byte_string(lexer_));
  }
  return out;
}

// A name that stands for a value already there.
Result<ValueId> Parser::reference(const Graph& graph) {
  OCTET_ASSIGN(const Token token, lexer_.expect(TokenKind::kName, "the name of a value"));
  const std::string name = token.str();
  const ValueId id = graph.find_value(name);
  if (!id.valid()) {
    return Lexer::error_at(token.position, cat("no value ", quote_name(name), " above this line"));
  }
  return id;
}

// What stands behind '='.
Result<Tensor> Parser::data(const TensorType& type) {
  if (lexer_.accept_word("tensor")) return parse_tensor(lexer_);
  return parse_data(lexer_, type.storage, type.shape);
}

Status Parser::input(Graph& graph) {
  OCTET_ASSIGN(Definition value, definition());
  OCTET_ASSIGN(const ValueId id,
               located(value.position, graph.add_input(std::move(value.name), value.type)));
  if (lexer_.accept("=")) {
    OCTET_ASSIGN(Tensor tensor, data(value.type));
    graph.set_constant(id, std::make_shared<const Tensor>(std::move(tensor)));
    graph.set_type(id, value.type);
  }
  graph.set_preserved(id, std::move(value.preserved));
  return {};
}

Status Parser::capture(Graph& graph) {
  OCTET_ASSIGN(Definition value, definition());
  OCTET_ASSIGN(const ValueId id,
               located(value.position, graph.add_capture(std::move(value.name), value.type)));
  graph.set_preserved(id, std::move(value.preserved));
  return {};
}

Status Parser::constant(Graph& graph) {
  OCTET_ASSIGN(Definition value, definition());
  OCTET_TRY(lexer_.expect("="));
  OCTET_ASSIGN(Tensor tensor, data(value.type));
  OCTET_ASSIGN(const ValueId id,
               located(value.position,
                       graph.add_constant(std::move(value.name),
                                          std::make_shared<const Tensor>(std::move(tensor)))));
  graph.set_type(id, value.type);
  graph.set_preserved(id, std::move(value.preserved));
  return {};
}

// --- node ------------------------------------------------------------------------------------

Result<std::vector<Definition>> Parser::outputs() {
  std::vector<Definition> out;
  if (lexer_.accept("(")) {
    OCTET_TRY(lexer_.expect(")"));
    return out;
  }
  do {
    if (lexer_.accept_word("_")) {
      out.emplace_back();
    } else {
      OCTET_ASSIGN(Definition value, definition());
      out.push_back(std::move(value));
    }
  } while (lexer_.accept(","));
  return out;
}

Status Parser::node(Graph& graph) {
  Node node;
  const Position position = lexer_.peek().position;
  OCTET_ASSIGN(std::vector<Definition> results, outputs());
  OCTET_TRY(lexer_.expect("="));
  OCTET_ASSIGN(node.op_type, lexer_.word("an operator"));
  if (lexer_.accept("::")) {
    node.domain = std::move(node.op_type);
    OCTET_ASSIGN(node.op_type, lexer_.word("an operator"));
  }
  OCTET_TRY(parse_list(lexer_, "(", ")", [&]() -> Status {
    ValueId id;
    if (!lexer_.accept_word("_")) {
      OCTET_ASSIGN(id, reference(graph));
    }
    node.inputs.push_back(id);
    return {};
  }));
  if (lexer_.peek().is_punctuation("{")) OCTET_TRY(attributes(graph, node));
  // Only now are the outputs there: a node cannot read what it makes.
  for (Definition& value : results) {
    ValueId id;
    if (!value.name.empty()) {
      OCTET_ASSIGN(id, located(value.position,
                               graph.add_value(std::move(value.name), std::move(value.type))));
      graph.set_preserved(id, std::move(value.preserved));
    }
    node.outputs.push_back(id);
  }
  OCTET_TRY(suffixes(graph, node, position));
  graph.add_node(std::move(node));
  return {};
}

Status Parser::attributes(Graph& graph, Node& node) {
  return parse_list(lexer_, "{", "}", [&]() -> Status {
    const Position position = lexer_.peek().position;
    OCTET_ASSIGN(std::string name, lexer_.word("the name of an attribute"));
    OCTET_TRY(lexer_.expect("="));
    const Token& token = lexer_.peek();
    const bool nested = token.is_word("graph") || token.is_word("model");
    OCTET_ASSIGN(Attribute attribute, nested ? body(graph) : parse_attribute(lexer_));
    if (!node.attributes.emplace(name, std::move(attribute)).second) {
      return Lexer::error_at(position, cat("attribute ", quote_name(name), " stands twice"));
    }
    return {};
  });
}

Result<Attribute> Parser::body(Graph& graph) {
  ModelInfo info;
  info.opset_imports = graph.model.opset_imports;
  if (lexer_.peek().is_word("model")) {
    OCTET_ASSIGN(info, model());
  }
  OCTET_ASSIGN(Graph out, this->graph(std::move(info)));
  return Attribute(GraphPtr(std::make_shared<const Graph>(std::move(out))));
}

Status Parser::captures(Graph& graph, Node& node, Position position) {
  if (lexer_.accept_word("captures")) {
    return parse_list(lexer_, "(", ")", [&]() -> Status {
      OCTET_ASSIGN(const ValueId id, reference(graph));
      node.implicit_inputs.push_back(id);
      return {};
    });
  }
  for (const GraphPtr& body : bodies(node)) {
    for (ValueId inner : body->captures()) {
      const std::string& name = body->value(inner).name;
      const ValueId id = graph.find_value(name);
      if (!id.valid()) {
        return Lexer::error_at(position, cat("a body of this node captures ", quote_name(name),
                                             ", and no such value is above it"));
      }
      node.implicit_inputs.push_back(id);
    }
  }
  return {};
}

Status Parser::suffixes(Graph& graph, Node& node, Position position) {
  OCTET_TRY(captures(graph, node, position));
  if (lexer_.accept_word("name")) {
    OCTET_ASSIGN(node.name, lexer_.string("a string"));
  }
  std::vector<std::string> origins = {display_name(graph, node)};
  if (lexer_.accept_word("from")) {
    origins.clear();
    OCTET_TRY(parse_list(lexer_, "[", "]", [&]() -> Status {
      OCTET_ASSIGN(std::string origin, lexer_.string("a string"));
      origins.push_back(std::move(origin));
      return {};
    }));
  }
  node.origins = std::move(origins);
  if (lexer_.accept_word("doc")) {
    OCTET_ASSIGN(node.doc_string, lexer_.string("a string"));
  }
  if (lexer_.accept_word("preserved")) {
    OCTET_ASSIGN(node.preserved, parse_byte_string(lexer_));
  }
  return {};
}

}  // namespace

Result<Graph> parse(std::string_view text) { return Parser(text).file(); }

}  // namespace octet::ir
