#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "backends/backends.h"

namespace octet::backends {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kSmall = R"(
name: "chip"
space { name: "a" dtype: "int8" symmetric: true }
space { name: "w" dtype: "int8" symmetric: true per_channel: true qmin: -127 qmax: 127 }
op { type: "Conv" data: "a" weight: "w" }
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

std::string error_of(const std::string& text) {
  const auto parsed = parse_backend(text, "chip.textproto");
  EXPECT_FALSE(parsed.ok());
  if (parsed.ok()) return "";
  EXPECT_EQ(parsed.error().code(), ErrorCode::kUsage);
  return parsed.error().message();
}

TEST(LoadBackend, EveryBuiltInDescriptionLoads) {
  EXPECT_THAT(builtin_backends(), ElementsAre("arm", "openvino", "tensorrt", "toy", "x86"));
  for (const std::string& name : builtin_backends()) {
    const auto spec = load_backend(name);
    ASSERT_TRUE(spec.ok()) << spec.error().message();
    EXPECT_EQ(spec->name, name);
    EXPECT_FALSE(spec->doc.empty());
  }
}

TEST(LoadBackend, AVendorsFileLoadsFromAnywhere) {
  const auto folder = std::filesystem::temp_directory_path() / "octet_vendor_test";
  std::filesystem::create_directories(folder);
  const std::string path = (folder / "chip.textproto").string();
  std::ofstream(path) << kSmall;
  const auto spec = load_backend(path);
  ASSERT_TRUE(spec.ok()) << spec.error().message();
  EXPECT_EQ(spec->name, "chip");
  EXPECT_EQ(spec->emitter, "plain");
  std::filesystem::remove_all(folder);
}

TEST(LoadBackend, AnUnknownNameNamesTheNearest) {
  const auto spec = load_backend("openvin");
  ASSERT_FALSE(spec.ok());
  EXPECT_THAT(spec.error().message(), HasSubstr("\"openvino\""));
}

TEST(LoadBackend, ATypoSaysFileLineAndColumn) {
  EXPECT_THAT(error_of(replaced(kSmall, "dtype", "dtyp")), HasSubstr("chip.textproto:3:"));
}

// QuantizeLinear takes 16 and 4 bits from ai.onnx 21 on.
TEST(LoadBackend, WidthsThatTheOpsetLacksAreRefused) {
  for (const char* dtype : {"int16", "uint16", "int4", "uint4"}) {
    const std::string text = cat("name: \"chip\"\nspace { name: \"act\" dtype: \"", dtype, "\" }\n",
                                 "op { type: \"Relu\" data: \"act\" }\n");
    EXPECT_THAT(error_of(text),
                HasSubstr(cat("chip.textproto: space \"act\": ", dtype, " needs opset: 21")));
    const auto newer = parse_backend(text + "opset: 21\n", "chip.textproto");
    EXPECT_TRUE(newer.ok()) << newer.error().message();
  }
}

TEST(LoadBackend, WideDataIsASpaceOf16BitsForOperatorsWithAWeight) {
  const std::string wide = "opset: 21 space { name: \"w16\" dtype: \"int16\" symmetric: true }\n";
  const std::string small = kSmall + wide;
  const auto with = [&](const std::string& space) {
    return replaced(small, "data: \"a\" weight",
                    cat("data: \"a\" wide_data: \"", space, "\" weight"));
  };
  const auto spec = parse_backend(with("w16"), "chip.textproto");
  ASSERT_TRUE(spec.ok()) << spec.error().message();
  EXPECT_EQ(spec->ops.front().wide_data_space, "w16");
  EXPECT_THAT(error_of(with("w61")), HasSubstr("wide_data names the space \"w61\", which is none"));
  EXPECT_THAT(error_of(with("a")), HasSubstr("takes a space of 16 bits beside data of 8"));
  EXPECT_THAT(error_of(with("w")), HasSubstr("per channel"));
  EXPECT_THAT(error_of(small + "op { type: \"Relu\" data: \"a\" wide_data: \"w16\" }"),
              HasSubstr("only operators with a weight"));
  // What the runtimes behind the built-in descriptions compute in integers has 8 bits.
  for (const std::string& name : builtin_backends()) {
    const auto builtin = load_backend(name);
    for (const plan::OpRule& rule : builtin->ops) EXPECT_EQ(rule.wide_data_space, "");
  }
}

TEST(LoadBackend, OnlyWhatKeepsItsElementsMoves) {
  const std::string rest = " data: \"a\" }";
  for (const char* type : {"Sigmoid", "Clip", "Add", "AveragePool"}) {
    for (const char* runs : {"MOVES", "TRANSPARENT"}) {
      EXPECT_THAT(error_of(cat(kSmall, "op { type: \"", type, "\" runs: ", runs, rest)),
                  ::testing::AllOf(HasSubstr(type), HasSubstr(runs), HasSubstr("BETWEEN")));
    }
  }
  for (const char* type : {"MaxPool", "Concat", "Resize", "Gather"}) {
    const auto spec =
        parse_backend(cat(kSmall, "op { type: \"", type, "\" runs: MOVES", rest), "c");
    EXPECT_TRUE(spec.ok()) << spec.error().message();
  }
}

TEST(LoadBackend, WhatCannotBeIsRefused) {
  EXPECT_THAT(error_of(replaced(kSmall, "\"Conv\"", "\"Convv\"")), HasSubstr("\"Conv\""));
  EXPECT_THAT(error_of(replaced(kSmall, "data: \"a\"", "data: \"b\"")), HasSubstr("space \"b\""));
  EXPECT_THAT(error_of(replaced(kSmall, "data: \"a\"", "data: \"w\"")), HasSubstr("per channel"));
  EXPECT_THAT(error_of(replaced(kSmall, "weight: \"w\"", "")), HasSubstr("weight"));
  EXPECT_THAT(error_of(replaced(kSmall, "dtype: \"int8\"", "dtype: \"float32\"")),
              HasSubstr("integer type"));
  EXPECT_THAT(error_of(replaced(kSmall, "qmin: -127", "qmin: -300")), HasSubstr("does not fit"));
  EXPECT_THAT(error_of(replaced(kSmall, "name: \"chip\"", "")), HasSubstr("name"));
  EXPECT_THAT(error_of("name: \"chip\""), HasSubstr("no op"));
  const std::string near = "space { name: \"u\" dtype: \"uint8\" nearly_symmetric: ";
  EXPECT_THAT(error_of(kSmall + near + "\"u\" }"), HasSubstr("\"u\", which is not symmetric"));
  EXPECT_THAT(error_of(kSmall + near + "\"w\" }"), HasSubstr("per channel"));
  EXPECT_THAT(error_of(kSmall + near + "\"b\" }"),
              HasSubstr("\"b\", which is none; there are \"a\""));
  EXPECT_THAT(error_of(std::string(kSmall) + "emitter: \"x87\""), HasSubstr("\"x86\""));
  EXPECT_THAT(error_of(std::string(kSmall) + "op { type: \"Shape\" data: \"a\" }"),
              HasSubstr("no integer form"));
}

}  // namespace
}  // namespace octet::backends
