// MatMul and the Add of its int32 bias as one Gemm on two-dimensional data.
#pragma once

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"

namespace octet::backends {

// MatMul(x, w) + dequantized int32 bias becomes Reshape, Gemm, Reshape, for w of rank 2. ONNX
// Runtime runs a Gemm with quantized data, weight and int32 bias in integers (QGemm), with or
// without a quantizer behind it; left as MatMul and Add it fuses the two into a float Gemm where
// the shapes are static.
Status lower_matmul_to_gemm(ir::Graph& graph);

}  // namespace octet::backends
