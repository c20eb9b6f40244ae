// Reads the text form (.oct). Property: parse(print(g)) == g.
//
//   file      = [model] graph
//   model     = "model" "{" { "ir_version" "=" INT | "opset" STRING "=" INT | "producer" "=" STRING
//             | "producer_version" "=" STRING | "domain" "=" STRING | "model_version" "=" INT
//             | "doc" "=" STRING | "metadata" STRING "=" STRING | "preserved" bytes } "}"
//   graph     = "graph" STRING "{" ["doc" STRING] ["preserved" bytes] { statement } "}"
//   statement = "input" value ["=" constant] | "capture" value | "const" value "=" constant
//             | "output" NAME | node
//   value     = NAME [":" type] ["preserved" bytes]
//   node      = outputs "=" [word "::"] word "(" [operand {"," operand}] ")" [attributes] suffixes
//   outputs   = "(" ")" | (value | "_") {"," (value | "_")}         "_" was not asked for
//   operand   = NAME | "_"                                          "_" is omitted
//   suffixes  = ["captures" "(" [NAME {"," NAME}] ")"] ["name" STRING]
//               ["from" "[" [STRING {"," STRING}] "]"] ["doc" STRING] ["preserved" bytes]
//   type      = dtype shape ["quant" "(" field {"," field} ")"]
//   shape     = "[" "..." "]" | "[" [dim {"," dim}] "]"             "[...]" is of unknown rank
//   dim       = INT | word | "?"
//   field     = "scale" "=" (number | "[" number {"," number} "]") | "axis" "=" INT
//             | "zero_point" "=" (INT | "[" INT {"," INT} "]")      one INT stands for all
//             | "block" "=" INT | "range" "=" "[" INT "," INT "]" | "storage" "=" dtype
//   constant  = data | "tensor" dtype shape data     the second where it differs from the value's
//   data      = element | "[" [element {"," element}] "]" | bytes   row-major; alone when rank 0
//   element   = number | "true" | "false" | STRING
//   attributes = "{" [word "=" attribute {"," word "=" attribute}] "}"
//   attribute = INT | float | STRING | "[" INT {"," INT} "]" | "[" float {"," float} "]"
//             | "[" STRING {"," STRING} "]" | ("ints" | "floats" | "strings") "[" "]"
//             | "tensor" dtype shape data | [model] graph | "opaque" INT bytes
//   float     = FLOAT | "inf" | "nan" | BITS       number = float | INT
//   bytes     = "base64" STRING                    word = IDENTIFIER but _ | STRING
//
// Left out: a type that is not known at all; quant's zero_point when all are 0, axis when
// per-tensor, block unless blocked, range when it is all of the storage type, storage when it is
// the value's; `captures` when each body's captures have the names of the values they read; `from`
// when it is the node's name (or, without one, its first output). A body graph without `model` has
// the operator sets of the graph around it; a file without has those of ModelInfo's defaults.
// Values stand before their uses.
#pragma once

#include <string_view>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"

namespace octet::ir {

// How deep graphs may stand in graphs, in text and in verify().
constexpr int kMaxGraphDepth = 32;

// kMalformed: "line:column: expected ..., found ...". The graph has been verified.
Result<Graph> parse(std::string_view text);

}  // namespace octet::ir
