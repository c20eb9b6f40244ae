// Real models come back from export as they were.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "tests/unit/compiler/onnx/make_model.h"

namespace octet::onnx {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> models_below(const fs::path& folder) {
  std::vector<fs::path> found;
  if (!fs::is_directory(folder)) return found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".onnx") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

Names names_of(const google::protobuf::RepeatedPtrField<::onnx::ValueInfoProto>& infos) {
  Names names;
  for (const auto& info : infos) names.push_back(info.name());
  return names;
}

Names names_of(const google::protobuf::RepeatedPtrField<::onnx::NodeProto>& nodes) {
  Names names;
  for (const auto& node : nodes) names.push_back(node.name());
  return names;
}

void expect_round_trip(const fs::path& path) {
  SCOPED_TRACE(path.filename().string());
  auto graph = import_model(path.string());
  ASSERT_TRUE(graph.ok()) << graph.error().message();
  auto bytes = export_model(*graph);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message();
  auto again = import_bytes(*bytes, "");
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_TRUE(*again == *graph);

  ::onnx::ModelProto before;
  ::onnx::ModelProto after;
  std::FILE* file = std::fopen(path.c_str(), "rb");
  ASSERT_NE(file, nullptr);
  EXPECT_TRUE(before.ParseFromFileDescriptor(fileno(file)));
  std::fclose(file);
  EXPECT_TRUE(after.ParseFromString(*bytes));
  EXPECT_EQ(names_of(before.graph().input()), names_of(after.graph().input()));
  EXPECT_EQ(names_of(before.graph().output()), names_of(after.graph().output()));
  EXPECT_EQ(names_of(before.graph().node()), names_of(after.graph().node()));
  EXPECT_EQ(before.graph().initializer_size(), after.graph().initializer_size());
}

TEST(Models, OfTheRepositoryRoundTrip) {
  const auto models = models_below(fs::path(OCTET_SOURCE_DIR) / "models");
  EXPECT_GE(models.size(), 4u);
  for (const fs::path& path : models) expect_round_trip(path);
}

TEST(Models, OfTheCorpusRoundTrip) {
  const char* shared = std::getenv("OCTET_SHARED");
  if (shared == nullptr) GTEST_SKIP() << "OCTET_SHARED does not name the folder with the corpus";
  const auto models = models_below(fs::path(shared) / "corpus" / "models");
  EXPECT_GE(models.size(), 12u);
  for (const fs::path& path : models) expect_round_trip(path);
}

}  // namespace
}  // namespace octet::onnx
