// The same bytes, however many threads, in whatever order the samples come, in one run or many.
#include <numeric>
#include <random>

#include "tests/support/refusals.h"

namespace octet {
namespace {

using test::DataFolder;
using test::file_bytes;
using test::run_octet;

struct Case {
  std::string model;
  std::string backend;
  std::string range = "min-max";
};

// What a failure shows of the parameter.
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.model << ' ' << c.backend << ' ' << c.range;
}

// The header of a .npy file of version 1 and its samples, cut apart.
struct Samples {
  std::string header;
  std::vector<std::string> rows;
};

Samples split(const std::string& npy, size_t count) {
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(npy[i])); };
  const size_t header = 10 + byte(8) + 256 * byte(9);
  Samples out{npy.substr(0, header), {}};
  const size_t size = (npy.size() - header) / count;
  for (size_t i = 0; i < count; ++i) out.rows.push_back(npy.substr(header + i * size, size));
  return out;
}

class Determinism : public ::testing::TestWithParam<Case> {
 protected:
  static constexpr size_t kSamples = 100;

  Determinism() { folder_.put("calibration.npy", file_bytes(models() + "/calibration.npy")); }

  static std::string models() {
    return std::string(OCTET_SOURCE_DIR) + "/models/" + GetParam().model;
  }
  static std::string model() { return models() + "/model.onnx"; }
  std::string data() const { return folder_.path("calibration.npy"); }

  // Runs octet VERB MODEL -q ARGUMENTS -o NAME; the bytes of the file.
  std::string made(const std::string& verb, std::vector<std::string> arguments,
                   const std::string& name) const {
    std::vector<std::string> all = {verb};
    if (verb != "merge") all.push_back(model());
    all.insert(all.end(), arguments.begin(), arguments.end());
    all.insert(all.end(), {"-q", "-o", folder_.path(name)});
    const auto run = run_octet(all);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return file_bytes(folder_.path(name));
  }

  std::string quantized(std::vector<std::string> arguments,
                        const std::string& effort = "fast") const {
    arguments.insert(arguments.end(), {"--effort", effort});
    arguments.insert(arguments.end(), {"-b", GetParam().backend, "--range", GetParam().range});
    return made("quantize", std::move(arguments), "quantized.onnx");
  }

  void expect_same_for_shuffles(const std::string& expected, const std::string& effort) {
    Samples samples = split(file_bytes(data()), kSamples);
    for (uint32_t seed = 1; seed <= 3; ++seed) {
      std::shuffle(samples.rows.begin(), samples.rows.end(), std::mt19937(seed));
      const std::string shuffled =
          folder_.put("shuffled.npy",
                      std::accumulate(samples.rows.begin(), samples.rows.end(), samples.header));
      EXPECT_EQ(quantized({"--data", shuffled}, effort) == expected, true) << "shuffle " << seed;
    }
  }

  DataFolder folder_;
};

TEST_P(Determinism, ThreadsOrderShardsAndStagesDoNotShow) {
  const std::string expected = quantized({"--data", data(), "--threads", "1"});
  ASSERT_FALSE(expected.empty());
  for (const char* threads : {"2", "4", "8"}) {
    EXPECT_EQ(quantized({"--data", data(), "--threads", threads}) == expected, true) << threads;
  }

  expect_same_for_shuffles(expected, "fast");

  const std::string statistics = made("calibrate", {"--data", data()}, "whole.stats");
  std::vector<std::string> parts;
  for (const char* shard : {"3/3", "1/3", "2/3"}) {
    parts.push_back(folder_.path("part" + std::string(1, shard[0]) + ".stats"));
    made("calibrate", {"--data", data(), "--shard", shard},
         "part" + std::string(1, shard[0]) + ".stats");
  }
  EXPECT_EQ(made("merge", parts, "merged.stats") == statistics, true) << "merge";
  const std::string merged = folder_.path("merged.stats");
  EXPECT_EQ(quantized({"--stats", merged}) == expected, true) << "quantize --stats";

  made("plan", {"--stats", merged, "-b", GetParam().backend, "--range", GetParam().range},
       "model.plan");
  EXPECT_EQ(made("emit", {"--plan", folder_.path("model.plan")}, "emitted.onnx") == expected, true)
      << "plan and emit";
}

TEST_P(Determinism, OfTheDefaultRecipeToo) {
  const std::string expected = quantized({"--data", data(), "--threads", "1"}, "default");
  ASSERT_FALSE(expected.empty());
  EXPECT_NE(expected == quantized({"--data", data()}), true) << "the recipe did nothing";
  for (const char* threads : {"2", "4", "8"}) {
    EXPECT_EQ(quantized({"--data", data(), "--threads", threads}, "default") == expected, true)
        << threads;
  }
  expect_same_for_shuffles(expected, "default");
  made("plan", {"--data", data(), "-b", GetParam().backend, "--range", GetParam().range},
       "model.plan");
  EXPECT_EQ(made("emit", {"--plan", folder_.path("model.plan")}, "emitted.onnx") == expected, true)
      << "plan and emit";
}

INSTANTIATE_TEST_SUITE_P(
    Models, Determinism,
    ::testing::Values(Case{"digits_depthwise", "x86"}, Case{"digits_residual", "tensorrt"},
                      Case{"digits_shared_head", "arm"}, Case{"digits_transformer", "openvino"},
                      Case{"digits_depthwise", "arm", "average"},
                      Case{"digits_residual", "x86", "percentile:99.9"},
                      Case{"digits_residual", "openvino", "kl"},
                      Case{"digits_transformer", "x86", "mse"}),
    [](const ::testing::TestParamInfo<Case>& info) {
      std::string name = info.param.model + "_" + info.param.backend + "_" + info.param.range;
      for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
      return name;
    });

}  // namespace
}  // namespace octet
