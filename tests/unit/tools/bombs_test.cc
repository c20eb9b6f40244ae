// Small models that ask for much: exit 5, the node's name, in under a second and 64 MiB.
#include "compiler/ir/parse.h"
#include "compiler/onnx/export.h"
#include "tests/support/graph_builder.h"
#include "tests/support/refusals.h"

namespace octet {
namespace {

using test::run_octet;
using test::RunResult;
using ::testing::HasSubstr;

struct Bomb {
  const char* name;
  std::string body;  // of a graph with input %x: float32[4] and output %y; the node is "bomb"
  std::vector<std::string> options = {};
  int opset = 18;
};
void PrintTo(const Bomb& bomb, std::ostream* out) { *out << bomb.name; }

// An int64 scalar and a vector of one that no pass can know: 2^40, made from data.
const std::string kHuge = R"(
  const %nothing: float32[] = 0
  const %power: float32[] = 1099511627776
  const %first: int64[1] = [0]
  %zeros = Mul(%x, %nothing)
  %sum = ReduceSum(%zeros) {keepdims = 0}
  %real = Add(%sum, %power)
  %huge = Cast(%real) {to = 7}
  %hugest = Unsqueeze(%huge, %first)
)";

// A loop over `body`, which carries %v: float32 from %x, without end.
std::string loop(const std::string& body, const std::string& carried) {
  return "%y = Loop(_, _, %x) {body = graph \"b\" { input %i: int64[] input %go: bool[] input %v: "
         "float32[" +
         carried + "] " + body + " output %go output %w }} name \"bomb\"";
}

const std::vector<Bomb> kBombs = {
    {"LoopWithoutEnd", loop("%w = Neg(%v)", "4")},
    {"LoopThatScans",
     "%last, %y = Loop(_, _, %x) {body = graph \"b\" { input %i: int64[] input %go: bool[] input "
     "%v: float32[4] %w = Neg(%v) %z = Neg(%v) output %go output %w output %z }} name \"bomb\""},
    {"LoopThatDoubles", loop("%w = Concat(%v, %v) {axis = 0}", "?"), {"--max-memory", "16MiB"}},
    {"LoopThatTiles",
     loop("const %r: int64[1] = [16] %w = Tile(%v, %r)", "?"),
     {"--max-memory", "16MiB"}},
    {"LoopThatPads",
     loop("const %p: int64[2] = [0, 100000] %w = Pad(%v, %p)", "?"),
     {"--max-memory", "16MiB"}},
    {"Expand",
     "const %s: int64[1] = [1099511627776] const %one: float32[1] = [1] "
     "%e = Expand(%one, %s) name \"bomb\" %y = ReduceSum(%e)"},
    {"ExpandOfInput",
     "const %s: int64[3] = [1048576, 1048576, 4] %y = Expand(%x, %s) name \"bomb\""},
    {"ExpandByData", kHuge + "const %four: int64[1] = [4] "
                             "%s = Concat(%hugest, %four) {axis = 0} "
                             "%y = Expand(%x, %s) name \"bomb\""},
    {"Range",
     "const %a: int64[] = 0 const %b: int64[] = 1099511627776 const %c: int64[] = 1 "
     "%y = Range(%a, %b, %c) name \"bomb\""},
    {"RangeByData", kHuge + "const %a: int64[] = 0 const %c: int64[] = 1 "
                            "%y = Range(%a, %huge, %c) name \"bomb\""},
    {"RangeOfFloats",
     "const %a: float32[] = 0 const %b: float32[] = 1e12 const %c: float32[] = "
     "0.001 %y = Range(%a, %b, %c) name \"bomb\""},
    {"Tile", "const %r: int64[1] = [1099511627776] %y = Tile(%x, %r) name \"bomb\""},
    {"TileByData", kHuge + "%y = Tile(%x, %hugest) name \"bomb\""},
    {"TileOverflow", "const %r: int64[1] = [4611686018427387904] %y = Tile(%x, %r) name \"bomb\""},
    {"Resize",
     "const %shape: int64[4] = [1, 1, 2, 2] const %scales: float32[4] = [1, 1, 1e6, 1e6] "
     "%i = Reshape(%x, %shape) %y = Resize(%i, _, %scales) {mode = \"nearest\"} name "
     "\"bomb\""},
    {"ResizeToSizes",
     "const %shape: int64[4] = [1, 1, 2, 2] const %sizes: int64[4] = [1, 1, 1048576, 1048576] "
     "%i = Reshape(%x, %shape) %y = Resize(%i, _, _, %sizes) {mode = \"linear\"} name \"bomb\""},
    {"ConstantOfShape",
     "const %s: int64[2] = [1048576, 1048576] %c = ConstantOfShape(%s) name \"bomb\" "
     "%y = ReduceSum(%c)"},
    {"ConstantOfShapeByData", kHuge + "%y = ConstantOfShape(%hugest) name \"bomb\""},
    {"OneHot", kHuge + "const %v: float32[2] = [0, 1] %i = Cast(%x) {to = 7} "
                       "%y = OneHot(%i, %huge, %v) name \"bomb\""},
    {"Pad", "const %p: int64[2] = [0, 1099511627776] %y = Pad(%x, %p) name \"bomb\""},
    {"PadByData", kHuge + "%p = Concat(%first, %hugest) {axis = 0} "
                          "%y = Pad(%x, %p) name \"bomb\""},
    {"MatMulOfColumns",
     "const %a: int64[2] = [1048576, 1] const %b: int64[2] = [1, 1048576] const %z: float32[1] = "
     "[1] "
     "%l = Expand(%z, %a) %r = Expand(%z, %b) %y = MatMul(%l, %r) name \"bomb\""},
    {"AddOfColumns",
     "const %a: int64[2] = [1048576, 1] const %b: int64[2] = [1, 1048576] const %z: float32[1] = "
     "[1] "
     "%l = Expand(%z, %a) %r = Expand(%z, %b) %y = Add(%l, %r) name \"bomb\""},
    {"GatherOfMany", kHuge + "const %a: int64[] = 0 const %c: int64[] = 1 "
                             "%i = Range(%a, %huge, %c) name \"bomb\" %y = Gather(%x, %i)"},
    {"Hann", "const %n: int64[] = 1099511627776 %y = HannWindow(%n) name \"bomb\""},
    {"Random", "%y = RandomNormal() {seed = 1.0, shape = [1048576, 1048576]} name \"bomb\""},
    {"ConvPads",
     "const %shape: int64[4] = [1, 1, 2, 2] const %w: float32[1, 1, 1, 1] = [1] "
     "%i = Reshape(%x, %shape) "
     "%y = Conv(%i, %w) {pads = [1000000, 1000000, 1000000, 1000000]} name \"bomb\""},
    {"PoolPads",
     "const %shape: int64[4] = [1, 1, 2, 2] %i = Reshape(%x, %shape) %y = AveragePool(%i) "
     "{kernel_shape = [1000002, 1000002], pads = [1000000, 1000000, 1000000, 1000000]} name "
     "\"bomb\""},
    {"NonZeroOfMany",
     "const %a: int64[1] = [1048576] const %z: float32[1] = [1] const %first: int64[1] = [0] "
     "%l = Expand(%z, %a) %n = NonZero(%l) %t = Transpose(%n) {perm = [1, 0]} "
     "%y = Add(%n, %t) name \"bomb\""},
    {"Einsum",
     "const %a: int64[1] = [1048576] const %z: float32[1] = [1] %l = Expand(%z, %a) "
     "%y = Einsum(%l, %l) {equation = \"i,j->ij\"} name \"bomb\""},
    {"CenterCropPad", kHuge + "%y = CenterCropPad(%x, %hugest) name \"bomb\""},
    {"AffineGrid",
     "const %t: float32[1, 2, 3] = [1, 0, 0, 0, 1, 0] const %s: int64[4] = [1, 1, 1048576, "
     "1048576] "
     "%y = AffineGrid(%t, %s) name \"bomb\"",
     {},
     20},
    {"Multinomial",
     "const %shape: int64[2] = [1, 4] %i = Reshape(%x, %shape) %y = Multinomial(%i) "
     "{seed = 1.0, sample_size = 1099511627776} name \"bomb\""},
    {"DFT",
     "const %shape: int64[3] = [1, 4, 1] const %n: int64[] = 1099511627776 "
     "%i = Reshape(%x, %shape) %y = DFT(%i, %n) name \"bomb\""},
    {"MelWeights",
     "const %m: int64[] = 1048576 const %d: int64[] = 2097152 const %r: int64[] = 44100 "
     "const %l: float32[] = 0 const %h: float32[] = 8000 "
     "%y = MelWeightMatrix(%m, %d, %r, %l, %h) name \"bomb\""},
    {"Col2Im",
     "const %shape: int64[3] = [1, 4, 1] const %s: int64[2] = [1048576, 1048576] "
     "const %b: int64[2] = [2, 2] %i = Reshape(%x, %shape) "
     "%y = Col2Im(%i, %s, %b) {strides = [1048576, 1048576]} name \"bomb\""},
    {"RoiAlign",
     "const %shape: int64[4] = [1, 1, 2, 2] const %r: float32[1, 4] = [0, 0, 1, 1] "
     "const %b: int64[1] = [0] %i = Reshape(%x, %shape) %y = RoiAlign(%i, %r, %b) "
     "{output_height = 1048576, output_width = 1048576} name \"bomb\""},
    {"ConvTransposeStride",
     "const %shape: int64[4] = [1, 1, 2, 2] const %w: float32[1, 1, 1, 1] = [1] "
     "%i = Reshape(%x, %shape) "
     "%y = ConvTranspose(%i, %w) {strides = [1000000, 1000000]} name \"bomb\""},
};

class Bombs : public ::testing::TestWithParam<Bomb> {
 protected:
  std::string model() const {
    const std::string text =
        cat("model { ir_version = 10 opset \"\" = ", GetParam().opset,
            " } graph \"bomb\" { input %x: float32[4] ", GetParam().body, " output %y }");
    const ir::Graph graph = testing::must(ir::parse(text));
    return folder_.put("bomb.onnx", testing::must(onnx::export_model(graph)));
  }

  void expect_refused(std::vector<std::string> arguments) const {
    const auto& options = GetParam().options;
    arguments.insert(arguments.end(), options.begin(), options.end());
    const RunResult run = run_octet(arguments);
    SCOPED_TRACE(arguments[0] + "\n" + run.err);
    EXPECT_EQ(run.exit_code, 5);
    EXPECT_EQ(run.error_lines(), 1U);
    EXPECT_THAT(run.err, HasSubstr("\"bomb\""));
#if !defined(__SANITIZE_ADDRESS__)
    EXPECT_LT(run.seconds, 1.0);
    EXPECT_LT(run.peak_bytes, int64_t{64} << 20);
#endif
  }

  test::DataFolder folder_;
};

TEST_P(Bombs, EndWithExitFiveAndTheNode) {
  const std::string path = model();
  expect_refused({"run", path, "--data", "random:1", "-q"});
  expect_refused({"run", path, "--data", "random:1", "-q", "--reference"});
  expect_refused({"calibrate", path, "--data", "random:1", "-q", "-o", folder_.path("statistics")});
  expect_refused({"quantize", path, "--data", "random:1", "-q", "-o", folder_.path("quantized")});
}

INSTANTIATE_TEST_SUITE_P(All, Bombs, ::testing::ValuesIn(kBombs),
                         [](const ::testing::TestParamInfo<Bomb>& info) {
                           return std::string(info.param.name);
                         });

}  // namespace
}  // namespace octet
