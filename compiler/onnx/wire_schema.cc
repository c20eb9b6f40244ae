#include "compiler/onnx/wire_schema.h"

#include <array>

namespace octet::onnx {
namespace {

using enum WireKind;
constexpr WireCount kMany = WireCount::kMany;
constexpr WireCount kOne = WireCount::kOne;
using M = WireMessage;

constexpr WireField kModelFields[] = {
    {1, kVarint},
    {2, kText},
    {3, kText},
    {4, kText},
    {5, kVarint},
    {6, kText},
    {7, kMessage, kOne, M::kGraph},
    {8, kMessage, kMany, M::kOpset},
    {14, kMessage, kMany, M::kStringPair},
    {20, kMessage, kMany, M::kTraining},
    {25, kMessage, kMany, M::kFunction},
    {26, kOther, kMany},
};
constexpr WireField kGraphFields[] = {
    {1, kMessage, kMany, M::kNode},          {2, kText},
    {5, kMessage, kMany, M::kTensor},        {10, kText},
    {11, kMessage, kMany, M::kValueInfo},    {12, kMessage, kMany, M::kValueInfo},
    {13, kMessage, kMany, M::kValueInfo},    {14, kMessage, kMany, M::kAnnotation},
    {15, kMessage, kMany, M::kSparseTensor}, {16, kMessage, kMany, M::kStringPair},
};
constexpr WireField kNodeFields[] = {
    {1, kText, kMany},
    {2, kText, kMany},
    {3, kText},
    {4, kText},
    {5, kMessage, kMany, M::kAttribute},
    {6, kText},
    {7, kText},
    {8, kText},
    {9, kMessage, kMany, M::kStringPair},
    {10, kOther, kMany},
};
constexpr WireField kAttributeFields[] = {
    {1, kText},
    {2, kFixed32},
    {3, kVarint},
    {4, kBytes},
    {5, kMessage, kOne, M::kTensor},
    {6, kMessage, kOne, M::kGraph},
    {7, kFixed32, kMany},
    {8, kVarint, kMany},
    {9, kBytes, kMany},
    {10, kMessage, kMany, M::kTensor},
    {11, kMessage, kMany, M::kGraph},
    {13, kText},
    {14, kMessage, kOne, M::kType},
    {15, kMessage, kMany, M::kType},
    {20, kVarint},
    {21, kText},
    {22, kMessage, kOne, M::kSparseTensor},
    {23, kMessage, kMany, M::kSparseTensor},
};
constexpr WireField kTensorFields[] = {
    {1, kVarint, kMany},
    {2, kVarint},
    {3, kMessage, kOne, M::kSegment},
    {4, kFixed32, kMany},
    {5, kVarint, kMany},
    {6, kBytes, kMany},
    {7, kVarint, kMany},
    {8, kText},
    {9, kBytes},
    {10, kFixed64, kMany},
    {11, kVarint, kMany},
    {12, kText},
    {13, kMessage, kMany, M::kStringPair},
    {14, kVarint},
    {16, kMessage, kMany, M::kStringPair},
};
constexpr WireField kSegmentFields[] = {{1, kVarint}, {2, kVarint}};
constexpr WireField kSparseTensorFields[] = {
    {1, kMessage, kOne, M::kTensor},
    {2, kMessage, kOne, M::kTensor},
    {3, kVarint, kMany},
};
constexpr WireField kValueInfoFields[] = {
    {1, kText},
    {2, kMessage, kOne, M::kType},
    {3, kText},
    {4, kMessage, kMany, M::kStringPair},
};
constexpr WireField kTypeFields[] = {
    {1, kMessage, kOne, M::kTensorType},  {4, kMessage, kOne, M::kElementType},
    {5, kMessage, kOne, M::kMapType},     {6, kText},
    {7, kMessage, kOne, M::kOpaqueType},  {8, kMessage, kOne, M::kTensorType},
    {9, kMessage, kOne, M::kElementType},
};
constexpr WireField kTensorTypeFields[] = {{1, kVarint}, {2, kMessage, kOne, M::kShape}};
constexpr WireField kElementTypeFields[] = {{1, kMessage, kOne, M::kType}};
constexpr WireField kMapTypeFields[] = {{1, kVarint}, {2, kMessage, kOne, M::kType}};
constexpr WireField kOpaqueTypeFields[] = {{1, kText}, {2, kText}};
constexpr WireField kShapeFields[] = {{1, kMessage, kMany, M::kDimension}};
constexpr WireField kDimensionFields[] = {{1, kVarint}, {2, kText}, {3, kText}};
constexpr WireField kStringPairFields[] = {{1, kText}, {2, kText}};
constexpr WireField kOpsetFields[] = {{1, kText}, {2, kVarint}};
constexpr WireField kFunctionFields[] = {
    {1, kText},
    {4, kText, kMany},
    {5, kText, kMany},
    {6, kText, kMany},
    {7, kMessage, kMany, M::kNode},
    {8, kText},
    {9, kMessage, kMany, M::kOpset},
    {10, kText},
    {11, kMessage, kMany, M::kAttribute},
    {12, kMessage, kMany, M::kValueInfo},
    {13, kText},
    {14, kMessage, kMany, M::kStringPair},
};
constexpr WireField kTrainingFields[] = {
    {1, kMessage, kOne, M::kGraph},
    {2, kMessage, kOne, M::kGraph},
    {3, kMessage, kMany, M::kStringPair},
    {4, kMessage, kMany, M::kStringPair},
};
constexpr WireField kAnnotationFields[] = {{1, kText}, {2, kMessage, kMany, M::kStringPair}};

struct Row {
  std::string_view name;
  std::span<const WireField> fields;
};

// In the order of WireMessage.
constexpr Row kRows[] = {
    {"ModelProto", kModelFields},
    {"GraphProto", kGraphFields},
    {"NodeProto", kNodeFields},
    {"AttributeProto", kAttributeFields},
    {"TensorProto", kTensorFields},
    {"TensorProto.Segment", kSegmentFields},
    {"SparseTensorProto", kSparseTensorFields},
    {"ValueInfoProto", kValueInfoFields},
    {"TypeProto", kTypeFields},
    {"TypeProto.Tensor", kTensorTypeFields},
    {"TypeProto.Sequence", kElementTypeFields},
    {"TypeProto.Map", kMapTypeFields},
    {"TypeProto.Opaque", kOpaqueTypeFields},
    {"TensorShapeProto", kShapeFields},
    {"TensorShapeProto.Dimension", kDimensionFields},
    {"StringStringEntryProto", kStringPairFields},
    {"OperatorSetIdProto", kOpsetFields},
    {"FunctionProto", kFunctionFields},
    {"TrainingInfoProto", kTrainingFields},
    {"TensorAnnotation", kAnnotationFields},
};

}  // namespace

std::span<const WireField> wire_fields(WireMessage message) {
  return kRows[static_cast<size_t>(message)].fields;
}

std::string_view wire_message_name(WireMessage message) {
  return kRows[static_cast<size_t>(message)].name;
}

}  // namespace octet::onnx
