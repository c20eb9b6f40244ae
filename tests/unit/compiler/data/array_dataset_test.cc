#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "compiler/data/dataset.h"
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

const InputSpec kX = input("x", DType::kFloat32, {1, 2});

template <typename T>
void expect_error(const Result<T>& result, ErrorCode code, const std::vector<std::string>& parts) {
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), code) << result.error().message();
  for (const std::string& part : parts) EXPECT_THAT(result.error().message(), HasSubstr(part));
}

Result<std::unique_ptr<Dataset>> open(const std::string& path, const InputSpec& spec = kX) {
  return open_dataset(path, {spec}, {});
}

class ArrayDataset : public ::testing::Test {
 protected:
  // Opens a .npy of these parts.
  Result<std::unique_ptr<Dataset>> npy(const std::string& descr, const std::string& shape,
                                       const std::string& data, const InputSpec& spec = kX,
                                       int version = 1) {
    return open(folder_.put("a.npy", npy_bytes(descr, shape, data, version)), spec);
  }

  DataFolder folder_;
};

TEST_F(ArrayDataset, GivesARowAsABatchOfOne) {
  const auto dataset = npy("<f4", "(3, 2)", raw<float>({1, 2, 3, 4, 5, 6}));
  ASSERT_TRUE(dataset.ok()) << dataset.error().message();
  EXPECT_EQ((*dataset)->size(), 3U);
  EXPECT_FALSE((*dataset)->data_free());
  const Sample sample = *(*dataset)->get(1);
  ASSERT_EQ(sample.size(), 1U);
  EXPECT_EQ(sample[0], ir::Tensor::of<float>({1, 2}, {3, 4}));
}

TEST_F(ArrayDataset, ReadsEveryVersionAndEitherByteOrder) {
  for (const int version : {1, 2, 3}) {
    const auto dataset = npy("<f4", "(1, 2)", raw<float>({1, 2}), kX, version);
    ASSERT_TRUE(dataset.ok()) << dataset.error().message();
  }
  const auto big = npy(">f4", "(1, 2)", std::string("\x3f\x80\0\0\xc0\x49\x0f\xdb", 8));
  ASSERT_TRUE(big.ok());
  EXPECT_EQ((*(*big)->get(0))[0], ir::Tensor::of<float>({1, 2}, {1.0F, -3.14159274F}));
}

TEST_F(ArrayDataset, TakesAsManyRowsAsTheModelFixes) {
  const InputSpec pairs = input("x", DType::kFloat32, {2, 1});
  const auto dataset = npy("<f4", "(4, 1)", raw<float>({1, 2, 3, 4}), pairs);
  ASSERT_TRUE(dataset.ok());
  EXPECT_EQ((*dataset)->size(), 2U);
  EXPECT_EQ((*(*dataset)->get(1))[0], ir::Tensor::of<float>({2, 1}, {3, 4}));
  expect_error(npy("<f4", "(3, 1)", raw<float>({1, 2, 3}), pairs), ErrorCode::kBadData,
               {"2 rows at a time", "has 3"});
}

TEST_F(ArrayDataset, TakesRowsThatHaveTheirOwnBatchAxis) {
  const auto dataset = npy("<f4", "(2, 1, 2)", raw<float>({1, 2, 3, 4}));
  ASSERT_TRUE(dataset.ok());
  EXPECT_EQ((*(*dataset)->get(1))[0], ir::Tensor::of<float>({1, 2}, {3, 4}));
}

TEST_F(ArrayDataset, LetsDynamicDimensionsTakeWhatTheDataGives) {
  const InputSpec open_shape = input("x", DType::kFloat32, {Dim::named("N"), Dim()});
  const auto dataset = npy("<f4", "(1, 4)", raw<float>({1, 2, 3, 4}), open_shape);
  ASSERT_TRUE(dataset.ok());
  EXPECT_THAT((*(*dataset)->get(0))[0].shape(), ElementsAre(1, 4));
  InputSpec unranked = kX;
  unranked.type.shape = Shape();
  EXPECT_TRUE(npy("<f4", "(2, 2)", raw<float>({1, 2, 3, 4}), unranked).ok());
}

TEST_F(ArrayDataset, ConvertsDoubleToFloatAndBetweenIndexTypesWithinRange) {
  const auto doubles = npy("<f8", "(1, 2)", raw<double>({0.1, -1e300}));
  ASSERT_TRUE(doubles.ok());
  expect_error((*doubles)->get(0), ErrorCode::kBadData,
               {"sample 0", "\"x\"", "position 1", "-1e+300", "beyond the range of float32"});
  const auto fine = npy("<f8", "(1, 2)", raw<double>({0.1, 1e-300}));
  EXPECT_EQ((*(*fine)->get(0))[0], ir::Tensor::of<float>({1, 2}, {0.1F, 0.0F}));

  const InputSpec int32 = input("x", DType::kInt32, {1, 2});
  const auto ids = npy("<i8", "(1, 2)", raw<int64_t>({7, -5}), int32);
  EXPECT_EQ((*(*ids)->get(0))[0], ir::Tensor::of<int32_t>({1, 2}, {7, -5}));
  const auto large = npy("<i8", "(1, 2)", raw<int64_t>({7, 1LL << 31}), int32);
  expect_error((*large)->get(0), ErrorCode::kBadData, {"position 1 is 2147483648", "int32"});
  const InputSpec int64 = input("x", DType::kInt64, {1, 2});
  const auto wide = npy("<i4", "(1, 2)", raw<int32_t>({7, -5}), int64);
  EXPECT_EQ((*(*wide)->get(0))[0], ir::Tensor::of<int64_t>({1, 2}, {7, -5}));
}

TEST_F(ArrayDataset, ReadsBoolBytesAsZeroOrOne) {
  const auto dataset =
      npy("|b1", "(1, 2)", std::string("\0\7", 2), input("x", DType::kBool, {1, 2}));
  ASSERT_TRUE(dataset.ok());
  EXPECT_EQ((*(*dataset)->get(0))[0], ir::Tensor::of<bool>({1, 2}, {false, true}));
}

TEST_F(ArrayDataset, HonoursALimit) {
  const std::string path =
      folder_.put("a.npy", npy_bytes("<f4", "(3, 2)", raw<float>({1, 2, 3, 4, 5, 6})));
  EXPECT_EQ((*open_dataset(path, {kX}, {std::nullopt, 2}))->size(), 2U);
  EXPECT_EQ((*open_dataset(path, {kX}, {std::nullopt, 99}))->size(), 3U);
  expect_error(open_dataset(path, {kX}, {std::nullopt, 0}), ErrorCode::kBadData, {"no samples"});
}

// Rows 68 to 72 of the list of bad inputs.

TEST_F(ArrayDataset, RefusesNoSamplesAndTakesOne) {
  expect_error(npy("<f4", "(0, 2)", ""), ErrorCode::kBadData, {"a.npy", "no samples"});
  EXPECT_EQ((*npy("<f4", "(1, 2)", raw<float>({0, 0})))->size(), 1U);
  expect_error(npy("<f4", "()", raw<float>({1})), ErrorCode::kBadData, {"axis of samples"});
}

TEST_F(ArrayDataset, RefusesAWrongTypeNamingBoth) {
  expect_error(npy("<i4", "(1, 2)", raw<int32_t>({1, 2})), ErrorCode::kBadData,
               {"input \"x\" takes float32", "the data is int32"});
  expect_error(npy("|u1", "(1, 2)", "ab"), ErrorCode::kBadData, {"uint8", "--preprocess"});
  expect_error(npy("<f4", "(1, 2)", raw<float>({1, 2}), input("x", DType::kFloat64, {1, 2})),
               ErrorCode::kBadData, {"takes float64", "is float32"});
}

TEST_F(ArrayDataset, RefusesAWrongRankOrShapeNamingBoth) {
  expect_error(npy("<f4", "(1, 3)", raw<float>({1, 2, 3})), ErrorCode::kBadData,
               {"input \"x\" takes [1,2]", "the data is [1,3]"});
  expect_error(npy("<f4", "(2,)", raw<float>({1, 2})), ErrorCode::kBadData,
               {"takes [1,2]", "the data is [2]"});
  expect_error(npy("<f4", "(1, 1, 3)", raw<float>({1, 2, 3})), ErrorCode::kBadData,
               {"takes [1,2]", "the data is [1,1,3]"});
}

TEST_F(ArrayDataset, NamesTheFirstValueThatIsNotFinite) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const auto nan = npy("<f4", "(2, 2)", raw<float>({1, 2, 3, kNan}));
  ASSERT_TRUE(nan.ok());
  EXPECT_TRUE((*nan)->get(0).ok());
  expect_error((*nan)->get(1), ErrorCode::kBadData,
               {"a.npy", "sample 1", "input \"x\"", "position 1 is NaN"});
  const auto inf = npy("<f4", "(1, 2)", raw<float>({-kInf, kNan}));
  expect_error((*inf)->get(0), ErrorCode::kBadData, {"position 0 is -infinity"});
  const InputSpec half = input("x", DType::kFloat16, {1, 2});
  const auto half_nan = npy("<f2", "(1, 2)", raw<uint16_t>({0x3C00, 0x7E00}), half);
  expect_error((*half_nan)->get(0), ErrorCode::kBadData, {"position 1 is NaN"});
  const auto extreme = npy("<f4", "(1, 2)", raw<float>({1e38F, 1e-45F}));
  EXPECT_TRUE((*extreme)->get(0).ok());
}

TEST_F(ArrayDataset, FindsTheFirstNonFiniteValueOfManyAtEveryPosition) {
  const InputSpec many = input("x", DType::kFloat32, {1, 9001});
  for (const size_t at : {size_t{0}, size_t{4095}, size_t{4096}, size_t{9000}}) {
    std::vector<float> values(9001, 3.0e38F);
    values[at] = std::numeric_limits<float>::infinity();
    values.back() = std::numeric_limits<float>::infinity();
    const auto dataset = npy("<f4", "(1, 9001)", raw(values), many);
    expect_error((*dataset)->get(0), ErrorCode::kBadData, {"position " + std::to_string(at) + " "});
  }
}

TEST_F(ArrayDataset, NeverUnpickles) {
  expect_error(npy("|O", "(1, 2)", "pickled"), ErrorCode::kBadData,
               {"Python objects (a pickle), which are never read"});
}

TEST_F(ArrayDataset, RefusesElementsThatNoInputTakes) {
  for (const char* descr : {"<c8", "<U4", "|S3", "|V2", "<M8[ns]", "", "f", "<f16"}) {
    expect_error(npy(descr, "(1, 2)", "12345678"), ErrorCode::kBadData, {"no input takes"});
  }
  std::string records = npy_bytes("<f4", "(1, 2)", "12345678");
  records.replace(records.find("'<f4'"), 5, "[('a'");
  expect_error(open(folder_.put("r.npy", records)), ErrorCode::kBadData, {"array of records"});
}

TEST_F(ArrayDataset, RefusesFortranOrderSayingWhatToDo) {
  const std::string bytes = npy_bytes("<f4", "(2, 2)", raw<float>({1, 2, 3, 4}), 1, "True");
  expect_error(open(folder_.put("f.npy", bytes)), ErrorCode::kBadData,
               {"Fortran order", "ascontiguousarray"});
}

TEST_F(ArrayDataset, RefusesDataShorterOrLongerThanClaimed) {
  expect_error(npy("<f4", "(3, 2)", raw<float>({1, 2})), ErrorCode::kBadData,
               {"claims float32[3,2], 24 bytes", "has 8 bytes"});
  expect_error(npy("<f4", "(1, 2)", raw<float>({1, 2, 3})), ErrorCode::kBadData,
               {"8 bytes", "has 12 bytes"});
  expect_error(npy("<f4", "(4611686018427387904, 2)", ""), ErrorCode::kBadData, {"too large"});
  expect_error(npy("<f4", "(4294967296, 4294967296)", ""), ErrorCode::kBadData, {"too large"});
}

TEST_F(ArrayDataset, RefusesHeadersThatCannotBeRead) {
  for (const char* shape : {"(-1, 2)", "(1, 2", "1, 2)", "(1 2)", "('a', 2)", "[1, 2]", "(1.5,)",
                            "(99999999999999999999, 2)", ""}) {
    expect_error(npy("<f4", shape, raw<float>({1, 2})), ErrorCode::kBadData, {"header"});
  }
  expect_error(npy("<f4", "(1, 2)", raw<float>({1, 2}), kX, 4), ErrorCode::kBadData, {"version 4"});
  std::string axes = "(";
  for (int i = 0; i < 100; ++i) axes += "1, ";
  expect_error(npy("<f4", axes + ")", raw<float>({1})), ErrorCode::kBadData, {"axes"});
  std::string huge = npy_bytes("<f4", "(1, 2)", raw<float>({1, 2}), 2);
  huge.replace(8, 4, std::string("\0\0\0\x40", 4));
  expect_error(open(folder_.put("h.npy", huge)), ErrorCode::kBadData,
               {"claims a header of 1073741824 bytes"});
}

TEST_F(ArrayDataset, RefusesTruncationAtEveryByte) {
  const std::string whole = npy_bytes("<f4", "(1, 2)", raw<float>({1, 2}));
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto dataset = open(folder_.put("t.npy", whole.substr(0, size)));
    ASSERT_FALSE(dataset.ok()) << size;
    EXPECT_EQ(dataset.error().code(), ErrorCode::kBadData);
  }
}

TEST_F(ArrayDataset, SurvivesEveryByteOfTheHeaderChanged) {
  const std::string whole = npy_bytes("<f4", "(1, 2)", raw<float>({1, 2}));
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int flip : {1, 0x10, 0x80, 0xFF}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      const auto dataset = open(folder_.put("m.npy", changed));
      if (dataset.ok()) (void)(*dataset)->get(0).ok();
    }
  }
}

TEST_F(ArrayDataset, FilesThatAreNoArraysAreNamed) {
  expect_error(open(folder_.path("missing.npy")), ErrorCode::kIo, {"missing.npy", "No such file"});
  expect_error(open(folder_.put("text.npy", "hello world")), ErrorCode::kBadData,
               {"text.npy", "neither .npy nor .npz"});
  expect_error(open(folder_.put("empty.npy", "")), ErrorCode::kBadData, {"neither"});
}

TEST_F(ArrayDataset, RefusesOneArrayForSeveralInputsAndAPreprocessForNumbers) {
  const std::string path = folder_.put("a.npy", npy_bytes("<f4", "(1, 2)", raw<float>({1, 2})));
  expect_error(open_dataset(path, {kX, kX}, {}), ErrorCode::kBadData, {"2 inputs", ".npz"});
  OpenOptions options;
  options.preprocess = Preprocess();
  expect_error(open_dataset(path, {kX}, options), ErrorCode::kUsage, {"--preprocess", "float32"});
  const std::string npz = folder_.put("a.npz", npz_bytes({}, ZipMethod::kStored));
  expect_error(open_dataset(npz, {kX}, options), ErrorCode::kUsage, {"--preprocess"});
}

class Npz : public ArrayDataset, public ::testing::WithParamInterface<ZipMethod> {
 protected:
  const std::vector<InputSpec> inputs_ = {input("b", DType::kInt64, {1, 2}), kX};
  const std::string ids_ = npy_bytes("<i8", "(2, 2)", raw<int64_t>({1, 2, 3, 4}));
  const std::string floats_ = npy_bytes("<f4", "(2, 2)", raw<float>({5, 6, 7, 8}));

  std::string put(const std::vector<std::pair<std::string, std::string>>& arrays) {
    return folder_.put("d.npz", npz_bytes(arrays, GetParam()));
  }
};

TEST_P(Npz, GivesTheArraysInTheOrderOfTheInputs) {
  const auto dataset = open_dataset(put({{"x", floats_}, {"b", ids_}}), inputs_, {});
  ASSERT_TRUE(dataset.ok()) << dataset.error().message();
  EXPECT_EQ((*dataset)->size(), 2U);
  const Sample sample = *(*dataset)->get(1);
  EXPECT_EQ(sample[0], ir::Tensor::of<int64_t>({1, 2}, {3, 4}));
  EXPECT_EQ(sample[1], ir::Tensor::of<float>({1, 2}, {7, 8}));
}

TEST_P(Npz, RefusesMissingAndExtraNamesAndDifferentCounts) {
  expect_error(open_dataset(put({{"x", floats_}}), inputs_, {}), ErrorCode::kBadData,
               {"d.npz", "no array for input \"b\""});
  expect_error(open_dataset(put({{"x", floats_}, {"b", ids_}, {"bb", ids_}}), inputs_, {}),
               ErrorCode::kBadData, {"\"bb\" is no input", "; there are \"b\", \"x\""});
  expect_error(open_dataset(put({{"x", floats_}, {"b", ids_}, {"b", ids_}}), inputs_, {}),
               ErrorCode::kBadData, {"two arrays named \"b\""});
  const std::string three = npy_bytes("<f4", "(3, 2)", raw<float>({1, 2, 3, 4, 5, 6}));
  expect_error(open_dataset(put({{"x", three}, {"b", ids_}}), inputs_, {}), ErrorCode::kBadData,
               {"2 samples of input \"b\"", "3 of input \"x\""});
  expect_error(open_dataset(put({}), inputs_, {}), ErrorCode::kBadData, {"no array for input"});
}

TEST_P(Npz, NamesTheArrayThatIsPickled) {
  const std::string objects = npy_bytes("|O", "(2, 2)", "x");
  expect_error(open_dataset(put({{"x", objects}, {"b", ids_}}), inputs_, {}), ErrorCode::kBadData,
               {"array \"x\"", "never read"});
}

TEST_P(Npz, RefusesTruncationAndSurvivesEveryByteChanged) {
  const std::string whole = npz_bytes({{"x", floats_}, {"b", ids_}}, GetParam());
  for (size_t size = 0; size < whole.size(); size += 3) {
    const auto dataset = open_dataset(folder_.put("t.npz", whole.substr(0, size)), inputs_, {});
    ASSERT_FALSE(dataset.ok()) << size;
    EXPECT_EQ(dataset.error().code(), ErrorCode::kBadData) << dataset.error().message();
  }
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int flip : {1, 0x80, 0xFF}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      const auto dataset = open_dataset(folder_.put("m.npz", changed), inputs_, {});
      if (dataset.ok()) (void)(*dataset)->get(0).ok();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, Npz, ::testing::Values(ZipMethod::kStored, ZipMethod::kDeflated));

TEST_F(ArrayDataset, VerifiesTheChecksumOfCompressedArrays) {
  std::string bytes =
      npz_bytes({{"x", npy_bytes("<f4", "(1, 2)", raw<float>({1, 2}))}}, ZipMethod::kDeflated);
  const size_t directory = bytes.rfind("PK\1\2");
  bytes[directory + 16] = static_cast<char>(bytes[directory + 16] ^ 1);
  expect_error(open(folder_.put("c.npz", bytes)), ErrorCode::kBadData, {"checksum"});
}

TEST_F(ArrayDataset, RefusesANpzBombWithoutInflatingIt) {
  // 3 GiB of zeros claimed by a header that is true to itself.
  const std::string start = npy_bytes("<f4", "(402653184, 2)", std::string(1 << 20, '\0'));
  std::string bytes = npz_bytes({{"x", start}}, ZipMethod::kDeflated);
  const uint32_t size = 3221225472U + 128;
  const size_t directory = bytes.rfind("PK\1\2");
  const uint32_t packed = 4'000'000;  // enough for the claim to be possible
  for (size_t i = 0; i < 4; ++i) {
    bytes[directory + 24 + i] = static_cast<char>(size >> (8 * i));
    bytes[directory + 20 + i] = static_cast<char>(packed >> (8 * i));
  }
  // Padding between the member and the directory, so that the packed size lies within the file.
  const size_t end = bytes.rfind("PK\5\6");
  std::string padded = bytes.substr(0, directory) + std::string(packed, '\0');
  const size_t offset = padded.size();
  padded += bytes.substr(directory);
  for (size_t i = 0; i < 4; ++i) {
    padded[offset + (end - directory) + 16 + i] = static_cast<char>(offset >> (8 * i));
  }
  expect_error(open(folder_.put("bomb.npz", padded)), ErrorCode::kResourceLimit,
               {"3221225600 bytes when inflated"});
  // The same claim out of few bytes cannot be true.
  expect_error(open(folder_.put("small.npz", bytes)), ErrorCode::kBadData, {"claims"});
}

TEST_F(ArrayDataset, RefusesOtherCompressionAndEncryption) {
  const std::string array = npy_bytes("<f4", "(1, 2)", raw<float>({1, 2}));
  std::string bytes = npz_bytes({{"x", array}}, ZipMethod::kStored);
  const size_t directory = bytes.rfind("PK\1\2");
  bytes[directory + 10] = 12;
  expect_error(open(folder_.put("b.npz", bytes)), ErrorCode::kBadData, {"method 12"});
  bytes[directory + 10] = 0;
  bytes[directory + 8] = 1;
  expect_error(open(folder_.put("e.npz", bytes)), ErrorCode::kBadData, {"encrypted"});
}

// Written with numpy.savez(path, x=...) where zipfile was made to use ZIP64 for every size: here
// the sizes of the directory entry are moved to an extra field.
TEST_F(ArrayDataset, ReadsZip64Sizes) {
  const std::string array = npy_bytes("<f4", "(1, 2)", raw<float>({1, 2}));
  std::string bytes = npz_bytes({{"x", array}}, ZipMethod::kStored);
  const size_t directory = bytes.rfind("PK\1\2");
  const size_t end = bytes.rfind("PK\5\6");
  std::string extra("\1\0\x10\0", 4);
  for (int copy = 0; copy < 2; ++copy) {
    for (int i = 0; i < 8; ++i) extra += static_cast<char>(i < 4 ? array.size() >> (8 * i) : 0);
  }
  std::string entry = bytes.substr(directory, end - directory);
  entry.replace(20, 8, std::string(8, '\xFF'));
  entry[30] = static_cast<char>(extra.size());
  entry += extra;
  std::string tail = bytes.substr(end);
  tail[12] = static_cast<char>(entry.size());
  const auto dataset = open(folder_.put("z.npz", bytes.substr(0, directory) + entry + tail));
  ASSERT_TRUE(dataset.ok()) << dataset.error().message();
  EXPECT_EQ((*(*dataset)->get(0))[0], ir::Tensor::of<float>({1, 2}, {1, 2}));
}

}  // namespace
}  // namespace octet::data
