// What the user typed: help that shows examples, and mistakes answered with the cure.
#include <map>

#include "tests/support/refusals.h"

namespace octet {
namespace {

using test::file_bytes;
using test::run_octet;
using ::testing::HasSubstr;

class Usage : public test::Refusals {};

const std::vector<std::string> kVerbs = {
#define OCTET_VERB(name) #name,
#include "tools/octet/verbs.def"
#undef OCTET_VERB
};

TEST_F(Usage, HelpOfEveryVerbHasExamples) {
  ASSERT_GE(kVerbs.size(), 13U);
  for (const std::string& verb : kVerbs) {
    SCOPED_TRACE(verb);
    const auto run = run_octet({verb, "--help"});
    EXPECT_EQ(run.exit_code, 0);
    EXPECT_EQ(run.err, "");
    EXPECT_THAT(run.out, HasSubstr("Examples:\n  octet " + verb));
  }
}

TEST_F(Usage, HelpNamesEveryVerb) {
  const auto run = run_octet({"--help"});
  EXPECT_EQ(run.exit_code, 0);
  for (const std::string& verb : kVerbs) EXPECT_THAT(run.out, HasSubstr("\n  " + verb + " "));
}

TEST_F(Usage, VersionAndLists) {
  EXPECT_THAT(run_octet({"--version"}).out, ::testing::StartsWith("octet "));
  for (const char* verb : {"backends", "passes", "rules", "ops"}) {
    EXPECT_EQ(run_octet({verb}).exit_code, 0);
    EXPECT_EQ(run_octet({verb, "--json"}).out.substr(0, 1), "[");
  }
}

TEST_F(Usage, NoVerb) { refused(2, {}, {"octet --help"}); }

TEST_F(Usage, UnknownVerb) {
  refused(2, {"quantise", model()}, {"unknown verb \"quantise\"", "\"quantize\""});
}

TEST_F(Usage, UnknownOption) {
  refused(2, quantize(model(), data(), {"--recpe", "x"}), {"\"--recpe\"", "\"--recipe\""});
  refused(2, quantize(model(), data(), {"--thread=4"}), {"\"--thread\"", "\"--threads\""});
}

TEST_F(Usage, TooManyModels) {
  refused(2, quantize(model(), data(), {"another.onnx"}), {"another.onnx"});
}

TEST_F(Usage, ValueOfTheWrongKind) {
  refused(2, quantize(model(), data(), {"--threads", "0"}), {"--threads"});
  refused(2, quantize(model(), data(), {"--threads", "many"}), {"--threads"});
  refused(2, quantize(model(), data(), {"--samples", "-1"}), {"--samples", "at least 1"});
  refused(2, quantize(model(), data(), {"--samples", "0"}), {"--samples", "\"0\"", "at least 1"});
  refused(2, quantize(model(), data(), {"--max-memory", "2 bags"}), {"--max-memory", "GiB"});
}

TEST_F(Usage, DataOrStatistics) {
  refused(2, quantize(model(), data(), {"--stats", "model.stats"}), {"--data", "--stats"});
  refused(2, quantize(model(), data(), {"--effort", "bset"}),
          {"\"bset\"", "give fast, default or best"});
  const std::string ranges = folder_.path("ranges.stats");
  ASSERT_EQ(
      run_octet({"calibrate", model(), "--data", data(), "--samples", "2", "-q", "-o", ranges})
          .exit_code,
      0);
  refused(2, {"quantize", model(), "--stats", ranges, "--effort", "default", "-o", out()},
          {"--effort default", "statistics file"});
  refused(2, quantize(model(), "random:3", {"--effort", "default"}),
          {"--effort default", "made-up samples"});
  refused(2, {"plan", model(), "-o", out()}, {"--data", "--stats"});
  refused(2, {"quantize", model(), "-o", out()}, {"--data", "--stats"});
}

TEST_F(Usage, OptionsAboutSamplesBesideStatistics) {
  for (const char* verb : {"quantize", "plan"}) {
    const std::vector<std::string> start = {verb, model(), "--stats", "m.stats", "-o", out()};
    const auto with = [&](const std::string& option, const std::string& value) {
      std::vector<std::string> all = start;
      all.insert(all.end(), {option, value});
      return all;
    };
    refused(2, with("--samples", "3"), {"--samples with --stats", "octet calibrate"});
    refused(2, with("--preprocess", "mean=1"), {"--preprocess with --stats", "octet calibrate"});
  }
}

TEST_F(Usage, MissingData) {
  refused(2, {"calibrate", model(), "-o", out()}, {"--data is missing"});
  refused(2, {"run", model(), "-o", out()}, {"--data is missing"});
  refused(2, {"compare", model(), model()}, {"--data is missing"});
}

TEST_F(Usage, MissingModelAndOutput) {
  refused(2, {"quantize", "--data", data()}, {"MODEL", "octet quantize --help"});
  refused(2, {"quantize"}, {"MODEL", "octet quantize --help"});
  refused(2, {"calibrate", model(), "--data", data()}, {"--output"});
}

TEST_F(Usage, Shards) {
  for (const char* shard : {"0/3", "4/3", "x", "1/", "1/3/5", "-1/3"}) {
    refused(2, {"calibrate", model(), "--data", data(), "-o", out(), "--shard", shard},
            {"--shard", "I/N"});
  }
}

TEST_F(Usage, UnknownBackendNamesTheNearest) {
  refused(2, quantize(model(), data(), {"--backend", "tensorrtt"}),
          {"unknown backend \"tensorrtt\"", "\"tensorrt\"", "octet backends"});
  refused(6, quantize(model(), data(), {"--backend", folder_.path("no.textproto")}),
          {"no.textproto", "No such file"});
}

TEST_F(Usage, OnlyACloseNameIsCalledTheNearest) {
  refused(2, quantize(model(), data(), {"--backend", "hexagon"}),
          {"unknown backend \"hexagon\"; there are \"arm\", ", "\"x86\""});
}

TEST_F(Usage, UnknownRangeMethodNamesTheNearest) {
  refused(2, quantize(model(), data(), {"--range", "precentile"}),
          {"\"precentile\"", "\"percentile\""});
}

TEST_F(Usage, BackendFileWithATypo) {
  const std::string path = folder_.put("chip.textproto",
                                       "name: \"chip\"\nspace { name: \"s\" dtype: \"int8\" }\n"
                                       "op { type: [\"Conv\"]\n     dta: \"s\" }\n");
  refused(2, quantize(model(), data(), {"--backend", path}), {"chip.textproto:4:", "\"dta\""});
  refused(2, {"check", path}, {"chip.textproto:4:", "\"dta\""});
}

TEST_F(Usage, BackendFileWithATypoInItsSecondLine) {
  const std::string path = folder_.put("chip.textproto", "name: \"chip\"\nopsett: 17\n");
  refused(2, {"check", path}, {"chip.textproto:2:", "\"opsett\""});
}

TEST_F(Usage, RuleFileWithATypo) {
  const std::string path = folder_.put("rules.textproto", "rules {\n  nam: \"remove-twice\"\n}\n");
  refused(2, {"check", path}, {"rules.textproto:2:", "\"nam\""});
}

TEST_F(Usage, CheckSaysWhatItTakes) {
  const std::string nothing = folder_.put("nothing.textproto", "# nobody home\n");
  refused(2, {"check", nothing},
          {"nothing.textproto", "neither a rule nor a backend", "rule.proto", "backend.proto"});
  const std::string recipe =
      folder_.put("recipe.textproto", "range: \"kl\"\noverride { precision: FLOAT }\n");
  refused(2, {"check", recipe}, {"recipe.textproto", "recipe", "rule.proto", "backend.proto"});
}

TEST_F(Usage, PrintAsJson) {
  const auto text = run_octet({"print", model()});
  const auto json = run_octet({"print", model(), "--json"});
  EXPECT_EQ(json.exit_code, 0) << json.err;
  EXPECT_EQ(json.out.rfind("{\n  \"model\": ", 0), 0U);
  EXPECT_THAT(json.out, HasSubstr("\"text\": \""));
  EXPECT_GT(json.out.size(), text.out.size());
}

TEST_F(Usage, PrintAfterAPassThatDoesNothing) {
  const auto run = run_octet({"print", model(), "--after", "remove_initializer_inputs"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.err, HasSubstr("\"remove_initializer_inputs\" changes nothing"));
  EXPECT_EQ(run.out, run_octet({"print", model(), "--canonical"}).out);
}

TEST_F(Usage, RecipeWithATypo) {
  const std::string path = folder_.put(
      "recipe.textproto", "override {\n  selec { op_type: \"Conv\" } precision: FLOAT\n}\n");
  refused(2, quantize(model(), data(), {"--recipe", path}), {"recipe.textproto:2:", "\"selec\""});
}

TEST_F(Usage, RecipeThatMatchesNothingNamesTheNearest) {
  const auto recipe = [&](const std::string& selector) {
    const std::string path = folder_.put(
        "recipe.textproto", "override { select { " + selector + " } precision: FLOAT }\n");
    return quantize(model(), data(), {"--recipe", path});
  };
  refused(2, recipe("node: \"Conv_77\""),
          {"recipe.textproto", "\"Conv_77\"", "nearest", "\"Conv_"});
  refused(2, recipe("node: \"head/*\""), {"recipe.textproto", "\"head/*\""});
  refused(2, recipe("op_type: \"Gem\""), {"recipe.textproto", "\"Gem\"", "nearest is \"Gemm\""});
}

TEST_F(Usage, StatisticsAndPlansThatAreNone) {
  const std::string text = folder_.put("some.txt", "hello\n");
  refused(2, {"merge", text, "-o", out()}, {"some.txt", "not a statistics file"});
  refused(2, {"quantize", model(), "--stats", text, "-o", out()},
          {"some.txt", "not a statistics file"});
  refused(2, {"emit", model(), "--plan", text, "-o", out()}, {"some.txt"});
}

TEST_F(Usage, StatisticsGivenTwice) {
  const auto calibrate = [&](const std::string& shard) {
    std::string path = folder_.path(shard.substr(0, 1) + "of" + shard.substr(2) + ".stats");
    const auto run = run_octet({"calibrate", model(), "--data", data(), "--samples", "6", "-q",
                                "--shard", shard, "-o", path});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return path;
  };
  const std::string first = calibrate("1/2");
  const std::string second = calibrate("2/2");
  const std::string whole = calibrate("1/1");
  const std::string copy = folder_.put("copy.stats", file_bytes(first));
  refused(2, {"merge", first, second, first, "-o", out()}, {"1of2.stats", "the same 3 samples"});
  refused(2, {"merge", first, copy, "-o", out()}, {"1of2.stats", "copy.stats", "give each shard"});
  refused(2, {"merge", whole, second, "-o", out()}, {"1of1.stats", "2of2.stats"});
  // Some of the samples: data may hold the same picture twice.
  const std::string third = calibrate("1/3");
  const auto overlap = run_octet({"merge", first, third, "-o", folder_.path("overlap.stats")});
  EXPECT_EQ(overlap.exit_code, 0) << overlap.err;
  EXPECT_THAT(overlap.err, HasSubstr("1 sample in common, which count twice"));
  const std::string merged = folder_.path("merged.stats");
  ASSERT_EQ(run_octet({"merge", second, first, "-q", "-o", merged}).exit_code, 0);
  EXPECT_EQ(file_bytes(merged) == file_bytes(whole), true);
}

// A plan is a file to edit: what it asks for in vain is not a bug of Octet.
class EditedPlan : public Usage {
 protected:
  std::string plan(const std::string& backend) const {
    const std::string path = folder_.path("model.plan");
    const auto run =
        run_octet({"plan", model(), "--data", "random:2", "-b", backend, "-q", "-o", path});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return file_bytes(path);
  }
  void refused_plan(std::string text, const std::string& from, const std::string& to,
                    const std::vector<std::string>& parts) const {
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << text.substr(0, 2000);
    const std::string path = folder_.put("edited.plan", text.replace(at, from.size(), to));
    std::vector<std::string> all = {"edited.plan"};
    all.insert(all.end(), parts.begin(), parts.end());
    refused(2, {"emit", model(), "--plan", path, "-o", out()}, all);
  }
};

TEST_F(EditedPlan, WithTypesTheBackendLacks) {
  std::string text = plan("x86");
  for (const auto& [from, to] :
       std::map<std::string, std::string>{{"qmin: 0", "qmin: -128"}, {"qmax: 255", "qmax: 127"}}) {
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos);
    text.replace(at, from.size(), to);
  }
  refused_plan(text, "dtype: \"uint8\"", "dtype: \"int8\"",
               {"activation \"", "\"x86\" takes uint8 here, not int8"});
}

TEST_F(EditedPlan, ForAnotherBackend) {
  refused_plan(plan("x86"), "backend: \"x86\"", "backend: \"arm\"",
               {"activation \"", "\"arm\" takes int8 here, not uint8"});
}

// A flatten has the scale of what it reads.
TEST_F(EditedPlan, WithScalesTheBackendCannotTake) {
  const std::string text = plan("x86");
  const size_t start = text.rfind("activation {");
  ASSERT_NE(start, std::string::npos);
  const std::string entry = text.substr(start);
  std::string changed = entry;
  changed.replace(changed.find("scale: [0."), 10, "scale: [1.");
  refused_plan(text, entry, changed, {"backend x86 cannot take the plan", "Flatten", "[A7]"});
}

TEST_F(EditedPlan, OfAVendorNeedsTheDescription) {
  refused_plan(plan("x86"), "backend: \"x86\"", "backend: \"chip\"",
               {"\"chip\"", "give --backend FILE"});
}

TEST_F(EditedPlan, OfAVendorThatNamesABuiltInBackend) {
  const std::string chip = folder_.put(
      "chip.textproto",
      "name: \"chip\"\nspace { name: \"a\" dtype: \"int8\" }\nspace { name: \"w\" dtype: \"int8\" "
      "symmetric: true per_channel: true qmin: -127 }\n"
      "op { type: [\"Conv\", \"Gemm\"] data: \"a\" weight: \"w\" }\n");
  refused_plan(plan(chip), "backend: \"chip\"", "backend: \"x86\"",
               {"\"x86\" takes uint8 here, not int8", "--backend FILE"});
}

TEST_F(Usage, StatisticsOfAnotherModel) {
  const std::string statistics = folder_.path("model.stats");
  ASSERT_EQ(
      run_octet({"calibrate", model(), "--data", data(), "--samples", "2", "-q", "-o", statistics})
          .exit_code,
      0);
  const std::string other = std::string(OCTET_SOURCE_DIR) + "/models/digits_residual/model.onnx";
  refused(2, {"quantize", other, "--stats", statistics, "-o", out()},
          {"another model", "calibrate"});
}

}  // namespace
}  // namespace octet
