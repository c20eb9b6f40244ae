// Each pass does to its golden graphs what tests/golden/passes/<pass>/*.oct says, and keeps its
// promises on them. OCTET_UPDATE_GOLDEN=1 writes what it does now, for a person to read.
#include <gtest/gtest.h>

#include <cstdlib>
#include <ostream>
#include <string>
#include <vector>

#include "compiler/base/files.h"
#include "compiler/ir/parse.h"
#include "compiler/ir/print.h"
#include "compiler/ops/schema.h"
#include "tests/support/pass_harness.h"

namespace octet::passes {
namespace {

struct GoldenFile {
  std::string pass;
  std::string name;

  std::string path() const {
    return std::string(OCTET_SOURCE_DIR) + "/tests/golden/passes/" + pass + "/" + name;
  }
};

void PrintTo(const GoldenFile& file, std::ostream* out) { *out << file.pass << "/" << file.name; }

std::vector<GoldenFile> golden_files() {
  std::vector<GoldenFile> out;
  for (const PassInfo& pass : all_passes()) {
    const std::string name(pass.name);
    const auto files = list_files(std::string(OCTET_SOURCE_DIR) + "/tests/golden/passes/" + name);
    EXPECT_TRUE(files.ok() && !files->empty()) << name << " has no golden graphs";
    if (!files.ok()) continue;
    for (const std::string& file : *files) out.push_back({name, file});
  }
  return out;
}

class Golden : public ::testing::TestWithParam<GoldenFile> {};

std::string test_name(const ::testing::TestParamInfo<GoldenFile>& info) {
  return info.param.pass + "_" + info.param.name.substr(0, info.param.name.rfind('.'));
}

INSTANTIATE_TEST_SUITE_P(Passes, Golden, ::testing::ValuesIn(golden_files()), test_name);

TEST_P(Golden, BecomesWhatTheFileSays) {
  const std::string path = GetParam().path();
  const auto text = read_file(path);
  ASSERT_TRUE(text.ok()) << text.error().message();
  const size_t cut = text->find("\n---\n");
  ASSERT_NE(cut, std::string::npos) << path << " has no line ---";
  const std::string before_text = text->substr(0, cut + 1);
  auto before = ir::parse(before_text);
  ASSERT_TRUE(before.ok()) << path << ":" << before.error().message();
  const auto inferred = ops::infer_graph(*before);
  ASSERT_TRUE(inferred.ok()) << path << ": " << inferred.error().message();

  const auto check = testing::check_pass(GetParam().pass, *before);
  std::string got = ir::print(check.after);
  for (const std::string& note : check.report.notes) got += "# note: " + note + "\n";
  for (const std::string& note : check.report.left_alone) got += "# left alone: " + note + "\n";
  if (std::getenv("OCTET_UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(write_file_atomic(path, before_text + "---\n" + got).ok());
    return;
  }
  EXPECT_EQ(got, text->substr(cut + 5));
  const bool runnable = GetParam().name.find("unknown_operator") == std::string::npos;
  EXPECT_EQ(check.compared, runnable);
}

}  // namespace
}  // namespace octet::passes
