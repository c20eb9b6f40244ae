// ir::Builder for tests: no Result to unpack. What goes wrong throws, and GoogleTest reports it.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "compiler/ir/builder.h"

namespace octet::testing {

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.error().message());
  return std::move(result).value();
}

inline void must(Status status) {
  if (!status.ok()) throw std::runtime_error(status.error().message());
}

class GraphBuilder {
 public:
  using ValueId = ir::ValueId;

  // Null leaves types of results unknown; most callers give ops::infer_node.
  explicit GraphBuilder(ir::InferTypes infer = nullptr, ir::ModelInfo model = {})
      : builder_(std::move(infer), "main", std::move(model)) {}

  ValueId input(std::string name, std::vector<int64_t> shape,
                ir::DType dtype = ir::DType::kFloat32) {
    return input(std::move(name), ir::TensorType{dtype, ir::Shape::of(shape)});
  }
  ValueId input(std::string name, ir::TensorType type) {
    return must(builder_.input(std::move(name), std::move(type)));
  }
  ValueId input_with_default(std::string name, ir::Tensor tensor) {
    return must(builder_.input_with_default(std::move(name), std::move(tensor)));
  }
  ValueId constant(std::string name, ir::Tensor tensor) {
    return must(builder_.constant(std::move(name), std::move(tensor)));
  }
  template <typename T>
  ValueId constant(std::string name, std::vector<int64_t> shape, const std::vector<T>& values) {
    return constant(std::move(name), ir::Tensor::of<T>(std::move(shape), values));
  }
  ValueId op(std::string op_type, std::vector<ValueId> inputs, ir::AttributeMap attributes = {},
             std::string name = {}) {
    return must(
        builder_.op(std::move(op_type), std::move(inputs), std::move(attributes), std::move(name)));
  }
  std::vector<ValueId> node(ir::NodeSpec spec, std::vector<ValueId> implicit_inputs = {}) {
    return must(builder_.node(std::move(spec), std::move(implicit_inputs)));
  }
  void output(ValueId id) { builder_.output(id); }
  void output(ValueId id, std::string name) { must(builder_.output(id, std::move(name))); }
  ir::Graph& graph() { return builder_.graph(); }
  ir::Graph finish() { return must(std::move(builder_).finish()); }

 private:
  ir::Builder builder_;
};

}  // namespace octet::testing
