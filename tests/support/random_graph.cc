#include "tests/support/random_graph.h"

#include <array>
#include <bit>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/graph_builder.h"

namespace octet::testing {

uint64_t Random::bits() {
  uint64_t z = (state_ += 0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

float Random::between(float low, float high) {
  constexpr float kSteps = 1 << 24;
  return low + (high - low) * static_cast<float>(bits() >> 40) / kSteps;
}

namespace {

using ir::AttributeMap;
using ir::Dim;
using ir::DType;
using ir::Graph;
using ir::Node;
using ir::QuantParams;
using ir::Shape;
using ir::Tensor;
using ir::TensorPtr;
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

  std::string odd_bytes() {
    static const std::vector<std::string> kBits = {
        "a",    "B7",   "_",  ".",    "/",        "-", ":", " ", "\"",   "\\", "\n",
        "\t",   "\r",   "%",  "#",    "\xC3\xA9", "日", "🙂", ";", "\x01", "{",  "\xFF",
        "\x80", "\xC2", "->", "base", "[",        ",", "="};
    std::string out;
    for (int64_t i = random_.below(8); i >= 0; --i) out += random_.pick(kBits);
    if (random_.one_in(8)) out += '\0';
    return out;
  }

  std::string name(std::string_view stem) {
    std::string hint = anything_ && random_.one_in(3) ? odd_bytes() : cat(stem, "_", counter_++);
    return graph_.unique_value_name(hint);
  }

  TensorType strange_type() {
    static const std::vector<DType> kTypes = {
        DType::kUndefined, DType::kFloat32,  DType::kFloat16, DType::kBfloat16, DType::kInt64,
        DType::kString,    DType::kBool,     DType::kUint8,   DType::kInt4,     DType::kComplex64};
    TensorType type;
    type.storage = random_.pick(kTypes);
    if (random_.one_in(4)) return type;
    std::vector<Dim> dims;
    for (int64_t i = random_.below(4); i > 0; --i) {
      switch (random_.below(4)) {
        case 0:
          dims.emplace_back();
          break;
        case 1:
          dims.push_back(Dim::named(random_.one_in(2) ? "N" : odd_bytes()));
          break;
        default:
          dims.emplace_back(random_.below(5));
      }
    }
    type.shape = Shape(std::move(dims));
    return type;
  }

  QuantParams quant(DType storage, const std::vector<int64_t>& shape) {
    QuantParams::Spec spec;
    spec.storage = storage;
    const numerics::IntegerRange range = numerics::integer_range(storage);
    spec.qmin = static_cast<int32_t>(range.min) + (random_.one_in(2) ? 1 : 0);
    spec.qmax = static_cast<int32_t>(range.max);
    size_t count = 1;
    if (!shape.empty() && random_.one_in(2)) {
      spec.granularity = random_.one_in(3) ? ir::Granularity::kBlocked : ir::Granularity::kPerAxis;
      spec.axis = random_.below(static_cast<int64_t>(shape.size()));
      count = static_cast<size_t>(shape[static_cast<size_t>(spec.axis)]);
      if (spec.granularity == ir::Granularity::kBlocked) {
        spec.block_size = 1;
        count = static_cast<size_t>(*Shape::of(shape).element_count());
      }
    }
    for (size_t i = 0; i < count; ++i) {
      spec.scales.push_back(random_.between(1e-3F, 1.0F));
      spec.zero_points.push_back(random_.one_in(2) ? 0 : static_cast<int32_t>(range.max) - 1);
    }
    return must(QuantParams::make(std::move(spec)));
  }

  std::vector<int64_t> small_shape() {
    std::vector<int64_t> shape;
    for (int64_t i = random_.below(4); i > 0; --i) shape.push_back(1 + random_.below(4));
    return shape;
  }

  Tensor strange_tensor() {
    static const std::vector<DType> kTypes = {
        DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBfloat16, DType::kInt8,
        DType::kUint8,   DType::kInt16,   DType::kUint16,  DType::kInt32,    DType::kUint32,
        DType::kInt64,   DType::kUint64,  DType::kBool,    DType::kInt4,     DType::kUint4,
        DType::kString,  DType::kComplex64, DType::kFloat8E4M3FN};
    const DType dtype = random_.pick(kTypes);
    std::vector<int64_t> shape = small_shape();
    if (random_.one_in(8)) shape.push_back(0);
    const int64_t count = *Shape::of(shape).element_count();
    if (dtype == DType::kString) {
      std::vector<std::string> strings;
      for (int64_t i = 0; i < count; ++i) strings.push_back(odd_bytes());
      return must(Tensor::of_strings(shape, std::move(strings)));
    }
    std::vector<std::byte> bytes(static_cast<size_t>(*numerics::storage_bytes(dtype, count)));
    for (std::byte& byte : bytes) {
      byte = static_cast<std::byte>(dtype == DType::kBool ? random_.below(2) : random_.below(256));
    }
    return must(Tensor::from_bytes(dtype, shape, std::move(bytes)));
  }

  Tensor floats(std::vector<int64_t> shape, float low = -1.0F, float high = 1.0F) {
    std::vector<float> values(static_cast<size_t>(*Shape::of(shape).element_count()));
    for (float& value : values) value = random_.between(low, high);
    return Tensor::of<float>(std::move(shape), values);
  }

  // --- parts of graphs -----------------------------------------------------------------------

  void model() {
    ir::ModelInfo& info = graph_.model;
    info.ir_version = 3 + random_.below(8);
    info.opset_imports["com.example"] = 1 + random_.below(3);
    if (random_.one_in(2)) info.producer_name = odd_bytes();
    if (random_.one_in(2)) info.producer_version = "1.0";
    if (random_.one_in(3)) info.domain = "org.example";
    if (random_.one_in(3)) info.model_version = random_.below(10) - 5;
    if (random_.one_in(3)) info.doc_string = odd_bytes();
    for (int64_t i = random_.below(3); i > 0; --i) {
      info.metadata.emplace_back(odd_bytes(), odd_bytes());
    }
    if (random_.one_in(3)) info.preserved = odd_bytes();
    if (random_.one_in(3)) graph_.doc_string = odd_bytes();
    if (random_.one_in(3)) graph_.preserved = odd_bytes();
  }

  void inputs() {
    image_ = 4 + 2 * random_.below(3);
    const ValueId x = must(graph_.add_input(
        name("x"), {DType::kFloat32, Shape::of({2, 1 + random_.below(4), image_, image_})}));
    floats_.push_back(x);
    if (random_.one_in(2)) {
      floats_.push_back(must(graph_.add_input(
          name("x"), {DType::kFloat32, Shape::of({2, 2 + random_.below(6)})})));
    }
    if (!anything_) return;
    others_.push_back(must(graph_.add_input(name("any"), strange_type())));
    graph_.set_preserved(others_.back(), random_.one_in(2) ? odd_bytes() : "");
    const Tensor tensor = strange_tensor();
    const ValueId with_default = must(graph_.add_input(name("default"), tensor.type()));
    graph_.set_constant(with_default, std::make_shared<const Tensor>(tensor));
    if (random_.one_in(2)) graph_.set_type(with_default, {tensor.dtype(), Shape()});
    others_.push_back(with_default);
  }

  ValueId constant(std::string_view stem, Tensor tensor) {
    return must(graph_.add_constant(name(stem), std::make_shared<const Tensor>(std::move(tensor))));
  }

  ValueId strange_constant() {
    const Tensor tensor = strange_tensor();
    const ValueId id = constant("c", tensor);
    if (tensor.dtype() == DType::kInt8 && tensor.element_count() > 0) {
      TensorType type = tensor.type();
      type.quant = quant(tensor.dtype(), tensor.shape());
      graph_.set_type(id, std::move(type));
    }
    if (random_.one_in(5)) graph_.set_preserved(id, odd_bytes());
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
    if (anything_ && random_.one_in(4)) node.origins.push_back(odd_bytes());
    if (anything_ && random_.one_in(6)) node.doc_string = odd_bytes();
    if (anything_ && random_.one_in(6)) node.preserved = odd_bytes();
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
        static const std::vector<std::string> kOps = {"Relu", "Sigmoid", "Tanh", "Neg", "Abs",
                                                      "Identity"};
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
      y = random_.one_in(2) ? constant("k", floats({})) : constant("k", floats({shape.back()}));
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
          x, constant("w", floats({out, shape[1], kernel, kernel}, -0.5F, 0.5F))};
      if (random_.one_in(2)) operands.push_back(constant("b", floats({out})));
      shape[1] = out;
      add("Conv", operands, shape,
          {{"kernel_shape", std::vector<int64_t>{kernel, kernel}},
           {"pads", std::vector<int64_t>{pad, pad, pad, pad}}});
    } else if (shape.size() == 2 && random_.one_in(2)) {
      const bool transposed = random_.one_in(2);
      const std::vector<int64_t> weight =
          transposed ? std::vector<int64_t>{out, shape[1]} : std::vector<int64_t>{shape[1], out};
      add("Gemm", {x, constant("w", floats(weight)), constant("b", floats({out}))}, {shape[0], out},
          {{"transB", int64_t{transposed ? 1 : 0}}});
    } else {
      const ValueId weight = constant("w", floats({shape.back(), out}));
      shape.back() = out;
      add("MatMul", {x, weight}, shape);
    }
  }

  // --- operators that nobody knows -------------------------------------------------------------

  ir::GraphPtr body(const std::vector<ValueId>& captured) {
    Graph graph;
    graph.name = odd_bytes();
    graph.model.opset_imports = graph_.model.opset_imports;
    if (random_.one_in(4)) graph.model.producer_name = odd_bytes();
    std::vector<ValueId> operands = {
        must(graph.add_input("inner", {DType::kFloat32, Shape::of({1})}))};
    for (ValueId id : captured) {
      const std::string capture_name = random_.one_in(3) ? cat("renamed_", counter_++)
                                                         : graph_.value(id).name;
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

  float odd_float() {
    static const std::vector<float> kOdd = {0.0F,
                                            -0.0F,
                                            1.0F,
                                            0.1F,
                                            std::numeric_limits<float>::infinity(),
                                            -std::numeric_limits<float>::infinity(),
                                            std::numeric_limits<float>::quiet_NaN(),
                                            std::numeric_limits<float>::denorm_min(),
                                            std::numeric_limits<float>::max()};
    return random_.one_in(2) ? random_.pick(kOdd)
                             : std::bit_cast<float>(static_cast<uint32_t>(random_.bits()));
  }

  ir::Attribute strange_attribute() {
    const int64_t count = random_.below(4);
    switch (random_.below(9)) {
      case 0:
        return static_cast<int64_t>(random_.bits());
      case 1:
        return odd_float();
      case 2:
        return odd_bytes();
      case 3:
        return TensorPtr(std::make_shared<const Tensor>(strange_tensor()));
      case 4: {
        std::vector<int64_t> ints;
        for (int64_t i = 0; i < count; ++i) ints.push_back(static_cast<int64_t>(random_.bits()));
        return ints;
      }
      case 5: {
        std::vector<float> list;
        for (int64_t i = 0; i < count; ++i) list.push_back(odd_float());
        return list;
      }
      case 6: {
        std::vector<std::string> strings;
        for (int64_t i = 0; i < count; ++i) strings.push_back(odd_bytes());
        return strings;
      }
      default:
        return ir::OpaqueAttribute{static_cast<int32_t>(random_.below(15)), odd_bytes()};
    }
  }

  void strange_node() {
    Node node;
    node.domain = random_.one_in(2) ? "com.example" : odd_bytes();
    node.op_type = random_.one_in(2) ? "Fancy" : odd_bytes();
    node.name = random_.one_in(2) ? odd_bytes() : "";
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
      node.attributes.insert_or_assign(odd_bytes(), strange_attribute());
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
        output = must(graph_.add_value(name("any"), strange_type()));
        if (random_.one_in(5)) graph_.set_preserved(output, odd_bytes());
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
