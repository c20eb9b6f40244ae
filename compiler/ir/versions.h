// Which versions of ONNX belong together (ONNX, docs/Versioning.md).
#pragma once

#include <cstdint>

namespace octet::ir {

// The version of the file format that came with a version of ai.onnx; 7 for those before 15.
int64_t ir_version_for(int64_t opset);

}  // namespace octet::ir
