// What the user typed: help that shows examples, and mistakes answered with the cure.
#include "tests/support/refusals.h"

namespace octet {
namespace {

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
  refused(2, quantize(model(), data(), {"--samples", "-1"}), {"--samples"});
  refused(2, quantize(model(), data(), {"--max-memory", "2 bags"}), {"--max-memory", "GiB"});
}

TEST_F(Usage, DataOrStatistics) {
  refused(2, quantize(model(), data(), {"--stats", "model.stats"}), {"--data", "--stats"});
  refused(2, quantize(model(), data(), {"--effort", "bset"}), {"\"bset\"", "fast or default"});
  refused(2, {"quantize", model(), "--stats", "model.stats", "--effort", "default", "-o", out()},
          {"--effort default", "statistics file"});
  refused(2, quantize(model(), "random:3", {"--effort", "default"}),
          {"--effort default", "made-up samples"});
  refused(2, {"plan", model(), "-o", out()}, {"--data", "--stats"});
  refused(2, {"quantize", model(), "-o", out()}, {"--data", "--stats"});
}

TEST_F(Usage, MissingData) {
  refused(2, {"calibrate", model(), "-o", out()}, {"--data is missing"});
  refused(2, {"run", model(), "-o", out()}, {"--data is missing"});
  refused(2, {"compare", model(), model()}, {"--data is missing"});
}

TEST_F(Usage, MissingModelAndOutput) {
  refused(2, {"quantize", "--data", data()}, {"MODEL"});
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
  refused(2, recipe("node: \"head/*\""), {"recipe.textproto", "\"head/*\"", "nearest"});
  refused(2, recipe("op_type: \"Gem\""), {"recipe.textproto", "\"Gem\"", "nearest is \"Gemm\""});
}

TEST_F(Usage, StatisticsAndPlansThatAreNone) {
  const std::string text = folder_.put("some.txt", "hello\n");
  refused(2, {"merge", text, "-o", out()}, {"some.txt", "not a statistics file"});
  refused(2, {"quantize", model(), "--stats", text, "-o", out()},
          {"some.txt", "not a statistics file"});
  refused(2, {"emit", model(), "--plan", text, "-o", out()}, {"some.txt"});
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
