// octet bench: what it prints, as text and for machines.
#include <nlohmann/json.hpp>

#include "tests/support/refusals.h"

namespace octet {
namespace {

using test::run_octet;
using ::testing::HasSubstr;

class Bench : public test::Refusals {
 protected:
  static std::vector<std::string> bench(const std::vector<std::string>& more) {
    std::vector<std::string> out = {"bench",     model(), "--data",   data(), "-q",
                                    "--samples", "4",     "--rounds", "2"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
};

TEST_F(Bench, SaysHowFastAndWhere) {
  const auto run = run_octet(bench({"--threads", "2", "--observe", "--profile"}));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  for (const char* part :
       {"samples/s  2 at a time, 1 thread each, ", "1 at a time, 2 threads each, ",
        "statistics of ", "MiB of values alive", "operators", "nodes"}) {
    EXPECT_THAT(run.out, HasSubstr(part));
  }
}

TEST_F(Bench, JsonHasEveryNumber) {
  const auto run = run_octet(bench({"--threads", "2", "--observe", "--profile", "--json"}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto json = nlohmann::json::parse(run.out);
  EXPECT_EQ(json.at("samples"), 4);
  EXPECT_EQ(json.at("rounds"), 2);
  EXPECT_GT(json.at("live_bytes"), 0);
  ASSERT_EQ(json.at("settings").size(), 2U);
  EXPECT_EQ(json.at("settings")[0].at("samples_at_a_time"), 2);
  EXPECT_EQ(json.at("settings")[1].at("threads_per_sample"), 2);
  for (const auto& setting : json.at("settings")) EXPECT_GT(setting.at("seconds"), 0.0);
  EXPECT_GT(json.at("observed").at("samples_per_second"), 0.0);
  EXPECT_GT(json.at("observed").at("tensors"), 0);
  double seconds = 0.0;
  for (const auto& entry : json.at("nodes")) {
    EXPECT_EQ(entry.at("runs").get<int>() % 4, 0);
    seconds += entry.at("seconds").get<double>();
  }
  EXPECT_GT(seconds, 0.0);
}

TEST_F(Bench, OneThreadHasOneSetting) {
  const auto run = run_octet(bench({"--threads", "1", "--json"}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto json = nlohmann::json::parse(run.out);
  EXPECT_EQ(json.at("settings").size(), 1U);
  EXPECT_FALSE(json.contains("nodes"));
  EXPECT_FALSE(json.contains("observed"));
}

TEST_F(Bench, RefusesWhatItCannotMeasure) {
  refused(2, {"bench", model()}, {"--data is missing"});
  refused(2, {"bench", model(), "--data", data(), "--rounds", "0"}, {"--rounds"});
}

}  // namespace
}  // namespace octet
