// Tensors: every type in every form, and data that does not fit (the numbers are those of the list
// of bad inputs).
#include <cstring>

#include "compiler/onnx/tensor_io.h"
#include "tests/unit/compiler/onnx/make_model.h"

namespace octet::onnx {
namespace {

using numerics::DType;
using testing::HasSubstr;

Result<ir::Tensor> read(const ::onnx::TensorProto& proto) {
  return import_tensor_bytes(serialize(proto));
}

void expect_bad_tensor(const ::onnx::TensorProto& proto, const Names& parts,
                       ErrorCode code = ErrorCode::kMalformed) {
  const auto tensor = read(proto);
  ASSERT_FALSE(tensor.ok());
  EXPECT_EQ(static_cast<int>(tensor.error().code()), static_cast<int>(code))
      << tensor.error().message();
  for (const std::string& part : parts) EXPECT_THAT(tensor.error().message(), HasSubstr(part));
}

::onnx::TensorProto proto_of(DType dtype, const Dims& dims) {
  ::onnx::TensorProto proto;
  proto.set_data_type(static_cast<int32_t>(dtype));
  for (int64_t dim : dims) proto.add_dims(dim);
  return proto;
}

std::vector<DType> raw_types() {
  std::vector<DType> types;
  for (int32_t i = 1; numerics::is_known_dtype(i); ++i) {
    if (static_cast<DType>(i) != DType::kString) types.push_back(static_cast<DType>(i));
  }
  return types;
}

TEST(ImportTensor, RawDataOfEveryTypeRoundTrips) {
  for (DType dtype : raw_types()) {
    SCOPED_TRACE(numerics::dtype_name(dtype));
    ::onnx::TensorProto proto = proto_of(dtype, {3});
    const int64_t size = *numerics::storage_bytes(dtype, 3);
    proto.set_raw_data(std::string(static_cast<size_t>(size), '\1'));
    const auto tensor = read(proto);
    ASSERT_TRUE(tensor.ok()) << tensor.error().message();
    EXPECT_EQ(tensor->dtype(), dtype);
    const auto again = import_tensor_bytes(export_tensor_bytes(*tensor, "t"));
    ASSERT_TRUE(again.ok());
    EXPECT_TRUE(*again == *tensor);
  }
}

// Row 38.
TEST(ImportTensor, RefusesRawDataOneByteShortOrLong) {
  for (DType dtype : raw_types()) {
    SCOPED_TRACE(numerics::dtype_name(dtype));
    const int64_t size = *numerics::storage_bytes(dtype, 3);
    for (int64_t wrong : {size - 1, size + 1}) {
      ::onnx::TensorProto proto = proto_of(dtype, {3});
      proto.set_raw_data(std::string(static_cast<size_t>(wrong), '\0'));
      expect_bad_tensor(proto, {cat("raw_data has ", wrong, " bytes"), cat("needs ", size)});
    }
  }
}

TEST(ImportTensor, ReadsTypedData) {
  ::onnx::TensorProto f = proto_of(DType::kFloat32, {2});
  f.add_float_data(1.5F);
  f.add_float_data(-2.0F);
  EXPECT_EQ(read(f)->to_floats(), (std::vector<float>{1.5F, -2.0F}));

  ::onnx::TensorProto h = proto_of(DType::kFloat16, {1});
  h.add_int32_data(0x3C00);
  EXPECT_EQ(read(h)->at_as_double(0), 1.0);

  ::onnx::TensorProto u = proto_of(DType::kUint32, {1});
  u.add_uint64_data(UINT32_MAX);
  EXPECT_EQ(read(u)->at_as_int64(0), int64_t{UINT32_MAX});

  ::onnx::TensorProto i8 = proto_of(DType::kInt8, {2});
  i8.add_int32_data(-128);
  i8.add_int32_data(127);
  EXPECT_EQ(read(i8)->to_int64s(), (Dims{-128, 127}));

  ::onnx::TensorProto d = proto_of(DType::kFloat64, {1});
  d.add_double_data(0.1);
  EXPECT_EQ(read(d)->at_as_double(0), 0.1);

  ::onnx::TensorProto c = proto_of(DType::kComplex64, {1});
  c.add_float_data(1.0F);
  c.add_float_data(2.0F);
  EXPECT_EQ(read(c)->bytes().size(), 8u);

  ::onnx::TensorProto b = proto_of(DType::kBool, {2});
  b.add_int32_data(1);
  b.add_int32_data(0);
  EXPECT_EQ(read(b)->to_int64s(), (Dims{1, 0}));
}

TEST(ImportTensor, ReadsPackedTypesFromInt32Data) {
  ::onnx::TensorProto u4 = proto_of(DType::kUint4, {3});
  u4.add_int32_data(0x21);
  u4.add_int32_data(0xF3);  // the high half stands for no element
  const auto tensor = read(u4);
  ASSERT_TRUE(tensor.ok()) << tensor.error().message();
  EXPECT_EQ(tensor->to_int64s(), (Dims{1, 2, 3}));
  EXPECT_EQ(static_cast<int>(tensor->bytes()[1]), 3);

  ::onnx::TensorProto i4 = proto_of(DType::kInt4, {2});
  i4.add_int32_data(0x7F);
  EXPECT_EQ(read(i4)->to_int64s(), (Dims{-1, 7}));

  ::onnx::TensorProto i2 = proto_of(DType::kInt2, {5});
  i2.add_int32_data(0b11100100);
  i2.add_int32_data(0b01);
  EXPECT_EQ(read(i2)->to_int64s(), (Dims{0, 1, -2, -1, 1}));
}

TEST(ImportTensor, ReadsStrings) {
  ::onnx::TensorProto proto = proto_of(DType::kString, {2});
  proto.add_string_data("a");
  proto.add_string_data(std::string("\0b", 2));
  const auto tensor = read(proto);
  ASSERT_TRUE(tensor.ok());
  EXPECT_EQ(tensor->strings()[1].size(), 2u);
  const auto again = import_tensor_bytes(export_tensor_bytes(*tensor, "t"));
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(*again == *tensor);
  proto.add_string_data("c");
  expect_bad_tensor(proto, {"string_data has 3 entries"});
}

// Row 35.
TEST(ImportTensor, RefusesShapesThatOverflowOrAreNegative) {
  const std::vector<Dims> shapes = {{-1},
                                    {INT64_MIN},
                                    {INT64_MAX},
                                    {int64_t{1} << 32, int64_t{1} << 32},
                                    {65536, 65536, 65536, 65536}};
  for (const Dims& dims : shapes) {
    ::onnx::TensorProto proto = proto_of(DType::kFloat32, dims);
    proto.set_raw_data("x");
    expect_bad_tensor(proto, {});
    proto.clear_raw_data();
    proto.add_float_data(1);
    expect_bad_tensor(proto, {});
  }
}

// Row 36.
TEST(ImportTensor, TakesEmptyTensorsAndRefusesWrongCounts) {
  EXPECT_EQ(read(proto_of(DType::kFloat32, {0}))->element_count(), 0);
  EXPECT_EQ(read(proto_of(DType::kFloat32, {0, int64_t{1} << 62}))->element_count(), 0);
  expect_bad_tensor(proto_of(DType::kFloat32, {}), {"float_data has 0 entries", "need 1"});
  ::onnx::TensorProto two = proto_of(DType::kFloat32, {});
  two.add_float_data(1);
  two.add_float_data(2);
  expect_bad_tensor(two, {"float_data has 2 entries"});
}

// Row 37.
TEST(ImportTensor, LimitsTheRank) {
  expect_bad_tensor(proto_of(DType::kFloat32, Dims(65, 1)), {"rank 65"}, ErrorCode::kResourceLimit);
  expect_bad_tensor(proto_of(DType::kFloat32, Dims(1000000, 1)), {"rank 1000000"},
                    ErrorCode::kResourceLimit);
}

// Row 39.
TEST(ImportTensor, RefusesDataInTheWrongField) {
  ::onnx::TensorProto both = proto_of(DType::kFloat32, {1});
  both.add_float_data(1);
  both.set_raw_data("abcd");
  expect_bad_tensor(both, {"both raw_data and float_data"});

  ::onnx::TensorProto wrong = proto_of(DType::kFloat32, {1});
  wrong.add_double_data(1);
  expect_bad_tensor(wrong, {"double_data in a tensor of float32"});

  ::onnx::TensorProto large = proto_of(DType::kUint8, {2});
  large.add_int32_data(255);
  large.add_int32_data(300);
  expect_bad_tensor(large, {"int32_data entry 1 is 300"});

  ::onnx::TensorProto text = proto_of(DType::kString, {1});
  text.set_raw_data("a");
  expect_bad_tensor(text, {"string tensor with raw_data"});

  ::onnx::TensorProto boolean = proto_of(DType::kBool, {1});
  boolean.set_raw_data("\2");
  expect_bad_tensor(boolean, {"bool tensor is 2"});
}

// Row 40.
TEST(ImportTensor, RefusesUnknownTypes) {
  for (int32_t type : {0, 27, 99, -1}) {
    ::onnx::TensorProto proto;
    proto.set_data_type(type);
    expect_bad_tensor(proto, {cat("data_type ", type)});
  }
}

// Row 41.
TEST(ImportTensor, AllocatesNothingForClaimedElements) {
  ::onnx::TensorProto proto = proto_of(DType::kInt4, {700'000'000});
  proto.set_raw_data("x");
  expect_bad_tensor(proto, {"raw_data has 1 bytes", "350000000"});
}

TEST(ImportTensor, RefusesSegmentsAndExternalDataAlone) {
  ::onnx::TensorProto segmented = proto_of(DType::kFloat32, {1});
  segmented.mutable_segment()->set_begin(0);
  expect_bad_tensor(segmented, {"segments"}, ErrorCode::kUnsupported);
  ::onnx::TensorProto external = proto_of(DType::kFloat32, {1});
  external.set_data_location(::onnx::TensorProto::EXTERNAL);
  auto& entry = *external.add_external_data();
  entry.set_key("location");
  entry.set_value("w.bin");
  expect_bad_tensor(external, {"not read from a file"});
}

TEST(ImportTensor, RefusesAnUnknownDataLocation) {
  ::onnx::TensorProto proto = proto_of(DType::kFloat32, {1});
  proto.add_float_data(1);
  proto.GetReflection()->MutableUnknownFields(&proto)->AddVarint(14, 7);
  expect_bad_tensor(proto, {"data_location"});
}

// Row 43.
::onnx::ModelProto sparse_model(const Dims& dims, const Dims& indices,
                                const Dims& index_dims = {2}) {
  ::onnx::ModelProto model = relu_model();
  ::onnx::SparseTensorProto& sparse = *model.mutable_graph()->add_sparse_initializer();
  for (int64_t dim : dims) sparse.add_dims(dim);
  *sparse.mutable_values() = proto_of(DType::kFloat32, {2});
  sparse.mutable_values()->set_name("w");
  sparse.mutable_values()->add_float_data(5);
  sparse.mutable_values()->add_float_data(6);
  *sparse.mutable_indices() = proto_of(DType::kInt64, index_dims);
  for (int64_t index : indices) sparse.mutable_indices()->add_int64_data(index);
  return model;
}

TEST(SparseInitializer, BecomesDense) {
  const ir::Graph linear = round_trip(sparse_model({2, 2}, {1, 2}));
  EXPECT_EQ(linear.constant(linear.find_value("w"))->to_floats(), (std::vector<float>{0, 5, 6, 0}));
  const ir::Graph pairs = round_trip(sparse_model({2, 2}, {0, 1, 1, 1}, {2, 2}));
  EXPECT_EQ(pairs.constant(pairs.find_value("w"))->to_floats(), (std::vector<float>{0, 5, 0, 6}));
}

TEST(SparseInitializer, RefusesBadIndices) {
  for (const Dims& indices : std::vector<Dims>{{1, 4}, {-1, 1}, {2, 1}, {1, 1}}) {
    expect_malformed(sparse_model({2, 2}, indices), {"sparse initializer \"w\""});
  }
  expect_malformed(sparse_model({2, 2}, {0, 2, 1, 1}, {2, 2}), {"axis 1"});
  expect_malformed(sparse_model({2, 2}, {0, 1, 2}, {3}), {"indices of shape"});
}

TEST(SparseInitializer, RefusesHugeDenseShapes) {
  expect_refused(imported(sparse_model({int64_t{1} << 31}, {0, 1})), ErrorCode::kResourceLimit,
                 {"\"w\"", "dense"});
  expect_malformed(sparse_model({INT64_MAX, 8}, {0, 1}), {"overflows"});
}

}  // namespace
}  // namespace octet::onnx
