// What summaries say of models with little or nothing to quantize, and recipes that reports print.
#include "compiler/ir/parse.h"
#include "compiler/onnx/export.h"
#include "nlohmann/json.hpp"
#include "tests/support/graph_builder.h"
#include "tests/support/refusals.h"

namespace octet {
namespace {

using Json = nlohmann::json;
using test::file_bytes;
using test::npy_bytes;
using test::raw;
using test::run_octet;
using ::testing::HasSubstr;
using ::testing::Not;

// Numbers of a constant or of data: a pattern without any symmetry.
std::vector<float> pattern(size_t count) {
  std::vector<float> out(count);
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<float>((i * 37 + i / 7) % 101) / 50 - 1;
  return out;
}

std::string constant(const std::string& name, const std::string& type, size_t count) {
  std::string out = cat("const %", name, ": ", type, " = [");
  const std::vector<float> values = pattern(count);
  for (size_t i = 0; i < count; ++i) out += cat(i > 0 ? ", " : "", values[i]);
  return out + "]\n";
}

class Summaries : public test::Refusals {
 protected:
  // A model of one input %x and one output %y.
  std::string put_model(const std::string& body,
                        const std::string& input = "float32[1, 2, 4, 4]") const {
    const std::string text =
        cat("model { ir_version = 10 opset \"\" = 18 } graph \"small\" { input %x: ", input, "\n",
            body, " output %y }");
    const ir::Graph graph = testing::must(ir::parse(text));
    return folder_.put("small.onnx", testing::must(onnx::export_model(graph)));
  }
  std::string one_conv() const {
    return put_model(constant("w", "float32[3, 2, 1, 1]", 6) + "%y = Conv(%x, %w) name \"conv\"\n");
  }
  std::string samples() const {
    return folder_.put("samples.npy", npy_bytes("<f4", "(8, 2, 4, 4)", raw(pattern(256))));
  }
  test::RunResult quantized(const std::string& model, const std::vector<std::string>& more = {}) {
    const auto run = run_octet(quantize(model, samples(), more));
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return run;
  }
};

TEST_F(Summaries, OtherFloatsAreListedWithTheCure) {
  for (const char* type : {"float16", "float64"}) {
    const std::string model =
        put_model(constant("w", cat(type, "[3, 2, 1, 1]"), 6) +
                  cat("%h = Cast(%x) {to = ", type == std::string("float16") ? 10 : 11, "}\n") +
                  "%z = Conv(%h, %w) name \"conv\"\n%y = Cast(%z) {to = 1}\n");
    const auto run = quantized(model);
    EXPECT_THAT(run.out, HasSubstr("0 of 1 products of weights"));
    EXPECT_THAT(run.out, HasSubstr("Conv: "));
    EXPECT_THAT(run.out, HasSubstr(type));
    EXPECT_THAT(run.out, HasSubstr("convert the model to float32 first"));
    EXPECT_THAT(run.out, HasSubstr("nothing was quantized"));
    EXPECT_THAT(run.out, Not(HasSubstr("200.0 dB")));
  }
}

TEST_F(Summaries, NothingQuantizedIsSaidPlainly) {
  const auto sine = quantized(put_model("%y = Sin(%x)\n"));
  EXPECT_THAT(sine.out, HasSubstr("nothing was quantized"));
  EXPECT_THAT(sine.out, HasSubstr("error      none"));
  const auto conv = quantized(one_conv());
  EXPECT_THAT(conv.out, Not(HasSubstr("nothing was quantized")));
  EXPECT_THAT(conv.out, HasSubstr(" dB SQNR"));
  const std::string recipe =
      folder_.put("r.textproto", "override { select { op_type: \"Conv\" } precision: FLOAT }");
  EXPECT_THAT(quantized(one_conv(), {"--recipe", recipe}).out, HasSubstr("nothing was quantized"));
}

TEST_F(Summaries, ProductsInBodiesAreCountedAsFloat) {
  const std::string model = put_model(
      constant("w", "float32[2, 2, 1, 1]", 4) + "const %zero: float32[] = 0\n" +
      "%a = Conv(%x, %w) name \"outside\"\n%s = ReduceSum(%a) {keepdims = 0}\n" +
      "%c = Greater(%s, %zero)\n" +
      "%y = If(%c) {then_branch = graph \"t\" { capture %a: float32[1, 2, 4, 4] " +
      constant("v", "float32[2, 2, 1, 1]", 4) +
      " %p = Conv(%a, %v) output %p }, else_branch = graph \"e\" { capture %a: float32[1, 2, 4, "
      "4] " +
      constant("u", "float32[2, 2, 1, 1]", 4) + " %q = Conv(%a, %u) output %q }} name \"if\"\n");
  const auto run = quantized(model, {"--json"});
  const Json plan = Json::parse(run.out, nullptr, false)["plan"];
  EXPECT_EQ(plan["products"], 3);
  EXPECT_EQ(plan["float"]["Conv: inside If"], 2) << run.out;
  const auto inspected = run_octet({"inspect", model});
  EXPECT_THAT(inspected.out, HasSubstr("stays float 2 x Conv: inside If"));
  EXPECT_THAT(inspected.out, HasSubstr("1 of 3 products"));
}

TEST_F(Summaries, NoLayerOfFourBitsIsNotCalledSo) {
  const auto run = quantized(one_conv(), {"--weights", "int4"});
  EXPECT_THAT(run.out, HasSubstr("0 layers have int4 weights (--narrow-layers all"));
  EXPECT_THAT(file_bytes(out()), Not(HasSubstr("octet.formats")));
  EXPECT_THAT(run_octet({"inspect", out()}).out, Not(HasSubstr("opset      21")));
  const auto all = quantized(one_conv(), {"--weights", "int4", "--narrow-layers", "all"});
  EXPECT_THAT(all.out, HasSubstr("1 layer has int4 weights"));
  EXPECT_THAT(file_bytes(out()), HasSubstr("octet.formats"));
}

TEST_F(Summaries, EveryRecipeThatAnalyzePrintsIsTaken) {
  const std::string chain =
      constant("w", "float32[3, 2, 1, 1]", 6) + constant("v", "float32[2, 3, 1, 1]", 6) +
      "%a = Conv(%x, %w) name \"first \\\"quoted\\\"\"\n%r = Relu(%a)\n%y = Conv(%r, %v)\n";
  // A few numbers far out, so that ranges are worth clipping.
  std::vector<float> values = pattern(256);
  for (const size_t i : {3U, 77U, 200U}) values[i] = 30.0F;
  const std::string spread = folder_.put("s.npy", npy_bytes("<f4", "(8, 2, 4, 4)", raw(values)));
  for (const bool single : {true, false}) {
    const std::string model = single ? one_conv() : put_model(chain);
    const auto analyzed =
        run_octet({"analyze", model, "--data", spread, "--effort", "fast", "--json", "-q"});
    ASSERT_EQ(analyzed.exit_code, 0) << analyzed.err;
    size_t tried = 0;
    const Json report = Json::parse(analyzed.out, nullptr, false);
    for (const Json& cure : report["cures"]) {
      for (const Json& field : cure) {
        if (!field.is_string()) continue;
        const auto text = field.get<std::string>();
        if (text.rfind("recipe: ", 0) != 0) continue;
        const std::string recipe = folder_.put("r.textproto", text.substr(8));
        const auto run =
            run_octet(quantize(model, spread, {"--effort", "fast", "--recipe", recipe}));
        EXPECT_EQ(run.exit_code, 0) << text << "\n" << run.err;
        ++tried;
      }
    }
    EXPECT_GT(tried, 0U) << analyzed.out;
  }
}

TEST_F(Summaries, ARangeOverrideReachesTheOutputOfTheModel) {
  const std::string recipe =
      folder_.put("r.textproto", "override { select { node: \"conv\" } range: \"percentile:60\" }");
  const auto range_of_output = [&](const std::vector<std::string>& more) {
    std::vector<std::string> plan = {"plan", one_conv(),  "--data",   samples(), "--effort", "fast",
                                     "-q",   "--backend", "openvino", "-o",      out("p")};
    plan.insert(plan.end(), more.begin(), more.end());
    EXPECT_EQ(run_octet(plan).exit_code, 0);
    return file_bytes(out("p"));
  };
  EXPECT_NE(range_of_output({}), range_of_output({"--recipe", recipe}));
}

TEST_F(Summaries, PlansSayInJsonWhatTheyAreOf) {
  const auto run = run_octet({"plan", one_conv(), "--data", samples(), "--effort", "fast", "--json",
                              "-q", "-o", out("p")});
  const Json json = Json::parse(run.out, nullptr, false);
  EXPECT_THAT(json["model"].get<std::string>(), HasSubstr("small.onnx"));
  EXPECT_EQ(json["backend"], "x86");
  EXPECT_EQ(json["samples"], 8);
}

TEST_F(Summaries, OneSample) {
  EXPECT_THAT(quantized(one_conv(), {"--samples", "1", "--effort", "fast"}).out,
              HasSubstr("calibrated on 1 sample\n"));
}

TEST_F(Summaries, AMetricCommandJudgesOnItsOwnData) {
  const auto run =
      quantized(one_conv(), {"--max-drop", "1", "--metric-command", "test -s {} && echo 4"});
  EXPECT_THAT(run.out, HasSubstr("metric 4 of 4, on the data of --metric-command"));
}

TEST_F(Summaries, StatisticsThatDoNotServeAreNamed) {
  const std::string ranges = folder_.path("ranges.stats");
  ASSERT_EQ(run_octet({"calibrate", one_conv(), "--data", samples(), "-q", "-o", ranges}).exit_code,
            0);
  refused(2, {"quantize", one_conv(), "--stats", ranges, "--effort", "default", "-q", "-o", out()},
          {"ranges.stats", "octet calibrate --second-order"});
  refused(2, {"quantize", model(), "--stats", ranges, "-q", "-o", out()},
          {"ranges.stats", "another model"});
}

}  // namespace
}  // namespace octet
