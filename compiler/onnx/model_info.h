// What ModelProto says besides its graph.
#pragma once

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/onnx/proto.h"

namespace octet::onnx {

using OpsetList = google::protobuf::RepeatedPtrField<::onnx::OperatorSetIdProto>;

// Domain -> version, "ai.onnx" as "". kMalformed for a version below 1 and for a domain with two
// versions, kUnsupported for a version of ai.onnx that is newer than known.
Result<ir::OpsetImports> read_opsets(const OpsetList& imports);

// Takes the model's own fields out of the message, except the graph, and leaves what is not known.
Result<ir::ModelInfo> take_model_info(::onnx::ModelProto& model);

void fill_model_info(const ir::ModelInfo& info, ::onnx::ModelProto& model);

}  // namespace octet::onnx
