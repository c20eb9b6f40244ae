// The text form of a graph (.oct): what dumps, golden tests and rules are written in. The grammar
// is in parse.h.
#pragma once

#include <string>

#include "compiler/ir/graph.h"

namespace octet::ir {

// Tensors of at most this many elements are written as numbers.
constexpr int64_t kReadableElements = 16;

enum class ConstantText {
  kFull,     // larger tensors as base64 of their bytes: parse(print(g)) == g
  kSummary,  // larger tensors as a digest of their bytes; parse() refuses those
};

struct PrintOptions {
  ConstantText constants = ConstantText::kFull;
};

// Any graph that verify() accepts. A line per input, constant, node and output; equal graphs with
// constants in the same order give equal text.
std::string print(const Graph& graph, const PrintOptions& options = {});

}  // namespace octet::ir
