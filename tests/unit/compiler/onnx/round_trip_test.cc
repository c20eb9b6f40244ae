// import(export(g)) == g, and what must survive the way through the IR.
#include <google/protobuf/unknown_field_set.h>

#include "tests/unit/compiler/onnx/make_model.h"

namespace octet::onnx {
namespace {

using Attribute = ::onnx::AttributeProto;

::onnx::ModelProto exported(const ir::Graph& graph) {
  ::onnx::ModelProto model;
  auto bytes = export_model(graph);
  EXPECT_TRUE(bytes.ok());
  EXPECT_TRUE(model.ParseFromString(*bytes));
  return model;
}

TEST(RoundTrip, KeepsASmallModel) {
  const ir::Graph graph = round_trip(relu_model());
  EXPECT_EQ(graph.name, "g");
  ASSERT_EQ(graph.order().size(), 1u);
  EXPECT_EQ(graph.node(graph.order()[0]).origins, Names{"relu"});
  EXPECT_EQ(graph.value(graph.outputs()[0]).type.to_string(), "float32[1,4]");
}

TEST(RoundTrip, KeepsModelFields) {
  ::onnx::ModelProto model = relu_model();
  model.set_producer_name("p");
  model.set_producer_version("1");
  model.set_domain("d");
  model.set_model_version(-3);
  model.set_doc_string("doc");
  auto& custom = *model.add_opset_import();
  custom.set_domain("com.example");
  custom.set_version(2);
  auto& entry = *model.add_metadata_props();
  entry.set_key("k");
  entry.set_value("v");
  model.mutable_graph()->set_doc_string("graph doc");
  const ir::Graph graph = round_trip(model);
  EXPECT_EQ(graph.model.model_version, -3);
  EXPECT_EQ(graph.model.metadata.size(), 1u);
  EXPECT_EQ(graph.model.opset_imports.at("com.example"), 2);
  EXPECT_EQ(graph.doc_string, "graph doc");
}

TEST(RoundTrip, KeepsEveryKindOfAttribute) {
  ::onnx::ModelProto model = relu_model();
  ::onnx::NodeProto& node = *model.mutable_graph()->mutable_node(0);
  node.set_op_type("Strange");
  node.set_domain("com.example");
  auto& opset = *model.add_opset_import();
  opset.set_domain("com.example");
  opset.set_version(1);
  add_attribute(node, "i", Attribute::INT).set_i(INT64_MIN);
  add_attribute(node, "f", Attribute::FLOAT).set_f(0.1F);
  add_attribute(node, "s", Attribute::STRING).set_s(std::string("a\0\xFF", 3));
  auto& ints = add_attribute(node, "is", Attribute::INTS);
  ints.add_ints(1);
  ints.add_ints(-1);
  add_attribute(node, "empty_ints", Attribute::INTS);
  add_attribute(node, "empty_floats", Attribute::FLOATS);
  add_attribute(node, "fs", Attribute::FLOATS).add_floats(std::nanf("1"));
  add_attribute(node, "ss", Attribute::STRINGS).add_strings("x");
  auto& tensor = *add_attribute(node, "t", Attribute::TENSOR).mutable_t();
  tensor.set_name("name of a tensor");
  tensor.set_data_type(7);
  tensor.add_int64_data(5);
  auto& type = *add_attribute(node, "tp", Attribute::TYPE_PROTO).mutable_tp();
  type.mutable_tensor_type()->set_elem_type(1);
  auto& sparse = *add_attribute(node, "sp", Attribute::SPARSE_TENSOR).mutable_sparse_tensor();
  sparse.add_dims(3);
  node.mutable_attribute(0)->set_doc_string("about i");
  const ir::Graph graph = round_trip(model);
  const ir::Node& read = graph.node(graph.order()[0]);
  EXPECT_EQ(ir::int_attribute(read, "i", 0), INT64_MIN);
  EXPECT_EQ(ir::tensor_attribute(read, "t")->to_int64s(), Dims{5});
  const ::onnx::ModelProto out = exported(graph);
  for (const auto& attribute : out.graph().node(0).attribute()) {
    if (attribute.name() == "i") {
      EXPECT_EQ(attribute.doc_string(), "about i");
    }
    if (attribute.name() == "t") {
      EXPECT_EQ(attribute.t().name(), "name of a tensor");
    }
    if (attribute.name() == "tp") {
      EXPECT_EQ(attribute.tp().tensor_type().elem_type(), 1);
    }
  }
}

TEST(RoundTrip, KeepsFieldsItDoesNotKnow) {
  constexpr int kFuture = 60;
  ::onnx::ModelProto model = relu_model();
  add_floats(*model.mutable_graph(), "w", {1}, {2.0F});
  const auto mark = [](google::protobuf::Message& message, const char* text) {
    message.GetReflection()->MutableUnknownFields(&message)->AddLengthDelimited(kFuture, text);
  };
  ::onnx::GraphProto& graph = *model.mutable_graph();
  mark(model, "model");
  mark(graph, "graph");
  mark(*graph.mutable_node(0), "node");
  mark(*graph.mutable_input(0), "input");
  mark(*graph.mutable_output(0), "output");
  mark(*graph.mutable_initializer(0), "initializer");
  const ::onnx::ModelProto out = exported(round_trip(model));
  const auto found = [](const google::protobuf::Message& message) {
    return field_contents(message, kFuture);
  };
  EXPECT_EQ(found(out), Names{"model"});
  EXPECT_EQ(found(out.graph()), Names{"graph"});
  EXPECT_EQ(found(out.graph().node(0)), Names{"node"});
  EXPECT_EQ(found(out.graph().input(0)), Names{"input"});
  EXPECT_EQ(found(out.graph().output(0)), Names{"output"});
  EXPECT_EQ(found(out.graph().initializer(0)), Names{"initializer"});
}

TEST(RoundTrip, KeepsAnnotationsDenotationsAndTraining) {
  ::onnx::ModelProto model = relu_model();
  ::onnx::GraphProto& graph = *model.mutable_graph();
  graph.add_quantization_annotation()->set_tensor_name("x");
  auto& type = *graph.mutable_input(0)->mutable_type();
  type.set_denotation("IMAGE");
  type.mutable_tensor_type()->mutable_shape()->mutable_dim(1)->set_denotation("CHANNEL");
  graph.mutable_input(0)->set_doc_string("pictures");
  model.add_training_info()->mutable_algorithm()->set_name("sgd");
  const ::onnx::ModelProto out = exported(round_trip(model));
  EXPECT_EQ(out.graph().quantization_annotation_size(), 1);
  EXPECT_EQ(out.graph().input(0).type().denotation(), "IMAGE");
  const auto& shape = out.graph().input(0).type().tensor_type().shape();
  ASSERT_EQ(shape.dim_size(), 2);
  EXPECT_EQ(shape.dim(1).denotation(), "CHANNEL");
  EXPECT_EQ(shape.dim(1).dim_value(), 4);
  EXPECT_EQ(out.graph().input(0).doc_string(), "pictures");
  EXPECT_EQ(out.training_info(0).algorithm().name(), "sgd");
}

TEST(RoundTrip, KeepsNamedAndUnknownExtents) {
  ::onnx::ModelProto model = relu_model();
  auto& shape = *model.mutable_graph()
                     ->mutable_input(0)
                     ->mutable_type()
                     ->mutable_tensor_type()
                     ->mutable_shape();
  shape.mutable_dim(0)->set_dim_param("N");
  shape.mutable_dim(1)->clear_dim_value();
  const ir::Graph graph = round_trip(model);
  EXPECT_EQ(graph.value(graph.inputs()[0]).type.to_string(), "float32[N,?]");
}

TEST(RoundTrip, ReadsMinusOneAsUnknownExtent) {
  ::onnx::ModelProto model = relu_model();
  auto& shape = *model.mutable_graph()
                     ->mutable_input(0)
                     ->mutable_type()
                     ->mutable_tensor_type()
                     ->mutable_shape();
  shape.mutable_dim(0)->set_dim_value(-1);
  const ir::Graph graph = round_trip(model);
  EXPECT_TRUE(graph.value(graph.inputs()[0]).type.shape[0].is_unknown());
}

TEST(RoundTrip, KeepsValuesThatAreNoTensors) {
  ::onnx::ModelProto model = relu_model();
  ::onnx::GraphProto& graph = *model.mutable_graph();
  auto& info = *graph.add_input();
  info.set_name("s");
  info.mutable_type()
      ->mutable_sequence_type()
      ->mutable_elem_type()
      ->mutable_tensor_type()
      ->set_elem_type(1);
  add_node(graph, "SequenceLength", {"s"}, {"n"});
  const ::onnx::ModelProto out = exported(round_trip(model));
  EXPECT_TRUE(out.graph().input(1).type().has_sequence_type());
}

TEST(RoundTrip, KeepsAnInitializerThatIsAnInput) {
  ::onnx::ModelProto model = relu_model();
  ::onnx::GraphProto& graph = *model.mutable_graph();
  add_input(graph, "w", {2});
  add_floats(graph, "w", {2}, {1.0F, 2.0F});
  const ir::Graph read = round_trip(model);
  const ir::Value& value = read.value(read.find_value("w"));
  EXPECT_TRUE(value.is_input);
  EXPECT_TRUE(value.is_constant());
  EXPECT_EQ(read.required_inputs().size(), 1u);
}

TEST(RoundTrip, KeepsOmittedOperandsAndOutputs) {
  ::onnx::ModelProto model = relu_model();
  ::onnx::GraphProto& graph = *model.mutable_graph();
  add_node(graph, "Strange", {"x", "", "y", ""}, {"", "z", ""});
  const ir::Graph read = round_trip(model);
  const ir::Node& node = read.node(read.order()[1]);
  EXPECT_EQ(node.inputs.size(), 4u);
  EXPECT_FALSE(node.inputs[1].valid());
  EXPECT_FALSE(node.outputs[2].valid());
  EXPECT_EQ(node.origins, Names{"z"});
}

TEST(RoundTrip, PassesInputsThrough) {
  ::onnx::ModelProto model = empty_model();
  add_input(*model.mutable_graph(), "x");
  add_output(*model.mutable_graph(), "x");
  const ir::Graph graph = round_trip(model);
  EXPECT_EQ(graph.inputs(), graph.outputs());
}

TEST(RoundTrip, KeepsOriginsOtherThanTheName) {
  auto graph = imported(relu_model());
  ASSERT_TRUE(graph.ok());
  graph->set_origins(graph->order()[0], {"conv", "bn \n", "relu"});
  auto bytes = export_model(*graph);
  ASSERT_TRUE(bytes.ok());
  auto again = import_bytes(*bytes, "");
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_TRUE(*again == *graph);
  EXPECT_TRUE(again->node(again->order()[0]).preserved.empty());
}

TEST(RoundTrip, SortsNodesThatAreNot) {
  ::onnx::ModelProto model = empty_model();
  ::onnx::GraphProto& graph = *model.mutable_graph();
  add_input(graph, "x");
  add_output(graph, "z");
  add_node(graph, "Neg", {"y"}, {"z"}, "second");
  add_node(graph, "Abs", {"x"}, {"y"}, "first");
  const ir::Graph read = round_trip(model);
  EXPECT_EQ(read.node(read.order()[0]).name, "first");
}

TEST(RoundTrip, AcceptsAttributesWithoutKindAsOldModelsHaveThem) {
  ::onnx::ModelProto model = relu_model();
  auto& node = *model.mutable_graph()->mutable_node(0);
  node.set_op_type("LeakyRelu");
  auto& attribute = *node.add_attribute();
  attribute.set_name("alpha");
  attribute.set_f(0.5F);
  const ir::Graph graph = round_trip(model);
  EXPECT_EQ(ir::float_attribute(graph.node(graph.order()[0]), "alpha", 0), 0.5F);
}

TEST(RoundTrip, TreatsTheLongNameOfTheStandardDomainAsTheShortOne) {
  ::onnx::ModelProto model = relu_model();
  model.mutable_opset_import(0)->set_domain("ai.onnx");
  model.mutable_graph()->mutable_node(0)->set_domain("ai.onnx");
  const ir::Graph graph = round_trip(model);
  EXPECT_TRUE(graph.node(graph.order()[0]).is("Relu"));
}

}  // namespace
}  // namespace octet::onnx
