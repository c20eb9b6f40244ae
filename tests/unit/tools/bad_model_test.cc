// Models that cannot be quantized: what is said, and that nothing is written.
#include <unistd.h>

#include <cmath>
#include <limits>

#include "compiler/onnx/export.h"
#include "compiler/ops/schema.h"
#include "tests/support/graph_builder.h"
#include "tests/support/refusals.h"

namespace octet {
namespace {

using ::octet::test::file_bytes;
using ::octet::test::run_octet;
using ::octet::test::RunOptions;
using ::octet::testing::GraphBuilder;
using ::octet::testing::must;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

class BadModel : public test::Refusals {
 protected:
  std::string put(const std::string& bytes) const { return folder_.put("bad.onnx", bytes); }
  std::string put(const ir::Graph& graph) const { return put(must(onnx::export_model(graph))); }

  // Samples come from the input's own type, so that only the model can be at fault.
  void refused_model(int code, const std::string& path,
                     const std::vector<std::string>& parts) const {
    refused(code, quantize(path, "random:2"), parts);
  }
};

// `from` must be there; its first or last place is overwritten. Same length: nothing else moves.
enum class Place { kFirst, kLast };
std::string patched(std::string bytes, const std::string& from, const std::string& to,
                    Place place) {
  const size_t at = place == Place::kFirst ? bytes.find(from) : bytes.rfind(from);
  if (at == std::string::npos || from.size() != to.size()) throw std::runtime_error(from);
  return bytes.replace(at, to.size(), to);
}

TEST_F(BadModel, MissingFile) {
  refused_model(6, folder_.path("none.onnx"), {"none.onnx", "No such file", "check the path"});
}

TEST_F(BadModel, EmptyFile) { refused_model(3, put(""), {"bad.onnx", "not an ONNX model"}); }

TEST_F(BadModel, TextFile) {
  refused_model(3, put("This is a text file.\nIt has two lines.\n"),
                {"bad.onnx", "not an ONNX model"});
}

TEST_F(BadModel, Folder) { refused_model(6, folder_.path(), {folder_.path(), "is a folder"}); }

TEST_F(BadModel, NoPermission) {
  const std::string path = put(file_bytes(model()));
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(folder_.path("out"), std::filesystem::perms(0777));
  std::filesystem::permissions(path, std::filesystem::perms::none);
  RunOptions options;
  options.user = RunOptions::User::kNobodyIfRoot;
  const int code = run_octet({"--version"}, options).exit_code;
  if (code != 0) GTEST_SKIP() << "no other user may run the program here";
  refused(6, quantize(path, "random:2"),
          {"bad.onnx", "Permission denied; give this user the right to read it"}, options);
}

TEST_F(BadModel, CutAtTwoHundredPlaces) {
  const std::string whole = file_bytes(model());
  constexpr size_t kPlaces = 200;
  for (size_t i = 0; i < kPlaces; ++i) {
    const size_t length = whole.size() * i / kPlaces;
    SCOPED_TRACE(length);
    refused_model(3, put(whole.substr(0, length)), {"bad.onnx: not an ONNX model"});
    if (HasFailure()) return;
  }
}

TEST_F(BadModel, CutByAFewBytes) {
  const std::string whole = file_bytes(model());
  for (const size_t missing : {1, 2, 3, 5, 8, 13, 21, 34}) {
    refused_model(3, put(whole.substr(0, whole.size() - missing)), {"bad.onnx"});
  }
}

TEST_F(BadModel, CyclicGraph) {
  GraphBuilder b(ops::infer_node);
  const auto x = b.input("x", {1, 4});
  const auto other = b.input("other", {1, 4});
  const auto sum = b.op("Add", {x, other}, {}, "sum");
  b.output(b.op("Relu", {sum}, {}, "relu"), "final");
  // The first "other" is the operand of the Add: nodes come first in the file.
  const std::string bytes =
      patched(must(onnx::export_model(b.finish())), "other", "final", Place::kFirst);
  refused_model(3, put(bytes), {"bad.onnx", "cycle", "node \"sum\" (Add)"});
}

TEST_F(BadModel, NodeThatReadsItself) {
  GraphBuilder b(ops::infer_node);
  const auto x = b.input("alpha", {1, 4});
  b.output(b.op("Relu", {x}, {}, "relu"), "omega");
  const std::string bytes =
      patched(must(onnx::export_model(b.finish())), "alpha", "omega", Place::kFirst);
  refused_model(3, put(bytes), {"bad.onnx", "cycle", "node \"relu\" (Relu)"});
}

TEST_F(BadModel, InputNameUsedTwice) {
  GraphBuilder b(ops::infer_node);
  const auto x = b.input("first", {1, 4});
  b.input("again", {1, 4});
  b.output(b.op("Relu", {x}), "y");
  const std::string bytes =
      patched(must(onnx::export_model(b.finish())), "again", "first", Place::kLast);
  refused_model(3, put(bytes), {"bad.onnx", "\"first\"", "input"});
}

TEST_F(BadModel, ConvWithTheWrongRank) {
  GraphBuilder b;  // infers nothing, so that the graph can be made at all
  const auto x = b.input("x", {1, 3, 8, 8});
  const auto w = b.constant<float>("w", {4, 3, 1, 1, 1}, std::vector<float>(12, 0.5F));
  b.output(b.op("Conv", {x, w}, {}, "conv_7"), "y");
  refused_model(3, put(b.finish()), {"bad.onnx", "node \"conv_7\" (Conv)", "rank 5", "rank of 4"});
}

TEST_F(BadModel, SixtyThreeScalesForSixtyFourChannels) {
  GraphBuilder b;
  const auto x = b.input("x", {1, 3, 4, 4});
  const auto w = b.constant<int8_t>("w", {64, 3, 1, 1}, std::vector<int8_t>(192, 1));
  const auto scales = b.constant<float>("scales", {63}, std::vector<float>(63, 0.1F));
  const auto zeros = b.constant<int8_t>("zeros", {63}, std::vector<int8_t>(63, 0));
  const auto real =
      b.op("DequantizeLinear", {w, scales, zeros}, {{"axis", int64_t{0}}}, "dequantize");
  b.output(b.op("Conv", {x, real}, {}, "conv"), "y");
  refused_model(3, put(b.finish()),
                {"bad.onnx", "node \"dequantize\" (DequantizeLinear)", "63", "64"});
}

// Conv, BatchNormalization and Relu; the numbers of one of them can be spoilt.
struct Spoilt {
  float weight = 1.0F;
  float bias = 0.0F;
  float scale = 1.0F;
};

ir::Graph conv_net(const Spoilt& spoilt) {
  GraphBuilder b(ops::infer_node);
  const auto x = b.input("x", {1, 2, 4, 4});
  const auto w = b.constant<float>("w", {2, 2, 1, 1}, {1.0F, 0.5F, spoilt.weight, 2.0F});
  const auto bias = b.constant<float>("b", {2}, {0.0F, spoilt.bias});
  const auto conv = b.op("Conv", {x, w, bias}, {}, "conv");
  const auto scale = b.constant<float>("scale", {2}, {1.0F, spoilt.scale});
  const auto zero = b.constant<float>("zero", {2}, {0.0F, 0.0F});
  const auto one = b.constant<float>("one", {2}, {1.0F, 1.0F});
  const auto norm = b.op("BatchNormalization", {conv, scale, zero, zero, one}, {}, "norm");
  b.output(b.op("Relu", {norm}, {}, "relu"), "y");
  return b.finish();
}

TEST_F(BadModel, NanInAWeight) {
  Spoilt spoilt;
  spoilt.weight = kNan;
  refused_model(3, put(conv_net(spoilt)),
                {"bad.onnx", "node \"conv\" (Conv)", "\"w\"", "element 2 is NaN", "export"});
}

TEST_F(BadModel, InfinityInAWeight) {
  Spoilt spoilt;
  spoilt.weight = -kInfinity;
  refused_model(3, put(conv_net(spoilt)),
                {"bad.onnx", "node \"conv\" (Conv)", "\"w\"", "element 2 is infinite"});
}

TEST_F(BadModel, InfinityInABias) {
  Spoilt spoilt;
  spoilt.bias = kInfinity;
  refused_model(3, put(conv_net(spoilt)), {"node \"conv\" (Conv)", "\"b\"", "is infinite"});
}

TEST_F(BadModel, NanInABatchNorm) {
  Spoilt spoilt;
  spoilt.scale = kNan;
  refused_model(3, put(conv_net(spoilt)),
                {"node \"norm\" (BatchNormalization)", "\"scale\"", "is NaN"});
}

TEST_F(BadModel, NanInAWeightBehindAnotherNode) {
  GraphBuilder b(ops::infer_node);
  const auto x = b.input("x", {2, 2});
  const auto w = b.constant<float>("w", {2, 2}, {1.0F, kNan, 3.0F, 4.0F});
  const auto turned = b.op("Transpose", {w}, {{"perm", std::vector<int64_t>{1, 0}}}, "turn");
  b.output(b.op("Relu", {b.op("MatMul", {x, turned}, {}, "product")}), "y");
  refused_model(3, put(b.finish()), {"bad.onnx", "node \"product\" (MatMul)", "is NaN"});
}

// Every verb that leads to an int8 model refuses it.
TEST_F(BadModel, NanInAWeightStopsCalibrateToo) {
  Spoilt spoilt;
  spoilt.weight = kNan;
  refused(3, {"calibrate", put(conv_net(spoilt)), "--data", "random:2", "-q", "-o", out()},
          {"node \"conv\" (Conv)", "is NaN"});
}

// A mask of minus infinity is no weight.
TEST_F(BadModel, InfinityInAMaskIsWelcome) {
  GraphBuilder b(ops::infer_node);
  const auto x = b.input("x", {2, 2});
  const auto w = b.constant<float>("w", {2, 2}, {1.0F, 2.0F, 3.0F, 4.0F});
  const auto product = b.op("MatMul", {x, w}, {}, "product");
  const auto keep = b.constant(
      "keep",
      must(ir::Tensor::from_bytes(ir::DType::kBool, {2, 2},
                                  {std::byte{1}, std::byte{0}, std::byte{1}, std::byte{1}})));
  const auto mask = b.constant<float>("mask", {}, {-kInfinity});
  const auto masked = b.op("Where", {keep, product, mask}, {}, "where");
  b.output(b.op("Softmax", {masked}, {{"axis", int64_t{-1}}}, "softmax"), "y");
  const auto run = run_octet(quantize(put(b.finish()), "random:2"));
  EXPECT_EQ(run.exit_code, 0) << run.err;
}

TEST_F(BadModel, EveryVerbThatReadsAModelNamesTheFile) {
  const std::string cut = put(file_bytes(model()).substr(0, 1000));
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"inspect", cut},
                                             {"print", cut},
                                             {"calibrate", cut, "--data", "random:1", "-o", out()},
                                             {"run", cut, "--data", "random:1", "-o", out()},
                                             {"compare", model(), cut, "--data", "random:1"},
                                             {"compare", cut, model(), "--data", "random:1"}}) {
    refused(3, arguments, {"bad.onnx: not an ONNX model"});
  }
}

class QuantizedModel : public BadModel {
 protected:
  // 12 weights, 3 zero points and as many scales.
  std::string put_quantized() const {
    GraphBuilder b;
    const auto x = b.input("x", {1, 4});
    const auto scale = b.constant<float>("scale", {}, {0.1F});
    const auto zero = b.constant<int8_t>("zero", {}, {0});
    const auto w = b.constant<int8_t>("w", {4, 3}, std::vector<int8_t>(12, 1));
    const auto q = b.op("QuantizeLinear", {x, scale, zero}, {}, "quantize_x");
    const auto real = b.op("DequantizeLinear", {q, scale, zero}, {}, "dequantize_x");
    const auto weight = b.op("DequantizeLinear", {w, scale, zero}, {}, "dequantize_w");
    b.output(b.op("MatMul", {real, weight}, {}, "product"), "y");
    return put(b.finish());
  }
};

TEST_F(QuantizedModel, IsNotQuantizedAgain) {
  const std::string path = put_quantized();
  const std::vector<std::string> parts = {"bad.onnx", "\"quantize_x\" (QuantizeLinear)",
                                          "quantized already", "give the float model"};
  refused_model(4, path, parts);
  refused(4, {"calibrate", path, "--data", "random:2", "-q", "-o", out()}, parts);
  refused(4, {"plan", path, "--data", "random:2", "-q", "-o", out()}, parts);
}

TEST_F(QuantizedModel, IsShownAsWhatItIs) {
  const auto run = run_octet({"inspect", put_quantized()});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, ::testing::HasSubstr("quantized  already, by 3 nodes"));
  EXPECT_THAT(run.out, ::testing::HasSubstr("parameters 13\n"));  // the weight and the scale
}

TEST_F(BadModel, InspectSaysWhereQuantizeWillRefuse) {
  GraphBuilder b;
  const auto x = b.input("x", {1, 4});
  b.output(b.op("Frobnicate", {x}, {}, "strange"), "y");
  const std::string path = put(b.finish());
  const auto run = run_octet({"inspect", path});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, ::testing::HasSubstr("cannot run Frobnicate"));
  EXPECT_THAT(run.out, ::testing::HasSubstr("refuse the model at node \"strange\" (Frobnicate)"));
  EXPECT_THAT(run.out, ::testing::Not(::testing::HasSubstr("stays in float")));
  refused_model(4, path, {"node \"strange\" (Frobnicate)"});
}

}  // namespace
}  // namespace octet
