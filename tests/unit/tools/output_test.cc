// Files appear whole or not at all, and what was there stays when a run fails.
#include "tests/support/refusals.h"

namespace octet {
namespace {

using test::file_bytes;
using test::names_in;
using test::run_octet;
using test::RunOptions;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Output : public test::Refusals {
 protected:
  std::vector<std::string> quick() const { return quantize(model(), data(), {"--samples", "2"}); }
};

TEST_F(Output, IsTheInput) {
  const std::string copy = folder_.put("model.onnx", file_bytes(model()));
  const std::string link = folder_.path("link.onnx");
  std::filesystem::create_symlink(copy, link);
  for (const std::string& output : {copy, link, folder_.path("out/../model.onnx")}) {
    refused(2, {"quantize", copy, "--data", data(), "-q", "-o", output}, {"is an input", "-o"});
    refused(2, {"calibrate", copy, "--data", data(), "-q", "-o", output}, {"is an input", "-o"});
    refused(2, {"run", copy, "--data", data(), "-q", "-o", output}, {"is an input", "-o"});
  }
  EXPECT_EQ(file_bytes(copy), file_bytes(model()));
}

TEST_F(Output, IsTheData) {
  const std::string copy = folder_.put("data.npy", file_bytes(data()));
  refused(2, {"quantize", model(), "--data", copy, "-q", "-o", copy}, {"data.npy", "is an input"});
  EXPECT_EQ(file_bytes(copy), file_bytes(data()));
}

TEST_F(Output, IsAFolder) {
  refused(2, {"quantize", model(), "--data", data(), "-q", "-o", folder_.path("out")},
          {"is a folder"});
}

TEST_F(Output, InNoFolder) {
  const std::string path = folder_.path("none/model.onnx");
  refused(6, {"quantize", model(), "--data", data(), "-q", "-o", path},
          {"none/model.onnx", "no such folder"});
}

TEST_F(Output, IsADevice) {
  refused(6, {"quantize", model(), "--data", "random:1", "-q", "-o", "/dev/full"},
          {"/dev/full", "not a regular file"});
}

// A disk that is full after 16 KiB, for the program: the temporary file cannot be written whole.
TEST_F(Output, DiskFull) {
  RunOptions full;
  full.file_size_limit = 16 << 10;
  refused(6, quick(), {"out/result", "File too large"}, full);
  refused(6, {"calibrate", model(), "--data", data(), "--samples", "2", "-q", "-o", out()},
          {"out/result", "File too large"}, full);
  refused(6, {"run", model(), "--data", data(), "-q", "-o", out()}, {"out/result"},
          RunOptions{std::chrono::seconds(120), 1 << 10});
}

TEST_F(Output, DiskFullLeavesTheOldFile) {
  const std::string old = folder_.put("out/result", "what was here before");
  RunOptions full;
  full.file_size_limit = 16 << 10;
  const auto run = run_octet(quick(), full);
  EXPECT_EQ(run.exit_code, 6);
  EXPECT_EQ(file_bytes(old), "what was here before");
  EXPECT_THAT(names_in(folder_.path("out")), ElementsAre("result"));
}

TEST_F(Output, FailureLeavesTheOldFile) {
  const std::string old = folder_.put("out/result", "what was here before");
  const std::string cut = folder_.put("cut.onnx", file_bytes(model()).substr(0, 5000));
  EXPECT_EQ(run_octet(quantize(cut, data())).exit_code, 3);
  EXPECT_EQ(file_bytes(old), "what was here before");
  EXPECT_THAT(names_in(folder_.path("out")), ElementsAre("result"));
}

TEST_F(Output, SuccessReplacesTheOldFileAndLeavesNothingElse) {
  const std::string path = folder_.put("out/result", "what was here before");
  const auto run = run_octet(quick());
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run_octet({"inspect", path}).exit_code, 0);
  EXPECT_THAT(names_in(folder_.path("out")), ElementsAre("result"));
}

TEST_F(Output, FolderWithoutPermission) {
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
  RunOptions options;
  options.user = RunOptions::User::kNobodyIfRoot;
  if (run_octet({"inspect", model()}, options).exit_code != 0) {
    GTEST_SKIP() << "no other user may run the program here";
  }
  std::filesystem::permissions(folder_.path("out"), std::filesystem::perms(0555));
  refused(6, quick(), {"out/result", "Permission denied; give this user the right to write there"},
          options);
}

TEST_F(Output, StandardOutputThatIsFull) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  RunOptions options;
  options.stdout_file = "/dev/full";
  const auto run = run_octet({"print", model()}, options);
  EXPECT_EQ(run.exit_code, 6);
  EXPECT_THAT(run.err, HasSubstr("octet: error: standard output"));
}

}  // namespace
}  // namespace octet
