#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compiler/ops/schema.h"

namespace octet::ops {
namespace {

using ir::Dim;
using ir::DType;
using ir::Graph;
using ir::Shape;
using ir::TensorType;
using ir::ValueId;
using ::testing::HasSubstr;

// y = Relu(x); z = Add(y, y), with y and z declared as given.
struct Chain {
  Graph graph;
  ValueId x, y, z;
  Chain(TensorType declared_y, TensorType declared_z) {
    graph.model.opset_imports = {{"", 17}};
    x = *graph.add_input("x", {DType::kFloat32, Shape({Dim::named("N"), Dim(3)})});
    y = *graph.add_value("y", std::move(declared_y));
    z = *graph.add_value("z", std::move(declared_z));
    ir::Node relu;
    relu.op_type = "Relu";
    relu.name = "relu_1";
    relu.origins = {"relu_1"};
    relu.inputs = {x};
    relu.outputs = {y};
    ir::Node add;
    add.op_type = "Add";
    add.name = "add_1";
    add.origins = {"add_1"};
    add.inputs = {y, y};
    add.outputs = {z};
    graph.add_node(relu);
    graph.add_node(add);
    graph.add_output(z);
  }
};

TEST(InferGraph, InfersInOrder) {
  Chain chain({}, {});
  ASSERT_TRUE(infer_graph(chain.graph).ok());
  EXPECT_EQ(chain.graph.value(chain.z).type.to_string(), "float32[N,3]");
}

TEST(InferGraph, KeepsTheMoreSpecificOfDeclaredAndInferred) {
  Chain chain({DType::kFloat32, Shape({Dim(8), Dim()})}, {DType::kFloat32, Shape()});
  ASSERT_TRUE(infer_graph(chain.graph).ok());
  EXPECT_EQ(chain.graph.value(chain.y).type.to_string(), "float32[8,3]");
  EXPECT_EQ(chain.graph.value(chain.z).type.to_string(), "float32[8,3]");
}

TEST(InferGraph, NamesTheNodeWhoseDeclaredOutputContradicts) {
  Chain chain({}, {DType::kFloat32, Shape({Dim(8), Dim(4)})});
  auto status = infer_graph(chain.graph);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kMalformed);
  EXPECT_THAT(status.error().message(), HasSubstr("add_1"));
  EXPECT_THAT(status.error().message(), HasSubstr("output 0 \"z\""));
  EXPECT_THAT(status.error().message(), HasSubstr("declared float32[8,4]"));

  Chain other({DType::kInt32, Shape()}, {});
  status = infer_graph(other.graph);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message(), HasSubstr("relu_1"));
}

}  // namespace
}  // namespace octet::ops
