// Folders of files, and data made of nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "compiler/base/thread_pool.h"
#include "compiler/data/dataset.h"
#include "compiler/data/tensor_proto.h"
#include "tests/support/data_files.h"

namespace octet::data {
namespace {

using ir::Dim;
using ir::DType;
using ir::Shape;
using test::DataFolder;
using test::npy_bytes;
using test::npz_bytes;
using test::raw;
using test::ZipMethod;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

InputSpec input(const std::string& name, DType dtype, std::vector<Dim> dims) {
  return {name, {dtype, Shape(std::move(dims))}};
}

template <typename T>
void expect_error(const Result<T>& result, ErrorCode code, const std::vector<std::string>& parts) {
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), code) << result.error().message();
  for (const std::string& part : parts) EXPECT_THAT(result.error().message(), HasSubstr(part));
}

std::string tag(int field, int wire) {
  return std::string(1, static_cast<char>(field << 3 | wire));
}
std::string sized(int field, const std::string& bytes) {
  return tag(field, 2) + static_cast<char>(bytes.size()) + bytes;
}

// dims [1, 2], float, raw_data 1 and 2.
const std::string kRawTensor = tag(1, 0) + '\1' + tag(1, 0) + '\2' + tag(2, 0) + '\1' +
                               sized(8, "x") + sized(9, raw<float>({1, 2}));

TEST(TensorProto, ReadsRawAndTypedElements) {
  EXPECT_EQ(*read_tensor_proto(kRawTensor), ir::Tensor::of<float>({1, 2}, {1, 2}));
  EXPECT_EQ(read_tensor_proto_header(kRawTensor)->name, "x");
  // Packed dims; float_data packed and one by one.
  const std::string head = sized(1, "\1\2") + tag(2, 0) + '\1';
  EXPECT_EQ(*read_tensor_proto(head + sized(4, raw<float>({3, 4}))),
            ir::Tensor::of<float>({1, 2}, {3, 4}));
  EXPECT_EQ(*read_tensor_proto(head + tag(4, 5) + raw<float>({3}) + tag(4, 5) + raw<float>({4})),
            ir::Tensor::of<float>({1, 2}, {3, 4}));
  // int64_data as varints, one of them negative.
  const std::string minus_one = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
  EXPECT_EQ(*read_tensor_proto(sized(1, "\2") + tag(2, 0) + '\7' + sized(7, minus_one + "\x05")),
            ir::Tensor::of<int64_t>({2}, {-1, 5}));
  EXPECT_EQ(*read_tensor_proto(sized(1, "\2") + tag(2, 0) + '\3' + sized(5, minus_one + "\x05")),
            ir::Tensor::of<int8_t>({2}, {-1, 5}));
  EXPECT_EQ(*read_tensor_proto(tag(2, 0) + '\x0b' + sized(10, raw<double>({2.5}))),
            ir::Tensor::of<double>({}, {2.5}));
  EXPECT_EQ(*read_tensor_proto(sized(1, std::string(1, '\0')) + tag(2, 0) + '\1'),
            ir::Tensor::of<float>({0}, {}));
}

TEST(TensorProto, RefusesWhatIsNotATensorOfNumbers) {
  const std::string head = sized(1, "\1\2") + tag(2, 0) + '\1';
  for (const std::string& bytes :
       {std::string("hello"), std::string("\xff\xff\xff"), std::string(), head,
        head + sized(9, "123"), head + sized(4, "1234567"), head + sized(5, "\1\2"),
        head + sized(9, "12345678") + sized(4, "12345678"), tag(2, 0) + '\x63',
        head + tag(9, 2) + "\x7f", head + tag(3, 3), sized(1, "\xff\xff\xff\xff\x0f") + head,
        sized(1, std::string(70, '\1')) + tag(2, 0) + '\1'}) {
    expect_error(read_tensor_proto(bytes), ErrorCode::kBadData, {});
  }
  expect_error(read_tensor_proto(sized(1, "\1") + tag(2, 0) + '\10' + sized(6, "a")),
               ErrorCode::kBadData, {"strings"});
  expect_error(read_tensor_proto(head + sized(13, "x") + tag(14, 0) + '\1'), ErrorCode::kBadData,
               {"elsewhere"});
}

TEST(TensorProto, SurvivesEveryByteChangedAndEveryCut) {
  for (size_t at = 0; at < kRawTensor.size(); ++at) {
    (void)read_tensor_proto(kRawTensor.substr(0, at)).ok();
    for (int flip = 1; flip < 256; flip += 5) {
      std::string changed = kRawTensor;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      (void)read_tensor_proto(changed).ok();
    }
  }
}

class FolderDataset : public ::testing::Test {
 protected:
  DataFolder folder_;
  const std::vector<InputSpec> inputs_ = {input("x", DType::kFloat32, {1, 2})};
};

TEST_F(FolderDataset, ReadsTestDataSetsByNumber) {
  for (const int set : {0, 2, 10}) {
    const auto value = static_cast<float>(set);
    folder_.put("test_data_set_" + std::to_string(set) + "/input_0.pb",
                sized(1, "\1\2") + tag(2, 0) + '\1' + sized(9, raw<float>({value, 1})));
    folder_.put("test_data_set_" + std::to_string(set) + "/output_0.pb", "ignored");
  }
  folder_.put("model.onnx", "ignored");
  const auto dataset = open_dataset(folder_.path(), inputs_, {});
  ASSERT_TRUE(dataset.ok()) << dataset.error().message();
  ASSERT_EQ((*dataset)->size(), 3U);
  EXPECT_EQ((*(*dataset)->get(2))[0], ir::Tensor::of<float>({1, 2}, {10, 1}));
  EXPECT_EQ((*open_dataset(folder_.path("test_data_set_2"), inputs_, {}))->size(), 1U);
}

TEST_F(FolderDataset, NamesTheTensorFileThatDoesNotFit) {
  folder_.put("test_data_set_0/input_0.pb", kRawTensor);
  expect_error(open_dataset(folder_.path(), {inputs_[0], inputs_[0]}, {}), ErrorCode::kIo,
               {"input_1.pb", "No such file"});
  folder_.put("test_data_set_0/input_1.pb", kRawTensor);
  expect_error(open_dataset(folder_.path(), inputs_, {}), ErrorCode::kBadData,
               {"input_1.pb", "has 1 inputs"});
  folder_.put("test_data_set_1/input_0.pb", "garbage");
  folder_.put("test_data_set_1/input_1.pb", kRawTensor);
  expect_error(open_dataset(folder_.path(), {inputs_[0], inputs_[0]}, {}), ErrorCode::kBadData,
               {"test_data_set_1/input_0.pb", "not an ONNX tensor"});
  expect_error(open_dataset(folder_.path(), {input("x", DType::kFloat32, {1, 3}), inputs_[0]}, {}),
               ErrorCode::kBadData, {"takes [1,3]", "is [1,2]"});
}

TEST_F(FolderDataset, ReadsAFolderOfNpzWithTheirBatchAxis) {
  for (const char* name : {"b.npz", "a.npz"}) {
    const float value = name[0] == 'a' ? 1 : 2;
    folder_.put(name, npz_bytes({{"x", npy_bytes("<f4", "(1, 2)", raw<float>({value, 9}))}},
                                ZipMethod::kDeflated));
  }
  const auto dataset = open_dataset(folder_.path(), inputs_, {});
  ASSERT_TRUE(dataset.ok()) << dataset.error().message();
  ASSERT_EQ((*dataset)->size(), 2U);
  EXPECT_EQ((*(*dataset)->get(0))[0], ir::Tensor::of<float>({1, 2}, {1, 9}));
  EXPECT_EQ((*(*dataset)->get(1))[0], ir::Tensor::of<float>({1, 2}, {2, 9}));
}

TEST_F(FolderDataset, NamesTheOneBadFileAmongMany) {
  const std::string good =
      npz_bytes({{"x", npy_bytes("<f4", "(1, 2)", raw<float>({1, 2}))}}, ZipMethod::kStored);
  for (int i = 0; i < 50; ++i) folder_.put("good" + std::to_string(i) + ".npz", good);
  ASSERT_TRUE(open_dataset(folder_.path(), inputs_, {}).ok());
  folder_.put("good17.npz", npz_bytes({{"x", npy_bytes("<f4", "(2, 2)", raw<float>({1, 2, 3, 4}))}},
                                      ZipMethod::kStored));
  expect_error(open_dataset(folder_.path(), inputs_, {}), ErrorCode::kBadData,
               {"good17.npz", "takes [1,2]", "is [2,2]"});
  folder_.put("good17.npz", "PK corrupt");
  expect_error(open_dataset(folder_.path(), inputs_, {}), ErrorCode::kBadData,
               {"good17.npz", "not a .npz archive"});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  folder_.put("good17.npz", npz_bytes({{"x", npy_bytes("<f4", "(1, 2)", raw<float>({1, nan}))}},
                                      ZipMethod::kStored));
  const auto dataset = open_dataset(folder_.path(), inputs_, {});
  ASSERT_TRUE(dataset.ok());
  for (size_t i = 0; i < 50; ++i) {
    const auto sample = (*dataset)->get(i);
    if (!sample.ok())
      expect_error(sample, ErrorCode::kBadData, {"good17.npz", "position 1 is NaN"});
  }
}

TEST_F(FolderDataset, RefusesEmptyAndMixedFolders) {
  expect_error(open_dataset(folder_.path(), inputs_, {}), ErrorCode::kBadData,
               {folder_.path(), "no samples"});
  folder_.put("notes.txt", "x");
  expect_error(open_dataset(folder_.path(), inputs_, {}), ErrorCode::kBadData, {"no samples"});
  folder_.put("a.jpg", "x");
  folder_.put("b.npz", "x");
  expect_error(open_dataset(folder_.path(), inputs_, {}), ErrorCode::kBadData, {"mixes kinds"});
}

TEST(RandomDataset, IsTheSameEachTimeAndForEachOrderOfReading) {
  const std::vector<InputSpec> inputs = {
      input("x", DType::kFloat32, {Dim::named("N"), 1000}), input("ids", DType::kInt64, {1, 64}),
      input("mask", DType::kBool, {1, 64}), input("pixels", DType::kUint8, {1, 1000})};
  const auto a = open_dataset("random:5", inputs, {});
  const auto b = open_dataset("random:8", inputs, {});
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_TRUE((*a)->data_free());
  ASSERT_EQ((*a)->size(), 5U);
  std::vector<Sample> read(5);
  ASSERT_TRUE(parallel_for(3, 5, [&](size_t, size_t i) -> Status {
                OCTET_ASSIGN(read[i], (*b)->get(i));
                return {};
              }).ok());
  for (size_t i = 5; i-- > 0;) EXPECT_EQ(*(*a)->get(i), read[i]);
  EXPECT_FALSE(read[0][0] == read[1][0]);
  // The values themselves are fixed: reports are compared across machines.
  EXPECT_EQ(read[0][0].shape(), (std::vector<int64_t>{1, 1000}));
  double sum = 0;
  double squares = 0;
  for (const float x : read[0][0].data<float>()) {
    sum += static_cast<double>(x);
    squares += static_cast<double>(x) * static_cast<double>(x);
  }
  EXPECT_NEAR(sum / 1000, 0.0, 0.1);
  EXPECT_NEAR(squares / 1000, 1.0, 0.1);
  for (const int64_t id : read[0][1].data<int64_t>()) EXPECT_TRUE(id == 0 || id == 1);
}

TEST(RandomDataset, RefusesCountsAndShapesItCannotMake) {
  const std::vector<InputSpec> fixed = {input("x", DType::kFloat32, {1, 2})};
  for (const char* path : {"random:", "random:0", "random:-3", "random:x", "random:5x"}) {
    expect_error(open_dataset(path, fixed, {}), ErrorCode::kUsage, {"random:N"});
  }
  expect_error(open_dataset("random:2", {input("x", DType::kFloat32, {1, Dim::named("T")})}, {}),
               ErrorCode::kBadData, {"input \"x\"", "[1,T]", "fixed"});
  expect_error(open_dataset("random:2", {input("x", DType::kString, {1})}, {}), ErrorCode::kBadData,
               {"string"});
  const auto huge = open_dataset("random:2", {input("x", DType::kFloat32, {1, 1LL << 60})}, {});
  ASSERT_TRUE(huge.ok());
  expect_error((*huge)->get(0), ErrorCode::kResourceLimit, {});
}

TEST(Labels, ReadsArraysAndText) {
  DataFolder folder;
  const std::string npy = folder.put("l.npy", npy_bytes("<i8", "(3,)", raw<int64_t>({4, 5, 6})));
  EXPECT_THAT(*read_labels(npy, 3), ElementsAre(4, 5, 6));
  const std::string column = folder.put("c.npy", npy_bytes("<i4", "(2, 1)", raw<int32_t>({7, 8})));
  EXPECT_THAT(*read_labels(column, 2), ElementsAre(7, 8));
  EXPECT_THAT(*read_labels(folder.put("a.txt", "3\n1\n\n 2 \r\n"), 3), ElementsAre(3, 1, 2));
  EXPECT_THAT(*read_labels(folder.put("b.txt", "b.jpg 1\na photo.jpg\t2\nB.jpg 3"), 3),
              ElementsAre(3, 2, 1));
}

TEST(Labels, RefusesWhatCannotBeLabels) {
  DataFolder folder;
  expect_error(read_labels(folder.put("a.txt", "3\n1\n"), 3), ErrorCode::kBadData,
               {"2 labels for 3 samples"});
  expect_error(read_labels(folder.put("a.txt", "3\nx\n"), 2), ErrorCode::kBadData, {"line 2"});
  expect_error(read_labels(folder.put("a.txt", "3\na.jpg 1\n"), 2), ErrorCode::kBadData,
               {"line 2"});
  expect_error(read_labels(folder.put("a.txt", "a.jpg 3\na.jpg 1\n"), 2), ErrorCode::kBadData,
               {"\"a.jpg\" has two labels"});
  expect_error(read_labels(folder.put("a.txt", "-3\n"), 1), ErrorCode::kBadData, {"label 0 is -3"});
  expect_error(read_labels(folder.put("f.npy", npy_bytes("<f4", "(1,)", raw<float>({1}))), 1),
               ErrorCode::kBadData, {"float32"});
  expect_error(read_labels(folder.path("none"), 1), ErrorCode::kIo, {"No such file"});
}

}  // namespace
}  // namespace octet::data
