// Graph -> GraphProto, bodies included.
#pragma once

#include <functional>

#include "compiler/base/result.h"
#include "compiler/ir/graph.h"
#include "compiler/onnx/proto.h"

namespace octet::onnx {

// Writes data, dims and type of a constant of the main graph.
using FillConstant = std::function<void(const ir::Tensor&, ::onnx::TensorProto&)>;

void fill_graph(const ir::Graph& main, const FillConstant& fill_constant,
                ::onnx::GraphProto& proto);

}  // namespace octet::onnx
