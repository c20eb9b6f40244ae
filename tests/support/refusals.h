// A run of octet that must be refused: exit code, one line, nothing written.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/run_octet.h"

namespace octet::test {

// The program, the small model most refusals start from, and a folder for what it must not write.
class Refusals : public ::testing::Test {
 protected:
  Refusals() { std::filesystem::create_directory(folder_.path("out")); }

  static std::string model() { return kModels + "/model.onnx"; }
  static std::string data() { return kModels + "/calibration.npy"; }
  std::string out(const std::string& name = "result") const { return folder_.path("out/" + name); }

  // octet quantize MODEL --data DATA -o out/result, and more.
  std::vector<std::string> quantize(const std::string& model, const std::string& data,
                                    const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"quantize", model, "--data", data, "-q", "-o", out()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  // Ends with `code`, one line that holds all of `parts`, and leaves the folder for results as it
  // was: empty.
  void refused(int code, const std::vector<std::string>& arguments,
               const std::vector<std::string>& parts, const RunOptions& options = {}) const {
    const RunResult run = run_octet(arguments, options);
    SCOPED_TRACE("octet " + ::testing::PrintToString(arguments) + "\n" + run.err);
    EXPECT_EQ(run.exit_code, code);
    EXPECT_EQ(run.error_lines(), 1U);
    EXPECT_EQ(run.err.rfind("octet: error: ", 0), 0U);
    for (const std::string& part : parts) EXPECT_THAT(run.err, ::testing::HasSubstr(part));
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(names_in(folder_.path("out")), ::testing::IsEmpty());
  }

  DataFolder folder_;

 private:
  inline static const std::string kModels =
      std::string(OCTET_SOURCE_DIR) + "/models/digits_depthwise";
};

}  // namespace octet::test
