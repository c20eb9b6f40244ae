// The gate in front of protobuf: rows 2 to 10 of the list of bad inputs.
#include "compiler/onnx/wire_check.h"

#include "tests/unit/compiler/onnx/make_model.h"

namespace octet::onnx {
namespace {

using testing::HasSubstr;

std::string tagged(uint32_t field, const std::string& contents) {
  std::string bytes(1, static_cast<char>(field << 3 | 2));
  size_t size = contents.size();
  for (; size >= 0x80; size >>= 7) bytes += static_cast<char>((size & 0x7F) | 0x80);
  bytes += static_cast<char>(size);
  return bytes + contents;
}

void expect_wrong(const std::string& bytes, const Names& parts) {
  expect_refused(import_bytes(bytes, ""), ErrorCode::kMalformed, parts);
}

// Row 2.
TEST(WireCheck, RefusesWhatIsNoModel) {
  expect_wrong("", {"not an ONNX model"});
  expect_wrong("\x08", {"not an ONNX model", "byte 0"});
  expect_wrong(std::string(1024, '\xFF'), {"not an ONNX model", "byte 0"});
  expect_wrong("\xFF\xD8\xFF\xE0\x00\x10JFIF", {"not an ONNX model"});
  expect_wrong("\x1F\x8B\x08", {"not an ONNX model"});
  expect_wrong("<ir_version: 8, opset_import: [\"\" : 17]>", {"not an ONNX model"});
}

// Row 3.
TEST(WireCheck, RefusesAModelCutAtAnyByte) {
  for (const ::onnx::ModelProto& model : {relu_model(), if_model()}) {
    const std::string bytes = serialize(model);
    for (size_t size = 0; size < bytes.size(); ++size) {
      const auto result = import_bytes(bytes.substr(0, size), "");
      if (result.ok()) continue;  // the cut fell between two messages
      EXPECT_EQ(static_cast<int>(result.error().code()), static_cast<int>(ErrorCode::kMalformed))
          << result.error().message();
    }
  }
}

TEST(WireCheck, TakesOrRefusesAModelWithAnyBitChanged) {
  const std::string bytes = serialize(if_model());
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      const auto result = import_bytes(changed, "");
      if (!result.ok()) {
        EXPECT_NE(static_cast<int>(result.error().code()), 70) << result.error().message();
        continue;
      }
      const auto written = export_model(*result);
      ASSERT_TRUE(written.ok()) << written.error().message();
      const auto again = import_bytes(*written, "");
      ASSERT_TRUE(again.ok()) << "byte " << at << ": " << again.error().message();
      EXPECT_TRUE(*again == *result) << "byte " << at << ", bit " << bit;
    }
  }
}

// Row 4.
TEST(WireCheck, RefusesBrokenTagsAndNumbers) {
  expect_wrong(std::string("\x08") + std::string(11, '\x80'), {"byte 0", "field 1"});
  expect_wrong(std::string("\x08\x08\x00\x01", 4), {"byte 2", "field number 0"});
  expect_wrong("\x08\x08\x7E", {"byte 2", "wire type 6"});
  expect_wrong("\x08\x08\x7F", {"byte 2", "wire type 7"});
  expect_wrong("\x08\x08\xF3\x01", {"byte 2", "wire type 3"});
  expect_wrong(std::string("\x0A\x00", 2), {"field 1 has wire type 2"});
}

// Row 5.
TEST(WireCheck, RefusesLengthsBeyondTheRest) {
  expect_wrong("\x3A\x05\x0A", {"byte 0", "claims 5 bytes, 1 are left"});
  expect_wrong(std::string("\x3A\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11),
               {"claims 9223372036854775808 bytes"});
  expect_wrong(std::string("\x3A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11), {"claims"});
}

// Row 6: attribute -> graph -> node -> attribute ...
TEST(WireCheck, LimitsNesting) {
  for (int depth : {120, 3'000}) {
    std::string bytes;
    for (int i = 0; i < depth / 3; ++i) bytes = tagged(1, tagged(5, tagged(6, bytes)));
    expect_wrong(tagged(7, bytes), {"nested more than"});
  }
}

TEST(WireCheck, TakesNestingToTheLimitAndNoFurther) {
  const auto nested = [](int bodies) {
    ::onnx::ModelProto model = if_model();
    ::onnx::GraphProto* graph = model.mutable_graph();
    for (int i = 1; i < bodies; ++i) {
      graph = graph->mutable_node(0)->mutable_attribute(0)->mutable_g();
      const ::onnx::ModelProto inner = if_model();
      graph->clear_initializer();
      *graph->mutable_node(0) = inner.graph().node(0);
      graph->mutable_node(0)->set_output(0, "t");
    }
    return model;
  };
  EXPECT_TRUE(imported(nested(3)).ok());
  const auto deepest = imported(nested(31));
  EXPECT_TRUE(deepest.ok()) << deepest.error().message();
  expect_refused(imported(nested(32)), ErrorCode::kResourceLimit, {"\"choose\"", "more than 32"});
}

// Row 9.
TEST(WireCheck, RefusesSingularFieldsGivenTwice) {
  const std::string bytes = serialize(relu_model());
  expect_wrong(bytes + tagged(7, ""), {"field 7 is given twice"});
  expect_wrong(bytes + "\x08\x07", {"field 1 is given twice"});
}

// Row 10.
TEST(WireCheck, RefusesTrailingBytes) {
  expect_wrong(serialize(relu_model()) + std::string(3, '\0'), {"field number 0"});
}

// Row 8.
TEST(WireCheck, LimitsTheNumberOfMessages) {
  std::string bytes = serialize(relu_model());
  for (int i = 0; i < 1000; ++i) bytes += tagged(14, "");
  ImportOptions options;
  EXPECT_TRUE(import_bytes(bytes, "", options).ok());
  options.max_items = 500;
  expect_refused(import_bytes(bytes, "", options), ErrorCode::kResourceLimit, {"more than 500"});
}

TEST(WireCheck, SkipsUnknownFieldsAndNamesTheMessage) {
  EXPECT_TRUE(check_wire(tagged(15, std::string(100'000, '\xFF')), WireMessage::kModel, {}).ok());
  const auto wrong = check_wire(tagged(7, "\x10"), WireMessage::kModel, {});
  ASSERT_FALSE(wrong.ok());
  EXPECT_THAT(wrong.error().message(), HasSubstr("byte 2 (GraphProto)"));
}

}  // namespace
}  // namespace octet::onnx
