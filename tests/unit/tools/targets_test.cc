// Accuracy targets and the search, from the command line: met, missed, and asked for badly.
#include <csignal>
#include <thread>

#include "nlohmann/json.hpp"
#include "tests/support/refusals.h"
#include "tests/support/toy_backend.h"

namespace octet {
namespace {

using Json = nlohmann::json;
using test::file_bytes;
using test::names_in;
using test::run_octet;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Targets : public test::Refusals {
 protected:
  static std::string model_folder() {
    return std::string(OCTET_SOURCE_DIR) + "/models/digits_depthwise";
  }
  static std::string evaluation() { return model_folder() + "/evaluation.npy"; }
  static std::string labels() { return model_folder() + "/evaluation_labels.npy"; }
};

Json target_of(const test::RunResult& run) {
  const Json json = Json::parse(run.out, nullptr, false);
  return json.is_discarded() ? Json() : json["target"];
}

TEST_F(Targets, RaisesLayersUntilMinSqnrHolds) {
  const auto run = run_octet(quantize(model(), data(), {"--min-sqnr", "42", "--json"}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json target = target_of(run);
  EXPECT_TRUE(target["met"]);
  EXPECT_GT(target["float_macs_percent"], 0.0);
  EXPECT_LT(target["float_macs_percent"], 100.0);
  EXPECT_TRUE(target["layers"][0]["raised"]);
  EXPECT_THAT(target["judged_on"].get<std::string>(), HasSubstr("of the calibration samples"));
  const auto compared =
      run_octet({"compare", model(), out(), "--data", data(), "--min-sqnr", "41.5", "-q"});
  EXPECT_EQ(compared.exit_code, 0) << compared.err;
}

TEST_F(Targets, ThePlanFileShowsWhatWasRaised) {
  const auto run =
      run_octet({"plan", model(), "--data", data(), "--min-sqnr", "42", "-q", "-o", out()});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("target     --min-sqnr 42 met"));
  EXPECT_THAT(run.out, HasSubstr("raised     "));
  EXPECT_THAT(file_bytes(out()), HasSubstr("raised to float for --min-sqnr 42"));
  const auto emitted =
      run_octet({"emit", model(), "--plan", out(), "-q", "-o", folder_.path("emitted.onnx")});
  ASSERT_EQ(emitted.exit_code, 0) << emitted.err;
  run_octet({"quantize", model(), "--data", data(), "--min-sqnr", "42", "-q", "-o",
             folder_.path("direct.onnx")});
  EXPECT_EQ(file_bytes(folder_.path("emitted.onnx")) == file_bytes(folder_.path("direct.onnx")),
            true);
}

// A chip whose description has 16-bit activations for single layers.
TEST_F(Targets, SixteenBitsComeBeforeFloatWhereADescriptionHasThem) {
  const std::string chip = folder_.put("chip.textproto", testing::toy_text_with_wide_data());
  const std::vector<std::string> more = {"--backend", chip, "--min-sqnr", "42"};
  auto as_json = more;
  as_json.push_back("--json");
  const auto run = run_octet(quantize(model(), data(), as_json));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json target = target_of(run);
  EXPECT_TRUE(target["met"]);
  EXPECT_GT(target["wide_macs_percent"], 0.0);
  EXPECT_EQ(target["layers"][0]["precision"], "16-bit activations");
  // Of the same chip without them more has to be float.
  const auto toy =
      run_octet(quantize(model(), data(), {"--backend", "toy", "--min-sqnr", "42", "--json"}));
  ASSERT_EQ(toy.exit_code, 0) << toy.err;
  EXPECT_EQ(target_of(toy)["wide_macs_percent"], 0.0);
  EXPECT_LT(target["float_macs_percent"].get<double>(),
            target_of(toy)["float_macs_percent"].get<double>());
  // Plan and emit give the same bytes, and the plan says what was raised and why.
  ASSERT_EQ(run_octet(quantize(model(), data(), more)).exit_code, 0);
  std::vector<std::string> plan = {"plan", model(), "--data", data(), "-q", "-o", out("p.plan")};
  plan.insert(plan.end(), more.begin(), more.end());
  const auto planned = run_octet(plan);
  ASSERT_EQ(planned.exit_code, 0) << planned.err;
  EXPECT_THAT(planned.out, HasSubstr(" % with 16-bit activations"));
  EXPECT_THAT(planned.out, HasSubstr(", to 16-bit activations"));
  EXPECT_THAT(file_bytes(out("p.plan")),
              HasSubstr("raised to 16-bit activations for --min-sqnr 42"));
  const auto emitted = run_octet(
      {"emit", model(), "--plan", out("p.plan"), "--backend", chip, "-q", "-o", out("e.onnx")});
  ASSERT_EQ(emitted.exit_code, 0) << emitted.err;
  EXPECT_EQ(file_bytes(out("e.onnx")) == file_bytes(out()), true);
}

TEST_F(Targets, WhatCannotBeReachedExitsWith7AndTheTable) {
  for (const std::vector<std::string>& more : std::vector<std::vector<std::string>>{
           {"--min-sqnr", "190"}, {"--min-sqnr", "60", "--max-float-macs", "10"}}) {
    const auto run = run_octet(quantize(model(), data(), more));
    EXPECT_EQ(run.exit_code, 7);
    EXPECT_EQ(run.error_lines(), 1U) << run.err;
    EXPECT_THAT(run.err, HasSubstr("octet: error: --min-sqnr"));
    EXPECT_THAT(run.err, HasSubstr("cannot be reached"));
    EXPECT_THAT(run.out, HasSubstr("target     --min-sqnr"));
    EXPECT_THAT(run.out, HasSubstr(" dB for "));
    EXPECT_THAT(names_in(folder_.path("out")), IsEmpty());
  }
}

TEST_F(Targets, LabelsGateTheDrop) {
  const std::vector<std::string> good = {"--max-drop", "1", "--labels", labels()};
  const auto run = run_octet(quantize(model(), evaluation(), good));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("--max-drop 1 met: top-1 down"));
  EXPECT_THAT(run.out, HasSubstr("on 360 rows"));
}

TEST_F(Targets, AMetricCommandDecides) {
  const std::vector<std::string> more = {"--max-drop", "5", "--metric-command",
                                         "test -s {} && echo quality: 97.5"};
  const auto run = run_octet(quantize(model(), data(), more));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("met: metric 97.5 of 97.5"));
  const auto missed = run_octet(quantize(model(), data(),
                                         {"--max-drop", "5", "--metric-command",
                                          "case {} in *candidate*) echo 1;; *) echo 90;; esac"}));
  EXPECT_EQ(missed.exit_code, 7);
  EXPECT_EQ(missed.error_lines(), 1U) << missed.err;
  EXPECT_THAT(missed.err, HasSubstr("metric 1 of 90"));
}

TEST_F(Targets, AMetricCommandThatFailsHangsOrSaysNothing) {
  std::filesystem::remove(out());
  const auto with = [&](const std::string& command, const std::vector<std::string>& more = {}) {
    std::vector<std::string> all = {"--max-drop", "5", "--metric-command", command};
    all.insert(all.end(), more.begin(), more.end());
    return quantize(model(), data(), all);
  };
  refused(2, with("echo oh dear >&2; exit 3"),
          {"--metric-command", "status 3", "oh dear", "try it by hand"});
  refused(2, with("no_such_program_here"), {"--metric-command", "status 127"});
  refused(2, with("true"), {"--metric-command", "no number last", "try it by hand"});
  refused(2, with("echo 90 percent #"), {"no number last", "\"percent\""});
  refused(2, with("echo nan #"), {"no number last"});
  refused(2, with("kill -9 $$"), {"signal 9", "end with status 0"});
  const auto begin = std::chrono::steady_clock::now();
  refused(5, with("sleep 100 #", {"--metric-timeout", "0.5"}), {"not done after 0.5 s"});
  refused(5, with("sleep 100 & sleep 100 #", {"--metric-timeout", "0.5"}), {"--metric-timeout"});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
  // Only its first run, on the float model, works.
  refused(2, with("case {} in *candidate*) exit 1;; *) echo 90;; esac"), {"status 1"});
}

TEST_F(Targets, FlagsThatContradictOrMissEachOther) {
  const auto bad = [&](const std::vector<std::string>& more,
                       const std::vector<std::string>& parts) {
    refused(2, quantize(model(), data(), more), parts);
    std::vector<std::string> plan = {"plan", model(), "--data", data(), "-q", "-o", out()};
    plan.insert(plan.end(), more.begin(), more.end());
    refused(2, plan, parts);
  };
  bad({"--max-drop", "1"}, {"--max-drop", "--labels", "--metric-command"});
  bad({"--labels", "l.npy"}, {"--labels needs --max-drop"});
  bad({"--metric-command", "true"}, {"--metric-command needs --max-drop"});
  bad({"--max-drop", "1", "--labels", "l.npy", "--metric-command", "true"},
      {"--labels and --metric-command"});
  bad({"--max-float-macs", "10"}, {"--max-float-macs needs a target"});
  bad({"--metric-timeout", "10"}, {"--metric-timeout needs --metric-command"});
  bad({"--min-sqnr", "30", "--max-float-macs", "101"}, {"--max-float-macs", "0 to 100"});
  bad({"--max-drop", "-1", "--labels", "l.npy"}, {"--max-drop", "at least 0"});
  bad({"--min-sqnr", "nan"}, {"--min-sqnr"});
  bad({"--min-sqnr", "much"}, {"--min-sqnr"});
  refused(2, {"quantize", model(), "--stats", "model.stats", "--min-sqnr", "20", "-o", out()},
          {"--min-sqnr needs real samples", "statistics file"});
  refused(2, quantize(model(), "random:3", {"--min-sqnr", "20"}),
          {"--min-sqnr needs real samples", "made-up"});
  refused(2, {"quantize", model(), "--stats", "model.stats", "--effort", "best", "-o", out()},
          {"--effort best", "statistics file"});
  refused(2, quantize(model(), "random:3", {"--effort", "best"}), {"--effort best", "made-up"});
}

TEST_F(Targets, LabelsThatDoNotFitTheSamples) {
  refused(8, quantize(model(), data(), {"--max-drop", "1", "--labels", labels()}), {"360", "100"});
  refused(6, quantize(model(), data(), {"--max-drop", "1", "--labels", "none.npy"}), {"none.npy"});
}

TEST_F(Targets, TooFewSamplesForASearch) {
  refused(8, quantize(model(), data(), {"--effort", "best", "--samples", "7"}),
          {"--effort best", "at least 8 samples, there are 7"});
}

TEST_F(Targets, TheSearchReportsWhatItKept) {
  const auto run = run_octet(quantize(model(), data(), {"--effort", "best", "--json"}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json json = Json::parse(run.out, nullptr, false);
  const Json search = json["accuracy"]["search"];
  EXPECT_EQ(json["accuracy"]["effort"], "best");
  EXPECT_GT(search["trials"], 10);
  EXPECT_GE(search["after_db"].get<double>(), search["before_db"].get<double>() - 0.1);
  EXPECT_EQ(search["judged_samples"], 48);
  for (const Json& kept : search["kept"]) EXPECT_GT(kept["gain_db"], 0.0);
}

TEST_F(Targets, TheSearchGivesTheSameBytesForAnyNumberOfThreads) {
  std::string first;
  for (const char* threads : {"1", "2", "4", "8"}) {
    const auto run = run_octet(quantize(
        model(), data(),
        {"--effort", "best", "--samples", "24", "--min-sqnr", "39", "--threads", threads}));
    ASSERT_EQ(run.exit_code, 0) << run.err;
    if (first.empty()) first = file_bytes(out());
    EXPECT_EQ(file_bytes(out()) == first, true) << threads;
  }
}

}  // namespace
}  // namespace octet
