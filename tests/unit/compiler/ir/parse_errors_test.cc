#include <gtest/gtest.h>

#include <string>

#include "compiler/ir/parse.h"
#include "compiler/ir/print.h"
#include "tests/support/random_graph.h"

namespace octet::ir {
namespace {

// The error of a graph whose lines, from line 2, are these.
std::string error_of(std::string_view lines) {
  const auto graph = parse(cat("graph \"g\" {\n", lines, "\n}"));
  if (graph.ok()) return "parsed";
  EXPECT_EQ(graph.error().code(), ErrorCode::kMalformed);
  return graph.error().message();
}

std::string error_of_text(std::string_view text) {
  const auto graph = parse(text);
  return graph.ok() ? "parsed" : graph.error().message();
}

TEST(ParseErrors, OfTheFile) {
  EXPECT_EQ(error_of_text(""), "1:1: expected 'graph', found the end");
  EXPECT_EQ(error_of_text("graph g {}"),
            "1:7: expected the name of the graph as a string, found 'g'");
  EXPECT_EQ(error_of_text("graph \"g\" {"),
            "1:12: expected input, capture, const, output, a node or '}', found the end");
  EXPECT_EQ(error_of_text("graph \"g\" {}\n x"), "2:2: expected the end, found 'x'");
  EXPECT_EQ(error_of_text("model { flavour = 1 } graph \"g\" {}"),
            "1:9: expected a field of the model, found 'flavour'");
  EXPECT_EQ(error_of_text("model { opset \"\" = 7 opset \"\" = 8 }"),
            "1:22: two versions for one domain");
  EXPECT_EQ(error_of_text("model { ir_version 7 }"), "1:20: expected '=', found '7'");
  EXPECT_EQ(error_of_text("model { 7 }"), "1:9: expected a field of the model or '}', found '7'");
}

TEST(ParseErrors, OfValues) {
  EXPECT_EQ(error_of("input x"), "2:7: expected a name such as %x, found 'x'");
  EXPECT_EQ(error_of("input %\"\""), "2:7: an empty name");
  EXPECT_EQ(error_of("input %x\n  input %x"), "3:9: two values are called \"x\"");
  EXPECT_EQ(error_of("input %x: float33[1]"),
            "2:11: expected an element type such as float32, found 'float33'");
  EXPECT_EQ(error_of("input %x: float32"), "3:1: expected '[', found '}'");
  EXPECT_EQ(error_of("input %x: float32[1 2]"), "2:21: expected ',' or ']', found '2'");
  EXPECT_EQ(error_of("input %x: float32[-1]"), "2:19: a negative extent");
  EXPECT_EQ(error_of("input %x: float32[\"\"]"), "2:19: an extent with an empty name");
  EXPECT_EQ(error_of("input %x: float32[_]"),
            "2:19: expected an extent: a number, a name or ?, found '_'");
  EXPECT_EQ(error_of("input %x: float32[..., 1]"), "2:24: expected ']', found '1'");
  EXPECT_EQ(error_of("input %x: float32[1, ...]"),
            "2:22: expected an extent: a number, a name or ?, found '...'");
  EXPECT_EQ(error_of("const %x: float32[1]"), "3:1: expected '=', found '}'");
  EXPECT_EQ(error_of("output %x"), "2:8: no value \"x\" above this line");
}

TEST(ParseErrors, OfConstants) {
  EXPECT_EQ(error_of("const %x: float32[2] = [1.0]"), "2:24: 1 elements for a shape of [2]");
  EXPECT_EQ(error_of("const %x: float32[2] = 1.0"), "2:24: expected '[', found '1.0'");
  EXPECT_EQ(error_of("const %x: float32[] = [1.0]"), "2:23: expected a number, found '['");
  EXPECT_EQ(error_of("const %x: float32[N] = [1.0]"), "2:24: data for a shape of [N]");
  EXPECT_EQ(error_of("const %x = [1.0]"), "2:12: data for a shape of [...]");
  EXPECT_EQ(error_of("const %x: int8[2] = [1, 128]"), "2:25: 128 does not fit int8");
  EXPECT_EQ(error_of("const %x: int8[1] = [1.5]"), "2:22: expected an integer, found '1.5'");
  EXPECT_EQ(error_of("const %x: uint64[1] = [-1]"), "2:24: the number -1 is out of range");
  EXPECT_EQ(error_of("const %x: float32[] = 1e99"), "2:23: the number 1e99 is out of range");
  EXPECT_EQ(error_of("const %x: bool[] = 1"), "2:20: expected true or false, found '1'");
  EXPECT_EQ(error_of("const %x: string[] = 1"), "2:22: expected a string, found '1'");
  EXPECT_EQ(error_of("const %x: complex64[] = 1"), "2:25: expected base64\"...\", found '1'");
  EXPECT_EQ(error_of("const %x: int8[] = base64\"A\""), "2:26: not well-formed base64");
  EXPECT_EQ(error_of("const %x: int8[2] = base64\"AA==\""),
            "2:21: 1 bytes of data for int8[2], which needs 2");
  EXPECT_EQ(error_of("const %x: int8[1] = tensor int8[2] [1, 2]"),
            "value \"x\" of type int8[1] has a constant of type int8[2] [V10]");
}

TEST(ParseErrors, HugeShapesAllocateNothing) {
  EXPECT_EQ(error_of("const %x: float32[4294967296,4294967296] = []"),
            "2:44: 0 elements for a shape of [4294967296,4294967296]");
  EXPECT_EQ(error_of("const %x: float32[1000000000000] = [1.0]"),
            "2:36: 1 elements for a shape of [1000000000000]");
  EXPECT_EQ(error_of("const %x: float32[9223372036854775807] = base64\"\"").substr(0, 6), "2:42: ");
}

TEST(ParseErrors, OfQuantizationParameters) {
  EXPECT_EQ(error_of("input %x: int8[1] quant(scale = -1.0)").substr(0, 6), "2:24: ");
  EXPECT_EQ(error_of("input %x: int8[1] quant()"), "2:24: no scale [Q1]");
  EXPECT_EQ(error_of("input %x: int8[1] quant(colour = 1)"),
            "2:25: expected scale, zero_point, axis, block, range or storage, found 'colour'");
  EXPECT_EQ(error_of("input %x: int8[1] quant(scale = 1.0, zero_point = 3000000000)"),
            "2:51: an integer beyond 32 bits");
  EXPECT_EQ(error_of("input %x: int8[64] quant(axis = 0, scale = [1.0, 1.0])"),
            "value \"x\": 2 scales for an axis of extent 64 [Q4] [V11]");
}

TEST(ParseErrors, OfNodes) {
  EXPECT_EQ(error_of("input %x\n%y = Relu(%z)"), "3:11: no value \"z\" above this line");
  EXPECT_EQ(error_of("%y = Relu(%y)"), "2:11: no value \"y\" above this line");
  EXPECT_EQ(error_of("%a = Relu(%b)\n%b = Relu(%a)"), "2:11: no value \"b\" above this line");
  EXPECT_EQ(error_of("%y = Relu %x"), "2:11: expected '(', found the name \"x\"");
  EXPECT_EQ(error_of("%y, = Relu()"), "2:5: expected a name such as %x, found '='");
  EXPECT_EQ(error_of("%y = _()"), "2:6: expected an operator, found '_'");
  EXPECT_EQ(error_of("%y = Relu(1.0)"), "2:11: expected the name of a value, found '1.0'");
  EXPECT_EQ(error_of("input %x\n%y = Relu(%x,)"), "3:14: expected the name of a value, found ')'");
  EXPECT_EQ(error_of("%y = Op() from []"),
            "node \"y\" (Op) does not say which nodes it stands for [V9]");
  EXPECT_EQ(error_of("%y = Op() from [\"a\"] name \"b\""),
            "2:22: expected input, capture, const, output, a node or '}', found 'name'");
}

TEST(ParseErrors, OfAttributes) {
  EXPECT_EQ(error_of("%y = Op() {a = []}"),
            "2:17: expected a number or a string (an empty list is ints [], floats [] or "
            "strings []), found ']'");
  EXPECT_EQ(error_of("%y = Op() {a = [1, 2.0]}"), "2:20: expected an integer, found '2.0'");
  EXPECT_EQ(error_of("%y = Op() {a = [1.0, 2]}"), "2:22: expected a float such as 1.0, found '2'");
  EXPECT_EQ(error_of("%y = Op() {a = 1, a = 2}"), "2:19: attribute \"a\" stands twice");
  EXPECT_EQ(error_of("%y = Op() {a = 99999999999999999999}"), "2:16: an integer beyond 64 bits");
  EXPECT_EQ(error_of("%y = Op() {a = 0x1ffffffff}"),
            "2:16: the number 0x1ffffffff is out of range");
  EXPECT_EQ(error_of("%y = Op() {a = 0x}"), "2:16: the number 0x is out of range");
  EXPECT_EQ(error_of("%y = Op() {a = %x}"),
            "2:16: expected an attribute: a number, a string, a list, tensor, graph or opaque, "
            "found the name \"x\"");
  EXPECT_EQ(error_of("%y = Op() {a = opaque 1 \"x\"}"),
            "2:25: expected 'base64', found the string \"x\"");
}

TEST(ParseErrors, OfBodies) {
  EXPECT_EQ(error_of("%y = Op() {a = graph \"b\" { capture %x }}"),
            "2:1: a body of this node captures \"x\", and no such value is above it");
  EXPECT_EQ(error_of("input %x\n%y = Op() {a = graph \"b\" { capture %x }} captures()"),
            "node \"y\" (Op) has 0 implicit inputs for 1 captures of its body graphs [V12]");
  EXPECT_EQ(error_of("%y = Op() {a = graph \"b\" { %z = Op() from [] }}"),
            "node \"y\" (Op), \"a\": node \"z\" (Op) does not say which nodes it stands for [V9]");
}

TEST(ParseErrors, NestingIsBounded) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "%y = Op() {a = graph \"b\" { ";
  const std::string message = error_of(text);
  EXPECT_NE(message.find(": graphs nested deeper than 32"), std::string::npos) << message;
  EXPECT_NE(error_of(std::string(100000, '[')), "parsed");
  EXPECT_NE(error_of("%y = Op() {a = " + std::string(100000, '[')), "parsed");
}

// Neither a cut nor a changed byte may crash, and what still parses must be a good graph.
TEST(ParseErrors, DamagedTextIsRefusedOrIsAGraph) {
  octet::testing::Random random(3);
  for (uint64_t seed = 0; seed < 6; ++seed) {
    const std::string text =
        print(octet::testing::random_graph(seed, {octet::testing::RandomContent::kAnything, 8}));
    const size_t step = text.size() / 150 + 1;
    for (size_t cut = 0; cut < text.size() - 2; cut += step) {
      EXPECT_FALSE(parse(std::string_view(text).substr(0, cut)).ok()) << cut;
    }
    for (int i = 0; i < 300; ++i) {
      std::string damaged = text;
      for (int64_t k = random.below(3); k >= 0; --k) {
        const auto at = static_cast<size_t>(random.below(static_cast<int64_t>(text.size())));
        if (random.one_in(3)) {
          damaged.erase(at, static_cast<size_t>(1 + random.below(5)));
        } else if (random.one_in(2)) {
          damaged.insert(at, text.substr(at / 2, static_cast<size_t>(random.below(20))));
        } else {
          damaged[at] = static_cast<char>(random.below(256));
        }
        if (damaged.size() < text.size()) damaged.resize(text.size(), ' ');
      }
      const auto graph = parse(damaged);
      if (!graph.ok()) continue;
      const auto back = parse(print(*graph));
      ASSERT_TRUE(back.ok()) << back.error().message();
      EXPECT_TRUE(*back == *graph);
    }
  }
}

}  // namespace
}  // namespace octet::ir
