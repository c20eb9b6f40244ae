// Recipes, plans, descriptions and statistics that somebody edited: what has no effect is refused.
#include "compiler/base/files.h"
#include "nlohmann/json.hpp"
#include "tests/support/refusals.h"
#include "tests/support/toy_backend.h"

namespace octet {
namespace {

using Json = nlohmann::json;
using test::file_bytes;
using test::run_octet;
using ::testing::HasSubstr;

class EditedFiles : public test::Refusals {
 protected:
  std::string recipe(const std::string& text) const { return folder_.put("r.textproto", text); }
  // Another output of a run whose arguments end in OUTPUT; removes it, to leave the folder empty.
  std::string made(std::vector<std::string> arguments) const {
    const std::string path = folder_.path("made");
    arguments.insert(arguments.end(), {"-q", "-o", path});
    const auto run = run_octet(arguments);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return file_bytes(path);
  }
};

std::string without_line(std::string text, const std::string& start) {
  const size_t at = text.find("\n" + start);
  return at == std::string::npos ? text : text.erase(at, text.find('\n', at + 1) - at);
}

TEST_F(EditedFiles, FourBitsOfOneLayerTakeEffect) {
  const std::string named = recipe("override { select { op_type: \"Gemm\" } weights: \"int4\" }");
  const std::string plan =
      made({"plan", model(), "--data", data(), "--effort", "fast", "--recipe", named});
  EXPECT_THAT(plan, HasSubstr("int4"));
  EXPECT_THAT(plan, HasSubstr("narrow_layers=named"));
  size_t narrow = 0;
  for (size_t at = plan.find("dtype: \"int4\""); at != std::string::npos;
       at = plan.find("dtype: \"int4\"", at + 1)) {
    ++narrow;
  }
  EXPECT_EQ(narrow, 1U);
}

TEST_F(EditedFiles, RecipesWithoutEffect) {
  const auto bad = [&](const std::string& text, const std::vector<std::string>& parts) {
    refused(2, quantize(model(), data(), {"--recipe", recipe(text)}), parts);
  };
  bad("narrow_layers: \"all\"", {"r.textproto", "narrow_layers", "int4"});
  bad("weights: \"int4\" narrow_layers: \"named\"", {"r.textproto", "no override"});
  bad("override { select { op_type: \"Conv\" } }", {"\"Conv\"", "sets nothing", "give precision"});
}

TEST_F(EditedFiles, APlanDoesNotChangeTheRangeOfIntegers) {
  const std::string plan = made({"plan", model(), "--data", data(), "--effort", "fast"});
  const std::string changed = testing::replaced_once(plan, "qmax: 255", "qmax: 100");
  ASSERT_NE(changed, plan);
  refused(2, {"emit", model(), "--plan", folder_.put("p.plan", changed), "-q", "-o", out()},
          {"p.plan", "qmax 100", "255", "edit scales, zero points and operands"});
}

TEST_F(EditedFiles, ADescriptionHasANameOfItsOwn) {
  const std::string toy =
      testing::must(read_file(std::string(OCTET_SOURCE_DIR) + "/backends/toy/backend.textproto"));
  const std::string same = folder_.put("same.textproto", "# A copy.\n" + toy);
  made({"quantize", model(), "--data", data(), "--effort", "fast", "--backend", same});
  const std::string changed = testing::replaced_once(toy, "opset: 17", "opset: 18");
  ASSERT_NE(changed, toy);
  const std::string chip = folder_.put("chip.textproto", changed);
  const std::vector<std::string> parts = {"chip.textproto", "\"toy\"", "name of its own"};
  refused(2, quantize(model(), data(), {"--backend", chip}), parts);
  refused(2, {"check", chip}, parts);
  const std::string renamed = folder_.put(
      "own.textproto", testing::replaced_once(changed, "name: \"toy\"", "name: \"my_chip\""));
  EXPECT_EQ(run_octet({"check", renamed}).exit_code, 0);
  EXPECT_GT(Json::parse(run_octet({"check", renamed, "--json"}).out, nullptr, false)["spaces"], 1);
}

TEST_F(EditedFiles, StatisticsThatLostSomething) {
  const std::string text = made({"calibrate", model(), "--data", data(), "--samples", "9"});
  const auto bad = [&](const std::string& changed, const std::vector<std::string>& parts) {
    ASSERT_NE(changed, text);
    refused(2, {"quantize", model(), "--stats", folder_.put("s.stats", changed), "-q", "-o", out()},
            parts);
  };
  bad(testing::replaced_once(text, "samples 9", "samples 7"),
      {"s.stats", "7 samples", "digests of 9", "calibrate again"});
  std::string lost = text;
  for (const char* start : {"tensor ", "sum_min", "sum_max", "histogram"}) {
    lost = without_line(lost, start);
  }
  bad(lost, {"s.stats", "tensor", "calibrate again"});
}

TEST_F(EditedFiles, TheWholeAndAShardDoNotMerge) {
  const auto calibrated = [&](const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"calibrate", model(), "--data", data(), "--samples", "6"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return folder_.put(name, made(arguments));
  };
  const std::string whole = calibrated("whole.stats", {});
  const std::string first = calibrated("1.stats", {"--shard", "1/2"});
  const std::string second = calibrated("2.stats", {"--shard", "2/2"});
  refused(2, {"merge", first, whole, "-q", "-o", out()},
          {"same 3 samples", "the shards, or the whole that holds them"});
  const auto run = run_octet({"merge", first, second, "-q", "--json", "-o", out()});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(Json::parse(run.out, nullptr, false)["second_order_layers"], 0);
}

TEST_F(EditedFiles, AbsurdNumbersOfRandomSamples) {
  refused(2, quantize(model(), "random:99999999999"), {"--data", "at most 1000000"});
}

TEST_F(EditedFiles, ListsHaveColumns) {
  const std::string list = run_octet({"passes"}).out;
  const std::string first = list.substr(0, list.find('\n'));
  EXPECT_EQ(first.find("Exporters'"), list.find("Nodes that compute") - first.size() - 1);
}

}  // namespace
}  // namespace octet
