// The gate in front of protobuf: bytes that pass are a message of ONNX's schema, nested no deeper
// and holding no more parts than the limits say, without a singular field given twice. Nothing is
// allocated on the word of a length in the file.
#pragma once

#include <cstdint>
#include <string_view>

#include "compiler/base/result.h"
#include "compiler/onnx/wire_schema.h"

namespace octet::onnx {

struct WireLimits {
  int64_t max_depth = 112;        // nested messages
  int64_t max_nodes = 200'000;    // NodeProtos, in functions and bodies too
  int64_t max_items = 4'000'000;  // messages and strings together
};

// kMalformed with the offset in `bytes` and the message it is in; kResourceLimit for the counts.
Status check_wire(std::string_view bytes, WireMessage root, const WireLimits& limits);

}  // namespace octet::onnx
