// External data: rows 57 to 66 of the list of bad inputs; what the files look like is files_test's.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "compiler/onnx/sha1.h"
#include "tests/unit/compiler/onnx/make_model.h"

namespace octet::onnx {
namespace {

namespace fs = std::filesystem;

class ExternalData : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              cat("octet_external_", getpid(), "_",
                  testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_ / "sub");
    const float values[] = {1, 2, 3, 4};
    data_ = std::string(reinterpret_cast<const char*>(values), sizeof(values));
    write("w.bin", data_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }

  using Entries = std::vector<std::pair<std::string, std::string>>;

  // float [2] from external data.
  static ::onnx::ModelProto model(const Entries& entries) {
    ::onnx::ModelProto model = relu_model();
    ::onnx::TensorProto& tensor = add_floats(*model.mutable_graph(), "w", {2}, {});
    tensor.set_data_location(::onnx::TensorProto::EXTERNAL);
    for (const auto& [key, value] : entries) {
      auto& entry = *tensor.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    }
    return model;
  }

  Result<ir::Graph> read(const ::onnx::ModelProto& model) const {
    write("model.onnx", serialize(model));
    return import_model((folder_ / "model.onnx").string());
  }

  std::vector<float> weights(const Entries& entries) const {
    auto graph = read(model(entries));
    if (!graph.ok()) {
      ADD_FAILURE() << graph.error().message();
      return {};
    }
    return graph->constant(graph->find_value("w"))->to_floats();
  }

  void expect_refused_entries(const Entries& entries, const Names& parts) const {
    SCOPED_TRACE(entries.empty() ? "" : entries[0].second.substr(0, 40));
    Names all = parts;
    all.push_back("\"w\"");
    expect_refused(read(model(entries)), ErrorCode::kMalformed, all);
  }

  fs::path folder_;
  std::string data_;
};

TEST_F(ExternalData, IsReadAtItsOffset) {
  using Floats = std::vector<float>;
  EXPECT_EQ(weights({{"location", "w.bin"}}), (Floats{1, 2}));
  EXPECT_EQ(weights({{"location", "w.bin"}, {"offset", "8"}, {"length", "8"}}), (Floats{3, 4}));
  EXPECT_EQ(weights({{"location", "w.bin"}, {"offset", "4"}}), (Floats{2, 3}));
  EXPECT_EQ(weights({{"location", "w.bin"}, {"checksum", sha1_hex(data_.substr(0, 8))}}),
            (Floats{1, 2}));
  write("sub/odd.bin", "x" + data_);
  EXPECT_EQ(weights({{"location", "sub/odd.bin"}, {"offset", "1"}}), (Floats{1, 2}));
}

// Row 57.
TEST_F(ExternalData, RefusesLocationsThatAreNotPlain) {
  for (const std::string& location :
       {std::string("../x"), std::string("a/../../x"), std::string("/etc/passwd"),
        std::string("sub//x"), std::string("./w.bin"), std::string("."), std::string("sub/"),
        std::string(""), std::string("w.bin\0", 6), std::string(5000, 'a')}) {
    expect_refused_entries({{"location", location}}, {});
  }
}

// Rows 58 and 59.
TEST_F(ExternalData, RefusesLinks) {
  fs::create_symlink(folder_ / "w.bin", folder_ / "link.bin");
  EXPECT_FALSE(read(model({{"location", "link.bin"}})).ok());
  fs::create_directory_symlink(folder_ / "sub", folder_ / "linked");
  write("sub/w.bin", data_);
  EXPECT_FALSE(read(model({{"location", "linked/w.bin"}})).ok());
  fs::create_hard_link(folder_ / "w.bin", folder_ / "hard.bin");
  EXPECT_FALSE(read(model({{"location", "hard.bin"}})).ok());
}

// Row 62.
TEST_F(ExternalData, RefusesNumbersThatAreNone) {
  for (const char* text : {"-1", "text", "1e9", "0x10", " 1", "1 ", "18446744073709551615", ""}) {
    expect_refused_entries({{"location", "w.bin"}, {"offset", text}}, {"offset"});
    expect_refused_entries({{"location", "w.bin"}, {"length", text}}, {"length"});
  }
  expect_refused_entries({{"location", "w.bin"}, {"offset", "9223372036854775807"}}, {"offset"});
  expect_refused_entries({{"location", "w.bin"}, {"offset", "9"}}, {});
}

// Row 63.
TEST_F(ExternalData, RefusesAnotherLengthThanTheShapes) {
  expect_refused_entries({{"location", "w.bin"}, {"length", "12"}}, {"length 12", "need 8"});
}

// Row 64.
TEST_F(ExternalData, IsNotTheModelItself) {
  expect_refused_entries({{"location", "model.onnx"}}, {"the model itself"});
}

// Row 65.
TEST_F(ExternalData, RefusesUnknownAndRepeatedKeysAndWrongSums) {
  expect_refused_entries({{"location", "w.bin"}, {"__class__", "x"}}, {"__class__"});
  expect_refused_entries({{"location", "w.bin"}, {"location", "w.bin"}}, {"twice"});
  expect_refused_entries({{"location", "w.bin"}, {"checksum", "00"}}, {"checksum"});
  expect_refused_entries({{"offset", "0"}}, {"no location"});
}

// Row 66.
TEST_F(ExternalData, RefusesDataInBothPlacesAndStrings) {
  ::onnx::ModelProto both = model({{"location", "w.bin"}});
  both.mutable_graph()->mutable_initializer(0)->set_raw_data(data_.substr(0, 8));
  expect_refused(read(both), ErrorCode::kMalformed, {"\"w\"", "both"});
  ::onnx::ModelProto text = model({{"location", "w.bin"}});
  text.mutable_graph()->mutable_initializer(0)->set_data_type(8);
  expect_refused(read(text), ErrorCode::kMalformed, {"\"w\"", "string"});
  ::onnx::ModelProto undeclared = model({{"location", "w.bin"}});
  undeclared.mutable_graph()->mutable_initializer(0)->clear_data_location();
  expect_refused(read(undeclared), ErrorCode::kMalformed, {"\"w\"", "data_location"});
}

TEST_F(ExternalData, IsReadForAttributesToo) {
  ::onnx::ModelProto model = relu_model();
  ::onnx::NodeProto& node = add_node(*model.mutable_graph(), "Constant", {}, {"k"});
  auto& attribute = add_attribute(node, "value", ::onnx::AttributeProto::TENSOR);
  *attribute.mutable_t() = ExternalData::model({{"location", "w.bin"}}).graph().initializer(0);
  auto graph = read(model);
  ASSERT_TRUE(graph.ok()) << graph.error().message();
  const ir::Node& read_node =
      graph->node(graph->find_value("k").valid() ? graph->value(graph->find_value("k")).producer
                                                 : ir::NodeId());
  EXPECT_EQ(ir::tensor_attribute(read_node, "value")->to_floats(), (std::vector<float>{1, 2}));
}

TEST_F(ExternalData, IsChargedToTheBudget) {
  ImportOptions options;
  options.max_tensor_bytes = 7;
  write("model.onnx", serialize(model({{"location", "w.bin"}})));
  expect_refused(import_model((folder_ / "model.onnx").string(), options),
                 ErrorCode::kResourceLimit, {"\"w\""});
}

TEST_F(ExternalData, IsWrittenForLargeModels) {
  ::onnx::ModelProto source = relu_model();
  std::vector<float> values(1000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  add_floats(*source.mutable_graph(), "w", {1000}, values);
  add_floats(*source.mutable_graph(), "small", {1}, {1});
  add_floats(*source.mutable_graph(), "w2", {1000}, values);
  auto graph = imported(source);
  ASSERT_TRUE(graph.ok());
  const std::string path = (folder_ / "large.onnx").string();
  const Status status = write_model(*graph, path, {.max_inline_bytes = 1000});
  ASSERT_TRUE(status.ok()) << status.error().message();
  auto again = import_model(path);
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_TRUE(*again == *graph);
  EXPECT_LT(fs::file_size(path), 1000u);
  int data_files = 0;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() == ".data") ++data_files;
  }
  EXPECT_EQ(data_files, 1);
}

TEST(Sha1, GivesTheDigestsOfTheStandard) {
  EXPECT_EQ(sha1_hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(sha1_hex(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(sha1_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(sha1_hex(std::string(1'000'000, 'a')), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

}  // namespace
}  // namespace octet::onnx
