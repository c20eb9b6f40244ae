#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "compiler/ir/parse.h"
#include "compiler/ir/print.h"
#include "compiler/ir/verify.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_graph.h"

namespace octet::ir {
namespace {

using octet::testing::must;
using octet::testing::random_graph;
using octet::testing::RandomContent;

constexpr std::string_view kModel = "model { ir_version = 8 opset \"\" = 17 }\n";

void expect_round_trip(const Graph& graph) {
  const std::string text = print(graph);
  const auto back = parse(text);
  ASSERT_TRUE(back.ok()) << back.error().message() << "\n" << text;
  EXPECT_TRUE(*back == graph) << text;
  EXPECT_EQ(print(*back), text);
}

// `lines` are those of a graph "g".
std::string in_graph(std::string_view lines) {
  return cat(kModel, "graph \"g\" {\n", lines, "}\n");
}

// Text that is already as the printer writes it.
void expect_canonical(std::string_view lines) {
  const std::string text = in_graph(lines);
  const auto graph = parse(text);
  ASSERT_TRUE(graph.ok()) << graph.error().message() << "\n" << text;
  EXPECT_EQ(print(*graph), text);
  expect_round_trip(*graph);
}

TEST(PrintParse, APlainNetworkReadsWell) {
  expect_canonical(R"(  input %x: float32[N,3,4,4]
  const %w: float32[2,3,1,1] = [0.1, -0.5, 1.0, 2.5, 1e-07, -0.0]
  const %lo: float32[] = 0.0
  %y: float32[N,2,4,4] = Conv(%x, %w) {group = 1, pads = [0, 0, 0, 0]} name "Conv_0"
  %z: float32[N,2,4,4] = Clip(%y, %lo, _) from ["Clip_1", "Relu_2"]
  output %z
)");
}

TEST(PrintParse, ModelFieldsAreAllKept) {
  ModelInfo info;
  info.ir_version = 10;
  info.opset_imports = {{"", 20}, {"com.microsoft", 1}, {"odd \"one\"", -3}};
  info.producer_name = "pytorch";
  info.producer_version = "2.1 \xFF";
  info.domain = "org.example";
  info.model_version = -7;
  info.doc_string = "two\nlines";
  info.metadata = {{"b", "1"}, {"a", ""}, {"b", "2"}};
  info.preserved = std::string("\0\x01\xFF", 3);
  Graph graph;
  graph.name = "odd \"name\"\n";
  graph.doc_string = "what it does";
  graph.preserved = "fields";
  graph.model = info;
  expect_round_trip(graph);
  EXPECT_EQ(parse(print(graph))->model, info);
}

TEST(PrintParse, WithoutModelTheDefaultsHold) {
  const auto graph = parse("graph \"g\" {}");
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph->model, ModelInfo());
}

TEST(PrintParse, TypesOfAllKinds) {
  expect_canonical(R"(  input %a
  input %b: float32[...]
  input %c: undefined[1,?]
  input %d: bfloat16[]
  input %e: float32[N,"batch size","?","_",0]
  input %f: uint4[8] quant(scale = 0.5)
  input %g: int8[2,3] quant(axis = 0, scale = [0.1, 0.25], range = [-127, 127])
  input %h: uint8[2] quant(axis = 0, scale = [0.1, 0.25], zero_point = 128)
  input %i: int8[2] quant(axis = 0, scale = [0.1, 0.25], zero_point = [1, -1])
  input %j: int4[4,2] quant(axis = 0, block = 2, scale = [1.0, 2.0, 3.0, 4.0])
  input %k: int32[...] quant(scale = 1e-05)
  output %a
)");
}

TEST(PrintParse, ConstantsOfAllTypes) {
  expect_canonical(R"(  const %a: int64[3] = [-9223372036854775808, 0, 9223372036854775807]
  const %b: uint64[1] = [18446744073709551615]
  const %c: bool[2] = [true, false]
  const %d: string[2] = ["a", "\x00\"é"]
  const %e: string[] = ""
  const %f: float64[2] = [0.1, 1e+300]
  const %g: float16[2] = [0.5, 65504.0]
  const %h: int4[3] = [-8, 7, 0]
  const %i: float32[3] = [inf, -inf, nan]
  const %j: float32[0,5] = []
  const %k: complex64[1] = base64"AACAPwAAAEA="
  const %l: uint8[17] = base64"AAECAwQFBgcICQoLDA0ODxA="
  const %m: bfloat16[2] = [1.5, nan]
  const %n: int8[] = -128
)");
}

TEST(PrintParse, BytesThatNumbersCannotSayAreKept) {
  Graph graph;
  const auto add = [&](std::string name, DType dtype, std::vector<int64_t> shape,
                       std::vector<std::byte> bytes) {
    must(graph.add_constant(std::move(name), std::make_shared<const Tensor>(
                                                 must(Tensor::from_bytes(dtype, shape, bytes)))));
  };
  add("nan", DType::kFloat32, {1}, {std::byte{1}, std::byte{0}, std::byte{0xC0}, std::byte{0xFF}});
  add("half_nan", DType::kFloat16, {1}, {std::byte{1}, std::byte{0x7C}});
  add("bool", DType::kBool, {1}, {std::byte{2}});
  add("padding", DType::kInt4, {1}, {std::byte{0xF1}});
  add("float8", DType::kFloat8E5M2, {3}, {std::byte{0x7D}, std::byte{0x7E}, std::byte{0xFF}});
  expect_round_trip(graph);
}

TEST(PrintParse, AttributesOfAllKinds) {
  expect_canonical(R"(  input %x
  %y = Op(%x) {a = 1, b = 1.0, c = "s", d = [1, -2], e = [1.0, nan], f = ["", "\xff"], g = ints [], h = floats [], i = strings [], j = tensor float32[2] [1.0, 2.0], k = tensor string[] "s", l = opaque 11 base64"AAE=", "odd key" = -0.0, z = [0xffc00001, -inf]}
  output %y
)");
}

TEST(PrintParse, FloatsReadBackBitByBit) {
  octet::testing::Random random(7);
  std::vector<float> floats = {0.0F,
                               -0.0F,
                               std::numeric_limits<float>::denorm_min(),
                               -std::numeric_limits<float>::denorm_min(),
                               std::numeric_limits<float>::min(),
                               std::numeric_limits<float>::max(),
                               16777216.0F,
                               1e22F};
  for (int i = 0; i < 20000; ++i) {
    floats.push_back(std::bit_cast<float>(static_cast<uint32_t>(random.bits())));
  }
  Graph graph;
  Node node;
  node.op_type = "Op";
  node.name = "n";
  node.origins = {"n"};
  node.attributes["f"] = floats;
  graph.add_node(node);
  const auto back = parse(print(graph));
  ASSERT_TRUE(back.ok()) << back.error().message();
  const auto list = floats_attribute(back->node(back->order()[0]), "f");
  ASSERT_EQ(list.size(), floats.size());
  for (size_t i = 0; i < list.size(); ++i) {
    EXPECT_EQ(std::bit_cast<uint32_t>(list[i]), std::bit_cast<uint32_t>(floats[i])) << i;
  }
}

TEST(PrintParse, DoublesReadBackBitByBit) {
  octet::testing::Random random(8);
  for (int i = 0; i < 300; ++i) {
    std::vector<double> doubles;
    for (int k = 0; k < 8; ++k) doubles.push_back(std::bit_cast<double>(random.bits()));
    doubles.push_back(std::numeric_limits<double>::denorm_min());
    Graph graph;
    must(graph.add_constant("c", std::make_shared<const Tensor>(Tensor::of<double>({9}, doubles))));
    expect_round_trip(graph);
  }
}

TEST(PrintParse, NodesOfAllForms) {
  expect_canonical(R"(  input %x
  () = Sink(%x) from ["sink"]
  _ = Op() from ["nothing at all"]
  %a: float32[1], _, %b = com.microsoft::Split3(%x, _, %x, _) name "s" from ["s", "t"] doc "d\n" preserved base64"AA=="
  %c preserved base64"AQI=" = "odd domain"::"odd op"(%a)
  %"odd name": int8[1] = "_"(%c, %b) name "%q"
  output %"odd name"
)");
}

TEST(PrintParse, InputsMayHaveDefaults) {
  expect_canonical(R"(  input %a: float32[2] = [1.0, 2.0]
  input %b: float32[N] preserved base64"AA==" = tensor float32[2] [1.0, 2.0]
  const %c: int8[2] quant(scale = 0.5) = [1, 2]
  output %a
)");
}

TEST(PrintParse, BodyGraphsCapture) {
  expect_canonical(R"(  input %c: bool[]
  input %x: float32[2]
  %y: float32[2] = If(%c) {else_branch = graph "e" {
    capture %x: float32[2]
    %p: float32[2] = Neg(%x)
    output %p
  }, then_branch = graph "t" {
    capture %x: float32[2]
    capture %c: bool[]
    output %x
  }} name "If_0"
  %z: float32[2] = If(%c) {else_branch = graph "e" {
    capture %other: float32[2]
    output %other
  }, then_branch = model { ir_version = 3 opset "" = 9 } graph "t" {
    const %k: float32[] = 1.0
    output %k
  }} captures(%y) name "If_1"
  output %z
)");
}

TEST(PrintParse, BodiesInBodies) {
  std::string text = "capture %x: float32[2]\noutput %x\n";
  for (int i = 0; i < 10; ++i) {
    text = cat("capture %x: float32[2] %y = Do(%x) {body = graph \"b\" {", text, "}} output %y");
  }
  text.replace(0, 7, "input");
  const auto graph = parse(in_graph(text));
  ASSERT_TRUE(graph.ok()) << graph.error().message();
  expect_round_trip(*graph);
}

TEST(PrintParse, BlanksAndCommentsDoNotMatter) {
  const auto a = parse("graph\"g\"{input%x:float32[1]%y=Relu(%x)output%y}");
  const auto b = parse(
      "# a graph\ngraph \"g\" { input %x :\nfloat32 [ 1 ] # c\n%y=Relu ( %x )\n"
      "output %y }\n#");
  ASSERT_TRUE(a.ok()) << a.error().message();
  ASSERT_TRUE(b.ok()) << b.error().message();
  EXPECT_TRUE(*a == *b);
}

TEST(Print, SummaryHasADigestInPlaceOfLargeConstants) {
  Graph graph;
  graph.name = "g";
  const auto constant = [&](std::string name, std::vector<float> values) {
    const auto count = static_cast<int64_t>(values.size());
    must(graph.add_constant(std::move(name),
                            std::make_shared<const Tensor>(Tensor::of<float>({count}, values))));
  };
  constant("small", std::vector<float>(2, 1.0F));
  constant("a", std::vector<float>(17, 1.0F));
  constant("b", std::vector<float>(17, 2.0F));
  const std::string text = print(graph, {ConstantText::kSummary});
  EXPECT_NE(text.find("%small: float32[2] = [1.0, 1.0]"), std::string::npos) << text;
  const size_t a = text.find("%a: float32[17] = digest\"");
  const size_t b = text.find("%b: float32[17] = digest\"");
  ASSERT_NE(a, std::string::npos) << text;
  ASSERT_NE(b, std::string::npos) << text;
  EXPECT_NE(text.substr(a + 23, 18), text.substr(b + 23, 18));
  const auto back = parse(text);
  ASSERT_FALSE(back.ok());
  EXPECT_EQ(back.error().message(), "4:27: a summary has no data to read; print the graph in full");
  expect_round_trip(graph);
}

TEST(Print, EqualGraphsGiveEqualText) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(print(random_graph(seed)), print(random_graph(seed)));
    EXPECT_NE(print(random_graph(seed)), print(random_graph(seed + 1)));
  }
}

class RoundTrip : public ::testing::TestWithParam<int> {};

TEST_P(RoundTrip, OfRunnableRandomGraphs) {
  for (uint64_t i = 0; i < 100; ++i) {
    const Graph graph = random_graph(static_cast<uint64_t>(GetParam()) * 100 + i);
    ASSERT_TRUE(verify(graph).ok()) << verify(graph).error().message();
    expect_round_trip(graph);
    if (HasFailure()) return;
  }
}

TEST_P(RoundTrip, OfRandomGraphsOfAllKinds) {
  for (uint64_t i = 0; i < 100; ++i) {
    const Graph graph =
        random_graph(static_cast<uint64_t>(GetParam()) * 100 + i, {RandomContent::kAnything, 16});
    ASSERT_TRUE(verify(graph).ok()) << verify(graph).error().message();
    expect_round_trip(graph);
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RoundTrip, ::testing::Range(0, 5));

}  // namespace
}  // namespace octet::ir
