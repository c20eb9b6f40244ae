// Reads ONNX models. What comes out is a checked graph: every name resolves, every tensor has the
// bytes that its shape needs, nodes stand in topological order, types are inferred.
//
// Operators and domains that Octet does not know stay as they are. Model-local functions are
// inlined; their nodes have the calling node as origin. Opset 6 is read as 7 (upgrade.h). Bodies of
// If, Loop and Scan become graphs of their own, with captures(). Fields without a place in the IR
// are kept in `preserved` members and written back by export_model. Bad input: /docs/errors.md;
// nothing is allocated on the word of a size in the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/base/budget.h"
#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/ir/parse.h"

namespace octet::onnx {

// The newest releases of ONNX's format and of its operator set that are known (onnx 1.22).
constexpr int64_t kNewestIrVersion = 13;
constexpr int64_t kNewestOpset = 27;

struct ImportOptions {
  int64_t max_file_bytes = INT32_MAX;      // protobuf's own limit
  int64_t max_nodes = 200'000;             // after inlining, in bodies too
  int64_t max_items = 4'000'000;           // messages and strings in the file
  int64_t max_depth = ir::kMaxGraphDepth;  // graphs within graphs, the main one included
  int64_t max_rank = 64;
  int64_t max_functions = 10'000;
  int64_t max_call_depth = 100;
  // External data and copies made by inlining.
  int64_t max_tensor_bytes = MemoryBudget::default_limit_bytes();
  int64_t max_sparse_bytes = int64_t{64} << 20;  // of one sparse initializer made dense
};

// Errors: kIo, kMalformed, kUnsupported, kResourceLimit; one line without the path in front unless
// the file could not be read.
Result<ir::Graph> import_model(const std::string& path, const ImportOptions& options = {});

// `directory` is where external data lies; empty refuses it.
Result<ir::Graph> import_bytes(std::string_view bytes, const std::string& directory,
                               const ImportOptions& options = {});

}  // namespace octet::onnx
