// Gates that must not open by accident: figures that are none, empty values, labels of another
// model.
#include "nlohmann/json.hpp"
#include "tests/support/refusals.h"

namespace octet {
namespace {

using Json = nlohmann::json;
using test::run_octet;
using ::testing::HasSubstr;

class Gates : public test::Refusals {
 protected:
  static std::string folder() { return std::string(OCTET_SOURCE_DIR) + "/models/digits_depthwise"; }
  static std::string evaluation() { return folder() + "/evaluation.npy"; }
  static std::string labels() { return folder() + "/evaluation_labels.npy"; }
  std::string many(const std::string& label, size_t count) const {
    std::string text;
    for (size_t i = 0; i < count; ++i) text += label + "\n";
    return folder_.put("labels.txt", text);
  }
  static std::vector<std::string> compare(const std::vector<std::string>& more) {
    std::vector<std::string> out = {"compare", model(), model(), "--data", evaluation(), "-q"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
};

TEST_F(Gates, FiguresThatAreNone) {
  for (const char* word : {"nan", "inf", "-inf"}) {
    refused(2, compare({"--min-sqnr", word}), {"--min-sqnr", "number of dB"});
    refused(2, compare({"--max-drop", word, "--labels", labels()}), {"--max-drop", "points"});
  }
  refused(2, compare({"--max-drop", "-1", "--labels", labels()}), {"--max-drop", "at least 0"});
}

TEST_F(Gates, AnEmptyValueIsNoAbsentOption) {
  const auto names_it = [&](const std::vector<std::string>& arguments, const char* option) {
    refused(2, arguments, {option, "empty", "leave the option out"});
  };
  names_it(compare({"--min-sqnr", ""}), "--min-sqnr");
  names_it(compare({"--max-drop", "", "--labels", labels()}), "--max-drop");
  for (const char* option :
       {"--min-sqnr", "--max-drop", "--recipe", "--backend", "--effort", "--range", "--weights",
        "--stats", "--max-memory", "--metric-command", "--labels", "--preprocess"}) {
    names_it(quantize(model(), data(), {option, ""}), option);
  }
  names_it({"quantize", model(), "--data", data(), "-q", "-o", ""}, "--output");
  names_it({"quantize", model(), "--data", "", "-q", "-o", out()}, "--data");
}

TEST_F(Gates, StandardOutputIsNoFileForModels) {
  refused(2, {"quantize", model(), "--data", data(), "-q", "-o", "-"}, {"-o -", "name a file"});
}

TEST_F(Gates, AModelIsAsNearToItselfAsAnyoneAsks) {
  const auto run = run_octet(compare({"--min-sqnr", "300"}));
  EXPECT_EQ(run.exit_code, 0) << run.err;
}

TEST_F(Gates, LabelsOfAnotherModel) {
  refused(8, compare({"--max-drop", "0", "--labels", many("99", 360)}),
          {"--labels", "label 0 is 99", "10 classes"});
  refused(8,
          quantize(model(), evaluation(),
                   {"--effort", "fast", "--max-drop", "0", "--labels", many("10", 360)}),
          {"--labels", "label 0 is 10", "10 classes"});
}

TEST_F(Gates, LabelsOfTheWholeDataServeItsFirstSamples) {
  const std::vector<std::string> first = {"--samples", "100", "--labels", labels()};
  const auto run = run_octet(compare(first));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("over 100 samples"));
  refused(8, compare({"--samples", "100", "--labels", many("1", 99)}),
          {"99 labels for 360 samples", "one label for every sample"});
}

TEST_F(Gates, AMissedGateIsInTheJson) {
  ASSERT_EQ(run_octet(quantize(model(), data(), {"--effort", "fast"})).exit_code, 0);
  const auto run = run_octet(
      {"compare", model(), out(), "--data", evaluation(), "--min-sqnr", "150", "--json", "-q"});
  EXPECT_EQ(run.exit_code, 7);
  const Json missed = Json::parse(run.out, nullptr, false)["missed"];
  EXPECT_EQ(missed["gate"], "--min-sqnr");
  EXPECT_EQ(missed["asked"], 150.0);
  EXPECT_GT(missed["found"], 10.0);
  // Two decimals, as in the table.
  EXPECT_THAT(run.err,
              ::testing::ContainsRegex("has [0-9]+\\.[0-9][0-9] dB, below --min-sqnr 150"));
  const auto good = run_octet(compare({"--json"}));
  EXPECT_TRUE(Json::parse(good.out, nullptr, false)["missed"].is_null());
}

TEST_F(Gates, HelpThatCannotBeWritten) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  test::RunOptions options;
  options.stdout_file = "/dev/full";
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"--help"}, {"quantize", "--help"}, {"--version"}}) {
    EXPECT_EQ(run_octet(arguments, options).exit_code, 6);
  }
}

}  // namespace
}  // namespace octet
