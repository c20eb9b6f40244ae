// Writes graphs as ONNX models. The same graph gives the same bytes; import(export(g)) == g.
#pragma once

#include <cstdint>
#include <string>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"

namespace octet::onnx {

struct WriteOptions {
  // A model whose constants take more is written with a data file beside it.
  int64_t max_inline_bytes = int64_t{2'000'000'000};
  // Constants of at least this size go into that file.
  int64_t min_external_bytes = 1024;
};

// A serialized ModelProto: initializers in the order of the values, attributes by name, value_info
// for every intermediate value of known element type. kResourceLimit above 2 GiB - 1.
Result<std::string> export_model(const ir::Graph& graph);

// Writes the model, replacing `path` at once or not at all. One that is too large for a single
// message has the constants of the main graph in "<stem>.<hash of the contents>.data" beside, which
// is written first; the model alone names it.
Status write_model(const ir::Graph& graph, const std::string& path,
                   const WriteOptions& options = {});

}  // namespace octet::onnx
