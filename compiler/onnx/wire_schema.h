// The fields of ONNX's messages as far as the gate (wire_check.h) must know them, after onnx.proto
// of release 1.22 (IR version 13).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace octet::onnx {

enum class WireMessage : uint8_t {
  kModel,
  kGraph,
  kNode,
  kAttribute,
  kTensor,
  kSegment,
  kSparseTensor,
  kValueInfo,
  kType,
  kTensorType,
  kElementType,  // TypeProto.Sequence and TypeProto.Optional
  kMapType,
  kOpaqueType,
  kShape,
  kDimension,
  kStringPair,
  kOpset,
  kFunction,
  kTraining,
  kAnnotation,
};

enum class WireKind : uint8_t {
  kVarint,
  kFixed32,
  kFixed64,
  kText,  // UTF-8
  kBytes,
  kMessage,
  kOther,  // any length-delimited field that is not looked into
};

enum class WireCount : uint8_t { kOne, kMany };

struct WireField {
  uint32_t number;
  WireKind kind;
  WireCount count = WireCount::kOne;
  WireMessage child = WireMessage::kModel;  // for kMessage
};

std::span<const WireField> wire_fields(WireMessage message);
std::string_view wire_message_name(WireMessage message);

}  // namespace octet::onnx
