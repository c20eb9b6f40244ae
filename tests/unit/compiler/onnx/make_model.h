// ONNX messages made by hand, for tests of import and export.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "compiler/onnx/export.h"
#include "compiler/onnx/import.h"
#include "compiler/onnx/proto.h"

namespace octet::onnx {

using Names = std::vector<std::string>;
using Dims = std::vector<int64_t>;

inline ::onnx::NodeProto& add_node(::onnx::GraphProto& graph, const std::string& op,
                                   const Names& inputs, const Names& outputs,
                                   const std::string& name = {}) {
  ::onnx::NodeProto& node = *graph.add_node();
  node.set_op_type(op);
  for (const std::string& input : inputs) node.add_input(input);
  for (const std::string& output : outputs) node.add_output(output);
  if (!name.empty()) node.set_name(name);
  return node;
}

inline void set_tensor_type(::onnx::ValueInfoProto& info, const std::string& name, int32_t type,
                            const Dims& dims) {
  info.set_name(name);
  auto& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  tensor.mutable_shape();
  for (int64_t dim : dims) tensor.mutable_shape()->add_dim()->set_dim_value(dim);
}

inline ::onnx::ValueInfoProto& add_input(::onnx::GraphProto& graph, const std::string& name,
                                         const Dims& dims = {1, 4}, int32_t type = 1) {
  ::onnx::ValueInfoProto& info = *graph.add_input();
  set_tensor_type(info, name, type, dims);
  return info;
}

inline ::onnx::ValueInfoProto& add_output(::onnx::GraphProto& graph, const std::string& name) {
  ::onnx::ValueInfoProto& info = *graph.add_output();
  info.set_name(name);
  info.mutable_type()->mutable_tensor_type()->set_elem_type(1);
  return info;
}

inline ::onnx::TensorProto& add_floats(::onnx::GraphProto& graph, const std::string& name,
                                       const Dims& dims, const std::vector<float>& values) {
  ::onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(1);
  for (int64_t dim : dims) tensor.add_dims(dim);
  for (float value : values) tensor.add_float_data(value);
  return tensor;
}

inline ::onnx::AttributeProto& add_attribute(::onnx::NodeProto& node, const std::string& name,
                                             ::onnx::AttributeProto::AttributeType type) {
  ::onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

// IR version 8, opset 17, a graph called "g" with nothing in it.
inline ::onnx::ModelProto empty_model() {
  ::onnx::ModelProto model;
  model.set_ir_version(8);
  auto& opset = *model.add_opset_import();
  opset.set_domain("");
  opset.set_version(17);
  model.mutable_graph()->set_name("g");
  return model;
}

// y = Relu(x), float [1,4].
inline ::onnx::ModelProto relu_model() {
  ::onnx::ModelProto model = empty_model();
  add_input(*model.mutable_graph(), "x");
  add_output(*model.mutable_graph(), "y");
  add_node(*model.mutable_graph(), "Relu", {"x"}, {"y"}, "relu");
  return model;
}

// y = If(c, then: Add(x, one), else: Neg(x)) with both bodies capturing x.
inline ::onnx::ModelProto if_model() {
  ::onnx::ModelProto model = empty_model();
  ::onnx::GraphProto& graph = *model.mutable_graph();
  add_input(graph, "c", {}, 9);
  add_input(graph, "x");
  add_output(graph, "y");
  ::onnx::NodeProto& node = add_node(graph, "If", {"c"}, {"y"}, "choose");
  auto& then_body = *add_attribute(node, "then_branch", ::onnx::AttributeProto::GRAPH).mutable_g();
  then_body.set_name("then");
  add_floats(then_body, "one", {}, {1.0F});
  add_node(then_body, "Add", {"x", "one"}, {"t"}, "plus");
  add_output(then_body, "t");
  auto& else_body = *add_attribute(node, "else_branch", ::onnx::AttributeProto::GRAPH).mutable_g();
  else_body.set_name("else");
  add_node(else_body, "Neg", {"x"}, {"e"}, "minus");
  add_output(else_body, "e");
  return model;
}

inline Result<ir::Graph> imported(const ::onnx::ModelProto& model,
                                  const ImportOptions& options = {}) {
  return import_bytes(serialize(model), "", options);
}

// The model imports, and export followed by import gives the same graph and the same bytes. Throws,
// which fails the test, when a step fails.
inline ir::Graph round_trip(const ::onnx::ModelProto& model) {
  auto graph = imported(model);
  if (!graph.ok()) {
    throw std::runtime_error(graph.error().message());
  }
  auto bytes = export_model(*graph);
  if (!bytes.ok()) {
    throw std::runtime_error(bytes.error().message());
  }
  auto again = import_bytes(*bytes, "");
  if (!again.ok()) {
    throw std::runtime_error(again.error().message());
  }
  EXPECT_TRUE(*again == *graph);
  auto bytes_again = export_model(*again);
  EXPECT_TRUE(bytes_again.ok() && *bytes_again == *bytes);
  return *graph;
}

// Import fails with this code and a one-line message that has all of these parts.
inline void expect_refused(const Result<ir::Graph>& result, ErrorCode code, const Names& parts) {
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(static_cast<int>(result.error().code()), static_cast<int>(code))
      << result.error().message();
  EXPECT_EQ(result.error().message().find('\n'), std::string::npos);
  for (const std::string& part : parts) {
    EXPECT_THAT(result.error().message(), testing::HasSubstr(part));
  }
}

inline void expect_malformed(const ::onnx::ModelProto& model, const Names& parts) {
  expect_refused(imported(model), ErrorCode::kMalformed, parts);
}

}  // namespace octet::onnx
