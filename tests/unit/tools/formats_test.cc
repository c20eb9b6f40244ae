// Number formats and quantizing without data, from the command line.
#include <nlohmann/json.hpp>

#include "tests/support/refusals.h"

namespace octet {
namespace {

using test::file_bytes;
using test::run_octet;
using ::testing::HasSubstr;
using ::testing::Not;

class FormatOptions : public test::Refusals {
 protected:
  nlohmann::json made(std::vector<std::string> arguments) const {
    arguments.push_back("--json");
    const auto run = run_octet(arguments);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return nlohmann::json::parse(run.out, nullptr, false);
  }
  std::string copy(const std::string& name) const {
    return std::string(OCTET_SOURCE_DIR) + "/models/" + name;
  }
};

TEST_F(FormatOptions, AreInTheSummaryAndTheModel) {
  const auto run = run_octet(quantize(model(), data(), {"--samples", "8", "--weights", "int4"}));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("formats    int4 weights (first and last layers int8)"));
  EXPECT_THAT(file_bytes(out()), HasSubstr("weights=int4"));
  EXPECT_THAT(run_octet({"inspect", out()}).out, HasSubstr("21"));
}

TEST_F(FormatOptions, AreInTheJson) {
  const auto json = made(quantize(
      model(), data(),
      {"--samples", "8", "--weight-granularity", "per-tensor", "--scales", "power-of-two"}));
  EXPECT_EQ(json["accuracy"]["formats"], "weight_granularity=per-tensor scales=power-of-two");
  EXPECT_EQ(json["data_free"], false);
}

TEST_F(FormatOptions, PlanAndEmitGiveTheSameBytesAsQuantize) {
  for (const std::vector<std::string>& formats :
       {std::vector<std::string>{"--weights", "int4", "--narrow-layers", "all"},
        std::vector<std::string>{"--weights", "int4", "--weight-granularity", "block:8"},
        std::vector<std::string>{"--weight-granularity", "per-tensor"},
        std::vector<std::string>{"--activations", "int16"}}) {
    SCOPED_TRACE(formats.front() + " " + formats[1]);
    std::vector<std::string> more = {"--samples", "6"};
    more.insert(more.end(), formats.begin(), formats.end());
    ASSERT_EQ(run_octet(quantize(model(), data(), more)).exit_code, 0);
    std::vector<std::string> plan = {"plan", model(), "--data", data(), "-q", "-o", out("p.plan")};
    plan.insert(plan.end(), more.begin(), more.end());
    ASSERT_EQ(run_octet(plan).exit_code, 0);
    const auto emitted =
        run_octet({"emit", model(), "--plan", out("p.plan"), "-q", "-o", out("e.onnx")});
    ASSERT_EQ(emitted.exit_code, 0) << emitted.err;
    EXPECT_EQ(file_bytes(out("e.onnx")), file_bytes(out()));
  }
}

TEST_F(FormatOptions, ARecipeSaysTheSame) {
  const std::string recipe = folder_.put("r.textproto", "weights: \"int4\" narrow_layers: \"all\"");
  ASSERT_EQ(run_octet(quantize(model(), data(), {"--samples", "4", "--recipe", recipe})).exit_code,
            0);
  const std::string by_recipe = file_bytes(out());
  ASSERT_EQ(run_octet(quantize(model(), data(),
                               {"--samples", "4", "--weights", "int4", "--narrow-layers", "all"}))
                .exit_code,
            0);
  EXPECT_EQ(by_recipe, file_bytes(out()));
}

TEST_F(FormatOptions, WordsThatAreNoneAreRefused) {
  refused(2, quantize(model(), data(), {"--weights", "int3"}), {"--weights", "\"int3\"", "int4"});
  refused(2, quantize(model(), data(), {"--weight-granularity", "block:x"}),
          {"--weight-granularity", "block:32"});
  refused(2, quantize(model(), data(), {"--scales", "2"}), {"--scales", "power-of-two"});
  refused(2, quantize(model(), data(), {"--activations", "int4"}), {"--activations", "int16"});
  refused(2, quantize(model(), data(), {"--narrow-layers", "all"}), {"--weights int4"});
  const std::string recipe = folder_.put("r.textproto", "weights: \"int3\"");
  refused(2, quantize(model(), data(), {"--recipe", recipe}), {"r.textproto", "int3"});
}

TEST_F(FormatOptions, WithoutDataIsLabelled) {
  const auto run = run_octet(quantize(model(), "none"));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("data-free"));
  EXPECT_THAT(run.out, Not(HasSubstr("calibrated on")));
  EXPECT_THAT(file_bytes(out()), HasSubstr("octet.data_free"));
  const auto json = made(quantize(model(), "none", {"--weight-granularity", "per-tensor"}));
  EXPECT_EQ(json["data_free"], true);
  EXPECT_EQ(json["accuracy"]["effort"], "data-free");
  ASSERT_EQ(run_octet({"plan", model(), "--data", "none", "-q", "-o", out("p.plan")}).exit_code, 0);
  EXPECT_THAT(file_bytes(out("p.plan")), HasSubstr("data_free: true"));
}

TEST_F(FormatOptions, WithoutDataIsLabelledInThePlansReport) {
  const std::vector<std::string> plan = {"plan", model(), "--data", "none", "-q", "-o", out("p")};
  const auto run = run_octet(plan);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("data-free  ranges and means from batch norms, no samples"));
  EXPECT_EQ(made(plan)["data_free"], true);
  EXPECT_EQ(made(plan)["accuracy"]["effort"], "data-free");
  ASSERT_EQ(run_octet({"emit", model(), "--plan", out("p"), "-q", "-o", out("e")}).exit_code, 0);
  EXPECT_THAT(file_bytes(out("e")), HasSubstr("octet.data_free"));
  // With data there is no such label.
  ASSERT_EQ(run_octet(quantize(model(), data(), {"--samples", "4"})).exit_code, 0);
  EXPECT_THAT(file_bytes(out()), Not(HasSubstr("octet.data_free")));
}

TEST_F(FormatOptions, WithoutDataComesNearTheFloatModel) {
  ASSERT_EQ(run_octet(quantize(model(), "none")).exit_code, 0);
  const std::string folder = copy("digits_depthwise");
  const auto run =
      run_octet({"compare", model(), out(), "--data", folder + "/evaluation.npy", "--labels",
                 folder + "/evaluation_labels.npy", "--max-drop", "4", "-q"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
}

TEST_F(FormatOptions, WithoutDataAndBatchNormsIsRefused) {
  refused(4,
          {"quantize", copy("digits_transformer/model.onnx"), "--data", "none", "-q", "-o", out()},
          {"batch norms", "--data", "nothing says what node \""});
}

TEST_F(FormatOptions, OptionsThatNeedSamplesAreRefusedWithoutData) {
  refused(2, quantize(model(), "none", {"--samples", "4"}), {"--samples"});
  refused(2, quantize(model(), "none", {"--effort", "fast"}), {"--effort"});
  refused(2, quantize(model(), "none", {"--effort", "best"}), {"--effort best"});
  refused(2, quantize(model(), "none", {"--range", "kl"}), {"range methods"});
  refused(2, quantize(model(), "none", {"--min-sqnr", "20"}),
          {"--min-sqnr needs real samples", "--data none"});
  refused(2, quantize(model(), "none", {"--max-drop", "1", "--metric-command", "true"}),
          {"--max-drop needs real samples", "--data none"});
  refused(2, {"plan", model(), "--data", "none", "--min-sqnr", "20", "-q", "-o", out()},
          {"--min-sqnr needs real samples", "--data none"});
  refused(2, {"calibrate", model(), "--data", "none", "-q", "-o", out()}, {"./none"});
}

}  // namespace
}  // namespace octet
