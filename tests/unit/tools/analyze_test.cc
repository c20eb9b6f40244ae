// octet analyze as its users have it.
#include <nlohmann/json.hpp>

#include "compiler/base/result.h"
#include "tests/support/refusals.h"

namespace octet {
namespace {

using nlohmann::json;
using test::file_bytes;
using test::npy_bytes;
using test::raw;
using test::run_octet;
using ::testing::HasSubstr;

constexpr size_t kPixels = 256;

class AnalyzeVerb : public test::Refusals {
 protected:
  std::vector<std::string> analyze(const std::string& data,
                                   const std::vector<std::string>& more = {}) const {
    std::vector<std::string> out = {"analyze", model(), "--data", data, "-q"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  static std::string ran(const std::vector<std::string>& arguments) {
    const auto run = run_octet(arguments);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_EQ(run.err, "");
    return run.out;
  }
  std::string samples(const std::vector<float>& values) const {
    return folder_.put(
        "samples.npy",
        npy_bytes("<f4", cat("(", values.size() / kPixels, ", 1, 16, 16)"), raw(values)));
  }
  static std::vector<float> pattern(size_t count) {
    std::vector<float> values(count * kPixels);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>((i * 37 + i / kPixels * 11) % 101) / 100;
    }
    return values;
  }
};

TEST_F(AnalyzeVerb, PrintsTables) {
  const std::string out = ran(analyze(data(), {"--samples", "20", "--top", "3"}));
  for (const char* part :
       {"noise  ", " at the worst one, on 16 of the samples, for x86", "with all activations float",
        "with all weights float", "layers, by their share of the outputs' noise (3 of 12)",
        "tensors (3 of ", "cures, by what each is expected to give", "data, 20 samples",
        "samples that set ranges"}) {
    EXPECT_THAT(out, HasSubstr(part));
  }
}

TEST_F(AnalyzeVerb, PrintsJsonWithEverythingInIt) {
  for (const char* effort : {"fast", "default"}) {
    const json out =
        json::parse(ran(analyze(data(), {"--samples", "20", "--json", "--effort", effort})));
    EXPECT_EQ(out["layers"].size(), 12U);
    double share = 0.0;
    for (const json& layer : out["layers"]) {
      share += layer["share"].get<double>();
      EXPECT_TRUE(layer["accumulated_db"].is_number()) << layer;
      EXPECT_TRUE(layer["local_db"].is_number()) << layer;
      EXPECT_TRUE(layer["alone_db"].is_number()) << layer;
    }
    EXPECT_GT(share, 0.5);
    EXPECT_LT(share, 1.0 + 1e-9);
    EXPECT_FALSE(out["tensors"].empty());
    EXPECT_FALSE(out["cures"].empty());
    EXPECT_EQ(out["data"]["samples"], 20);
    EXPECT_GT(out["noise"]["worst_sqnr_db"].get<double>(), 15.0);
  }
}

TEST_F(AnalyzeVerb, TheSameForAnyNumberOfThreads) {
  const auto with = [&](const char* threads) {
    return ran(analyze(data(), {"--samples", "20", "--json", "--threads", threads}));
  };
  const std::string one = with("1");
  for (const char* threads : {"2", "4", "8"}) EXPECT_EQ(with(threads) == one, true) << threads;
}

TEST_F(AnalyzeVerb, SaysHowFarAnotherSetIs) {
  std::vector<float> other = pattern(4);
  for (float& x : other) x = 5.0F + 3.0F * x;
  const json out =
      json::parse(ran(analyze(data(), {"--samples", "20", "--json", "--against", samples(other)})));
  EXPECT_EQ(out["against"]["samples"], 4);
  const json& tensors = out["against"]["tensors"];
  const auto input = std::find_if(tensors.begin(), tensors.end(),
                                  [](const json& tensor) { return tensor["tensor"] == "input"; });
  ASSERT_NE(input, tensors.end());
  EXPECT_GT((*input)["distance"].get<double>(), 3.0);
  EXPECT_EQ((*input)["outside"].get<double>(), 1.0);
  const json same =
      json::parse(ran(analyze(data(), {"--samples", "100", "--json", "--against", data()})));
  for (const json& tensor : same["against"]["tensors"]) EXPECT_EQ(tensor["distance"], 0.0);
}

TEST_F(AnalyzeVerb, TellsOfBlankAndRepeatedSamples) {
  std::vector<float> values = pattern(6);
  std::copy_n(values.begin(), kPixels, values.begin() + 4 * kPixels);
  std::fill_n(values.begin() + 2 * kPixels, kPixels, 0.25F);
  const json out = json::parse(ran(analyze(samples(values), {"--json"})));
  EXPECT_EQ(out["data"]["blank_samples"], json::parse("[2]"));
  EXPECT_EQ(out["data"]["duplicates"], json::parse("[[0, 4]]"));
}

TEST_F(AnalyzeVerb, RefusesUselessData) {
  refused(8, analyze(samples(std::vector<float>(3 * kPixels))),
          {"samples.npy", "all 3 samples hold nothing but zeros"});
  std::vector<float> values = pattern(3);
  values[kPixels + 5] = NAN;
  refused(8, analyze(samples(values)), {"samples.npy", "sample 1", "NaN"});
  refused(2, {"analyze", model(), "-q"}, {"--data"});
  refused(6, analyze(data(), {"--against", folder_.path("none.npy")}), {"none.npy"});
}

TEST_F(AnalyzeVerb, OneSampleIsEnoughToRun) {
  const std::string out = ran(analyze(samples(pattern(1))));
  EXPECT_THAT(out, HasSubstr("too few samples to tell whether ranges have settled"));
}

// Second order in statistics files.

class SecondOrder : public test::Refusals {
 protected:
  std::string made(std::vector<std::string> arguments, const std::string& name) const {
    arguments.insert(arguments.end(), {"-q", "-o", folder_.path(name)});
    const auto run = run_octet(arguments);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return file_bytes(folder_.path(name));
  }
  std::vector<std::string> calibrate(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> out = {"calibrate", model(), "--data", data(), "--second-order"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
};

TEST_F(SecondOrder, ShardsAndThreadsGiveTheSameBytes) {
  const std::string whole = made(calibrate({"--threads", "1"}), "whole.stats");
  for (const char* threads : {"2", "4", "8"}) {
    EXPECT_EQ(made(calibrate({"--threads", threads}), "threads.stats") == whole, true) << threads;
  }
  for (const char* shard : {"1/3", "2/3", "3/3"}) {
    made(calibrate({"--shard", shard}), std::string(1, shard[0]) + ".stats");
  }
  for (const std::string order : {"123", "312", "231"}) {
    std::vector<std::string> arguments = {"merge"};
    for (const char c : order) arguments.push_back(folder_.path(std::string(1, c) + ".stats"));
    EXPECT_EQ(made(arguments, "merged.stats") == whole, true) << order;
  }
}

TEST_F(SecondOrder, IsUsedByPlanAndQuantize) {
  made(calibrate(), "second.stats");
  const std::string statistics = folder_.path("second.stats");
  const auto run =
      run_octet({"quantize", model(), "--stats", statistics, "-q", "-o", folder_.path("a.onnx")});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("layers rounded by second order"));
  EXPECT_THAT(run.out, HasSubstr("from statistics alone"));
  const std::string direct = file_bytes(folder_.path("a.onnx"));
  made({"plan", model(), "--stats", statistics, "--threads", "1"}, "a.plan");
  EXPECT_EQ(made({"emit", model(), "--plan", folder_.path("a.plan")}, "b.onnx") == direct, true);
  const std::string fast =
      made({"quantize", model(), "--stats", statistics, "--effort", "fast"}, "fast.onnx");
  EXPECT_NE(fast == direct, true);
  // What has ranges alone gives what it gave before.
  made({"calibrate", model(), "--data", data()}, "ranges.stats");
  EXPECT_EQ(made({"quantize", model(), "--stats", folder_.path("ranges.stats")}, "c.onnx") == fast,
            true);
}

TEST_F(SecondOrder, TooFewSamplesAreRefusedOnlyWhereAskedFor) {
  made(calibrate({"--samples", "3"}), "few.stats");
  const std::string statistics = folder_.path("few.stats");
  refused(8, {"quantize", model(), "--stats", statistics, "--effort", "default", "-q", "-o", out()},
          {"--effort default", "need 8 samples"});
  const auto run =
      run_octet({"quantize", model(), "--stats", statistics, "-q", "-o", folder_.path("a.onnx")});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("need 8 samples"));
}

TEST_F(SecondOrder, IsBoundedAndDoesNotMergeWithRangesAlone) {
  made(calibrate({"--shard", "1/2"}), "1.stats");
  made({"calibrate", model(), "--data", data(), "--shard", "2/2"}, "2.stats");
  refused(2, {"merge", folder_.path("1.stats"), folder_.path("2.stats"), "-o", out()},
          {"second-order", "same options"});
  auto small = calibrate({"--max-memory", "256KiB", "-q", "-o"});
  small.push_back(out());
  refused(5, small, {"--max-memory"});
}

}  // namespace
}  // namespace octet
