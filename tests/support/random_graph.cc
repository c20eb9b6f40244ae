#include "tests/support/random_graph.h"

#include <string>
#include <utility>
#include <vector>

#include "tests/support/graph_builder.h"

namespace octet::testing {

namespace {

using ir::AttributeMap;
using ir::DType;
using ir::Graph;
using ir::Node;
using ir::Shape;
using ir::Tensor;
using ir::TensorType;
using ir::ValueId;

class Generator {
 public:
  Generator(uint64_t seed, const RandomGraphOptions& options) : random_(seed), options_(options) {}

  Graph run() {
    anything_ = options_.content == RandomContent::kAnything;
    graph_.name = anything_ ? name("graph") : "main";
    if (anything_) model();
    inputs();
    for (int i = 0; i < options_.nodes; ++i) {
      if (anything_ && random_.one_in(3)) {
        strange_node();
      } else {
        runnable_node();
      }
    }
    outputs();
    return std::move(graph_);
  }

 private:
  // --- names and types -----------------------------------------------------------------------

  std::string name(std::string_view stem) {
    std::string hint =
        anything_ && random_.one_in(3) ? odd_bytes(random_) : cat(stem, "_", counter_++);
    return graph_.unique_value_name(hint);
  }

  // --- parts of graphs -----------------------------------------------------------------------

  void model() {
    ir::ModelInfo& info = graph_.model;
    info.ir_version = 3 + random_.below(8);
    info.opset_imports["com.example"] = 1 + random_.below(3);
    if (random_.one_in(2)) info.producer_name = odd_bytes(random_);
    if (random_.one_in(2)) info.producer_version = "1.0";
    if (random_.one_in(3)) info.domain = "org.example";
    if (random_.one_in(3)) info.model_version = random_.below(10) - 5;
    if (random_.one_in(3)) info.doc_string = odd_bytes(random_);
    for (int64_t i = random_.below(3); i > 0; --i) {
      std::string key = odd_bytes(random_);
      info.metadata.emplace_back(std::move(key), odd_bytes(random_));
    }
    if (random_.one_in(3)) info.preserved = odd_bytes(random_);
    if (random_.one_in(3)) graph_.doc_string = odd_bytes(random_);
    if (random_.one_in(3)) graph_.preserved = odd_bytes(random_);
  }

  void inputs() {
    image_ = 4 + 2 * random_.below(3);
    // One random thing a statement: the order of arguments differs between compilers.
    const Shape picture = Shape::of({2, 1 + random_.below(4), image_, image_});
    floats_.push_back(must(graph_.add_input(name("x"), {DType::kFloat32, picture})));
    if (random_.one_in(2)) {
      const Shape row = Shape::of({2, 2 + random_.below(6)});
      floats_.push_back(must(graph_.add_input(name("x"), {DType::kFloat32, row})));
    }
    if (!anything_) return;
    const TensorType type = odd_type(random_);
    others_.push_back(must(graph_.add_input(name("any"), type)));
    graph_.set_preserved(others_.back(), random_.one_in(2) ? odd_bytes(random_) : "");
    const Tensor tensor = odd_tensor(random_);
    const ValueId with_default = must(graph_.add_input(name("default"), tensor.type()));
    graph_.set_constant(with_default, std::make_shared<const Tensor>(tensor));
    if (random_.one_in(2)) graph_.set_type(with_default, {tensor.dtype(), Shape()});
    others_.push_back(with_default);
  }

  ValueId constant(std::string_view stem, Tensor tensor) {
    return must(graph_.add_constant(name(stem), std::make_shared<const Tensor>(std::move(tensor))));
  }

  ValueId strange_constant() {
    const Tensor tensor = odd_tensor(random_);
    const ValueId id = constant("c", tensor);
    if (tensor.dtype() == DType::kInt8 && tensor.element_count() > 0) {
      TensorType type = tensor.type();
      type.quant = random_quant(random_, tensor.dtype(), tensor.shape());
      graph_.set_type(id, std::move(type));
    }
    if (random_.one_in(5)) graph_.set_preserved(id, odd_bytes(random_));
    return id;
  }

  std::vector<int64_t> shape_of(ValueId id) const { return graph_.value(id).type.shape.extents(); }

  ValueId add(std::string op_type, std::vector<ValueId> operands, std::vector<int64_t> shape,
              AttributeMap attributes = {}) {
    Node node;
    node.op_type = std::move(op_type);
    node.inputs = std::move(operands);
    node.attributes = std::move(attributes);
    const ValueId output =
        must(graph_.add_value(name(node.op_type), {DType::kFloat32, Shape::of(shape)}));
    node.outputs = {output};
    if (!random_.one_in(6)) node.name = cat("/", node.op_type, ".", counter_);
    finish(node);
    floats_.push_back(output);
    return output;
  }

  void finish(Node& node) {
    node.origins = {display_name(graph_, node)};
    if (anything_ && random_.one_in(4)) node.origins.push_back(odd_bytes(random_));
    if (anything_ && random_.one_in(6)) node.doc_string = odd_bytes(random_);
    if (anything_ && random_.one_in(6)) node.preserved = odd_bytes(random_);
    graph_.add_node(node);
  }

  // --- operators that run --------------------------------------------------------------------

  void runnable_node() {
    // Recent values more often than old ones, so that graphs grow deep.
    const size_t from = random_.one_in(2) || floats_.size() < 3 ? 0 : floats_.size() - 3;
    const std::vector<ValueId> recent(floats_.begin() + static_cast<std::ptrdiff_t>(from),
                                      floats_.end());
    const ValueId x = random_.pick(recent);
    switch (random_.below(8)) {
      case 0:
      case 1:
        return unary(x);
      case 2:
      case 3:
        return binary(x);
      case 4:
        return transpose(x);
      case 5:
        return concat(x);
      default:
        return linear(x);
    }
  }

  void unary(ValueId x) {
    switch (random_.below(8)) {
      case 0:
        add("LeakyRelu", {x}, shape_of(x), {{"alpha", random_.between(0.01F, 0.3F)}});
        break;
      case 1:
        add("Clip",
            {x, constant("low", Tensor::scalar(-0.5F)), constant("high", Tensor::scalar(2.0F))},
            shape_of(x));
        break;
      case 2:
        add("Softmax", {x}, shape_of(x), {{"axis", int64_t{-1}}});
        break;
      default: {
        static const std::vector<std::string> kOps = {"Relu", "Sigmoid", "Tanh",
                                                      "Neg",  "Abs",     "Identity"};
        add(random_.pick(kOps), {x}, shape_of(x));
      }
    }
  }

  void binary(ValueId x) {
    static const std::vector<std::string> kOps = {"Add", "Sub", "Mul", "Max", "Min"};
    const std::vector<int64_t> shape = shape_of(x);
    ValueId y;
    for (ValueId candidate : floats_) {
      if (candidate != x && shape_of(candidate) == shape) y = candidate;
    }
    if (!y.valid()) {
      y = random_.one_in(2) ? constant("k", random_floats(random_, {}))
                            : constant("k", random_floats(random_, {shape.back()}));
    }
    std::vector<ValueId> operands = {x, y};
    if (random_.one_in(2)) std::swap(operands[0], operands[1]);
    add(random_.pick(kOps), operands, shape);
  }

  void transpose(ValueId x) {
    std::vector<int64_t> shape = shape_of(x);
    std::vector<int64_t> perm(shape.size());
    for (size_t i = 0; i < perm.size(); ++i) perm[i] = static_cast<int64_t>(i);
    // Axis 0 stays: it is the batch.
    for (size_t i = perm.size() - 1; i > 1; --i) {
      std::swap(perm[i], perm[1 + static_cast<size_t>(random_.below(static_cast<int64_t>(i)))]);
    }
    std::vector<int64_t> result;
    for (int64_t axis : perm) result.push_back(shape[static_cast<size_t>(axis)]);
    add("Transpose", {x}, result, {{"perm", perm}});
  }

  void concat(ValueId x) {
    std::vector<int64_t> shape = shape_of(x);
    if (shape[1] > 16) return unary(x);
    shape[1] *= 2;
    add("Concat", {x, x}, shape, {{"axis", int64_t{1}}});
  }

  void linear(ValueId x) {
    std::vector<int64_t> shape = shape_of(x);
    const int64_t out = 1 + random_.below(6);
    if (shape.size() == 4 && random_.one_in(2)) {
      const int64_t kernel = random_.one_in(2) && shape[2] > 2 && shape[3] > 2 ? 3 : 1;
      const int64_t pad = kernel / 2;
      std::vector<ValueId> operands = {
          x, constant("w", random_floats(random_, {out, shape[1], kernel, kernel}, -0.5F, 0.5F))};
      if (random_.one_in(2)) operands.push_back(constant("b", random_floats(random_, {out})));
      shape[1] = out;
      add("Conv", operands, shape,
          {{"kernel_shape", std::vector<int64_t>{kernel, kernel}},
           {"pads", std::vector<int64_t>{pad, pad, pad, pad}}});
    } else if (shape.size() == 2 && random_.one_in(2)) {
      const bool transposed = random_.one_in(2);
      const std::vector<int64_t> weight =
          transposed ? std::vector<int64_t>{out, shape[1]} : std::vector<int64_t>{shape[1], out};
      add("Gemm",
          {x, constant("w", random_floats(random_, weight)),
           constant("b", random_floats(random_, {out}))},
          {shape[0], out}, {{"transB", int64_t{transposed ? 1 : 0}}});
    } else {
      const ValueId weight = constant("w", random_floats(random_, {shape.back(), out}));
      shape.back() = out;
      add("MatMul", {x, weight}, shape);
    }
  }

  // --- operators that nobody knows -------------------------------------------------------------

  ir::GraphPtr body(const std::vector<ValueId>& captured) {
    Graph graph;
    graph.name = odd_bytes(random_);
    graph.model.opset_imports = graph_.model.opset_imports;
    if (random_.one_in(4)) graph.model.producer_name = odd_bytes(random_);
    std::vector<ValueId> operands = {
        must(graph.add_input("inner", {DType::kFloat32, Shape::of({1})}))};
    for (ValueId id : captured) {
      const std::string capture_name =
          random_.one_in(3) ? cat("renamed_", counter_++) : graph_.value(id).name;
      if (graph.find_value(capture_name).valid()) continue;
      operands.push_back(must(graph.add_capture(capture_name, graph_.value(id).type)));
    }
    Node node;
    node.op_type = "Sum";
    node.inputs = operands;
    node.outputs = {must(graph.add_value("out", {}))};
    node.origins = {"Sum in a body"};
    graph.add_node(node);
    graph.add_output(node.outputs[0]);
    return std::make_shared<const Graph>(std::move(graph));
  }

  void strange_node() {
    Node node;
    node.domain = random_.one_in(2) ? "com.example" : odd_bytes(random_);
    node.op_type = random_.one_in(2) ? "Fancy" : odd_bytes(random_);
    node.name = random_.one_in(2) ? odd_bytes(random_) : "";
    for (int64_t i = random_.below(4); i > 0; --i) {
      switch (random_.below(4)) {
        case 0:
          node.inputs.emplace_back();
          break;
        case 1:
          node.inputs.push_back(strange_constant());
          break;
        case 2:
          node.inputs.push_back(random_.pick(others_));
          break;
        default:
          node.inputs.push_back(random_.pick(floats_));
      }
    }
    for (int64_t i = random_.below(4); i > 0; --i) {
      const std::string key = odd_bytes(random_);
      node.attributes.insert_or_assign(key, odd_attribute(random_));
    }
    if (random_.one_in(4)) {
      const std::vector<ValueId> wanted = {floats_.front(), random_.pick(others_)};
      for (const char* key : {"else_branch", "then_branch"}) {
        const ir::GraphPtr inner = body(wanted);
        for (size_t i = 0; i < inner->captures().size(); ++i) {
          node.implicit_inputs.push_back(wanted[i]);
        }
        node.attributes.insert_or_assign(key, inner);
      }
    }
    for (int64_t i = random_.below(3); i >= 0; --i) {
      ValueId output;
      if (!random_.one_in(5)) {
        const TensorType type = odd_type(random_);
        output = must(graph_.add_value(name("any"), type));
        if (random_.one_in(5)) graph_.set_preserved(output, odd_bytes(random_));
        others_.push_back(output);
      }
      node.outputs.push_back(output);
    }
    finish(node);
  }

  void outputs() {
    for (ir::NodeId id : graph_.order()) {
      for (ValueId output : graph_.node(id).outputs) {
        if (output.valid() && graph_.uses(output).empty()) graph_.add_output(output);
      }
    }
  }

  Random random_;
  RandomGraphOptions options_;
  bool anything_ = false;
  Graph graph_;
  int64_t counter_ = 0;
  int64_t image_ = 4;
  std::vector<ValueId> floats_;  // float32, static shapes, batch first
  std::vector<ValueId> others_;
};

}  // namespace

ir::Graph random_graph(uint64_t seed, const RandomGraphOptions& options) {
  return Generator(seed, options).run();
}

}  // namespace octet::testing
