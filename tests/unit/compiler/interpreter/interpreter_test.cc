// Plans, shapes, budgets, errors, threads.
#include "compiler/interpreter/interpreter.h"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "compiler/base/thread_pool.h"
#include "tests/unit/compiler/interpreter/compare.h"

namespace octet::interpreter {
namespace {

ir::TensorType any_batch(Ints rest) {
  std::vector<ir::Dim> dims = {ir::Dim::named("N")};
  for (int64_t extent : rest) dims.emplace_back(extent);
  return {DType::kFloat32, ir::Shape(std::move(dims))};
}

// A small network of any batch size.
Graph network() {
  auto b = builder();
  const ValueId x = b.input("x", any_batch({3, 12, 12}));
  const ValueId w1 = b.constant("w1", random_tensor(1, {20, 3, 3, 3}, -0.3F, 0.3F));
  const ValueId w2 = b.constant("w2", random_tensor(2, {20, 1, 3, 3}, -0.3F, 0.3F));
  const ValueId w3 = b.constant("w3", random_tensor(3, {20, 20, 1, 1}, -0.3F, 0.3F));
  const ValueId first = b.op("Relu", {b.op("Conv", {x, w1}, {{"strides", Ints{2, 2}}})});
  const ValueId second =
      b.op("Conv", {first, w2}, {{"group", int64_t{20}}, {"pads", Ints{1, 1, 1, 1}}});
  const ValueId third = b.op("Relu", {b.op("Add", {b.op("Conv", {second, w3}), first})});
  const ValueId pooled = b.op("GlobalAveragePool", {third});
  const ValueId size = b.op("Shape", {x});
  const ValueId zero = b.constant("zero", Tensor::of<int64_t>({1}, {0}));
  const ValueId rest = b.constant("rest", Tensor::of<int64_t>({1}, {-1}));
  const ValueId batch = b.op("Gather", {size, zero});
  const ValueId shape = b.op("Concat", {batch, rest}, {{"axis", int64_t{0}}});
  const ValueId row = b.op("Reshape", {pooled, shape});
  const ValueId w4 = b.constant("w4", random_tensor(4, {20, 10}));
  b.output(b.op("Softmax", {b.op("MatMul", {row, w4})}), "y");
  return b.finish();
}

TEST(Interpreter, TakesSeveralBatchSizes) {
  const auto graph = std::make_shared<const Graph>(network());
  const Interpreter interpreter = must(Interpreter::create(graph, {}));
  Options reference;
  reference.kernels = Kernels::kReference;
  const Interpreter judge = must(Interpreter::create(graph, reference));
  for (int64_t batch : {1, 3, 1, 2, 3, 5, 6, 7, 8, 9, 10, 1}) {
    const std::vector<Tensor> inputs = {random_tensor(7, {batch, 3, 12, 12})};
    expect_near(must(interpreter.run(inputs))[0], must(judge.run(inputs))[0], kTolerance,
                cat("batch ", batch));
  }
}

TEST(Interpreter, SamplesDoNotDependOnTheirBatch) {
  const auto graph = std::make_shared<const Graph>(network());
  const Interpreter interpreter = must(Interpreter::create(graph, {}));
  const Tensor two = random_tensor(7, {2, 3, 12, 12});
  const auto values = two.to_floats();
  const std::vector<float> half(values.begin() + 432, values.end());
  const auto both = must(interpreter.run(std::vector<Tensor>{two}));
  const auto one =
      must(interpreter.run(std::vector<Tensor>{Tensor::of<float>({1, 3, 12, 12}, half)}));
  const auto second = both[0].to_floats();
  expect_near(one[0], Tensor::of<float>({1, 10}, {second.begin() + 10, second.end()}), kTolerance,
              "second sample");
}

TEST(Interpreter, RandomGraphsAreLikeReference) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Graph graph =
        octet::testing::random_graph(seed, {octet::testing::RandomContent::kRunnable, 20});
    expect_like_reference(std::move(graph), seed, 1e-4);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(Interpreter, RunsWhatDependsOnDataAndWhatFollows) {
  auto b = builder();
  const ValueId x = b.input("x", {6, 5});
  const ValueId picked = b.op("NonZero", {b.op("Relu", {x})}, {}, "picked");
  b.output(picked);
  b.output(b.op("Transpose", {picked}));
  const ValueId floats = b.op("Cast", {picked}, {{"to", int64_t{1}}});
  b.output(b.op("Mul", {floats, floats}));
  b.output(b.op("ReduceSum", {floats}, {{"keepdims", int64_t{0}}}));
  // Of known shape again, and fast.
  const ValueId sum =
      b.op("ReduceSum", {floats, b.constant("axes", Tensor::of<int64_t>({1}, {1}))});
  const ValueId row = b.op("Reshape", {sum, b.constant("row", Tensor::of<int64_t>({2}, {1, 2}))});
  b.output(b.op("MatMul", {row, b.constant("w", random_tensor(2, {2, 3}))}));
  expect_like_reference(b.finish());
}

TEST(Interpreter, FoldsWhatFollowsFromShapes) {
  auto b = builder();
  const ValueId x = b.input("x", any_batch({4}));
  const ValueId shape = b.op("Shape", {b.op("Relu", {x})});
  const ValueId ones =
      b.op("ConstantOfShape", {shape},
           {{"value", std::make_shared<const Tensor>(Tensor::of<float>({1}, {1.0F}))}});
  b.output(b.op("Add", {x, ones}));
  b.output(shape);
  expect_like_reference(b.finish());
}

TEST(Interpreter, GivesInputsAndConstantsAsOutputs) {
  auto b = builder();
  const ValueId x = b.input("x", {3});
  const ValueId c = b.constant("c", Tensor::of<float>({2}, {1, 2}));
  b.output(b.op("Relu", {x}));
  b.output(x);
  b.output(c);
  const auto graph = std::make_shared<const Graph>(b.finish());
  Options options;
  options.observed = {x, c};
  Recorder seen;
  const auto outputs = run(graph, {Tensor::of<float>({3}, {-1, 0, 1})}, options, &seen);
  EXPECT_EQ(outputs[0].to_floats(), (std::vector<float>{0, 0, 1}));
  EXPECT_EQ(outputs[1].to_floats(), (std::vector<float>{-1, 0, 1}));
  EXPECT_EQ(outputs[2].to_floats(), (std::vector<float>{1, 2}));
  EXPECT_EQ(seen.order, (std::vector<ValueId>{x, c}));
}

TEST(Interpreter, OutputsOutliveIt) {
  std::vector<Tensor> outputs;
  {
    const Interpreter interpreter =
        must(Interpreter::create(std::make_shared<const Graph>(network()), {}));
    outputs = must(interpreter.run(std::vector<Tensor>{random_tensor(1, {1, 3, 12, 12})}));
    must(interpreter.run(std::vector<Tensor>{random_tensor(2, {1, 3, 12, 12})}));
  }
  const Interpreter again = must(Interpreter::create(std::make_shared<const Graph>(network()), {}));
  EXPECT_TRUE(must(again.run(std::vector<Tensor>{random_tensor(1, {1, 3, 12, 12})}))[0] ==
              outputs[0]);
}

TEST(Interpreter, NumberOfThreadsDoesNotChangeABit) {
  const auto graph = std::make_shared<const Graph>(network());
  for (int64_t batch : {1, 4}) {
    const std::vector<Tensor> inputs = {random_tensor(7, {batch, 3, 12, 12})};
    const auto expected = run(graph, inputs);
    for (size_t threads : {2, 3, 4, 8}) {
      Options options;
      options.threads = threads;
      EXPECT_TRUE(run(graph, inputs, options)[0] == expected[0]) << threads << " threads";
    }
  }
}

TEST(Interpreter, ThreadsDoNotChangeABitOfAConvolution) {
  const std::pair<Ints, Ints> shapes[] = {
      {{1, 64, 14, 14}, {128, 64, 1, 1}},    {{1, 512, 7, 7}, {64, 512, 1, 1}},
      {{1, 96, 28, 28}, {96, 1, 3, 3}},      {{1, 256, 7, 7}, {256, 256, 3, 3}},
      {{1, 3, 64, 64}, {32, 3, 7, 7}},       {{4, 48, 9, 9}, {24, 48, 3, 3}},
      {{1, 1024, 1, 1}, {1000, 1024, 1, 1}}, {{1, 40, 30, 30}, {44, 10, 3, 3}},
  };
  for (const auto& [input, weight] : shapes) {
    auto b = builder();
    b.output(b.op("Conv", {b.input("x", input), b.constant("w", random_tensor(2, weight))},
                  {{"group", input[1] / weight[1]}}));
    const auto graph = std::make_shared<const Graph>(b.finish());
    const std::vector<Tensor> inputs = {random_tensor(3, input)};
    const auto expected = run(graph, inputs);
    for (size_t threads : {2, 4}) {
      Options options;
      options.threads = threads;
      EXPECT_TRUE(run(graph, inputs, options)[0] == expected[0])
          << ir::Shape::of(weight).to_string() << " on " << threads << " threads";
    }
  }
}

TEST(Interpreter, ConcurrentRunsDoNotMeet) {
  const auto graph = std::make_shared<const Graph>(network());
  const Interpreter interpreter = must(Interpreter::create(graph, {}));
  std::vector<std::vector<Tensor>> inputs;
  std::vector<Tensor> expected;
  for (uint64_t i = 0; i < 24; ++i) {
    inputs.push_back({random_tensor(i, {static_cast<int64_t>(1 + i % 3), 3, 12, 12})});
    expected.push_back(run(graph, inputs.back())[0]);
  }
  for (int round = 0; round < 3; ++round) {
    std::vector<Tensor> actual(inputs.size());
    must(parallel_for(4, inputs.size(), [&](size_t, size_t i) -> Status {
      auto outputs = interpreter.run(inputs[i]);
      if (!outputs.ok()) return outputs.error();
      actual[i] = (*outputs)[0];
      return {};
    }));
    for (size_t i = 0; i < actual.size(); ++i) EXPECT_TRUE(actual[i] == expected[i]) << i;
  }
}

TEST(Interpreter, RefusesInputsThatDoNotFit) {
  const Interpreter interpreter =
      must(Interpreter::create(std::make_shared<const Graph>(network()), {}));
  const auto error = interpreter.run(std::vector<Tensor>{random_tensor(1, {1, 3, 12, 11})}).error();
  EXPECT_EQ(error.code(), ErrorCode::kBadData);
  EXPECT_NE(error.message().find("float32[1,3,12,11]"), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("float32[N,3,12,12]"), std::string::npos) << error.message();
  EXPECT_EQ(interpreter.run({}).error().code(), ErrorCode::kBadData);
  const Tensor ids = must(Tensor::zeros(DType::kInt64, {1, 3, 12, 12}));
  EXPECT_EQ(interpreter.run(std::vector<Tensor>{ids}).error().code(), ErrorCode::kBadData);
}

TEST(Interpreter, RefusesAnUnknownOperator) {
  auto b = builder();
  const ValueId x = b.input("x", {3});
  ir::NodeSpec spec{"Frobnicate", {x}, {}, "odd", "com.example"};
  const ValueId y = b.node(spec)[0];
  b.output(y);
  const auto error = Interpreter::create(std::make_shared<const Graph>(b.finish()), {}).error();
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_NE(error.message().find("odd"), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("Frobnicate"), std::string::npos) << error.message();
}

TEST(Interpreter, RefusesAnOperatorSetThatIsTooNew) {
  auto b = builder(99);
  b.output(b.op("Relu", {b.input("x", {3})}));
  const auto error = Interpreter::create(std::make_shared<const Graph>(b.finish()), {}).error();
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_NE(error.message().find("opset 99"), std::string::npos) << error.message();
}

TEST(Interpreter, DoesNotMindAnUnknownOperatorThatNobodyNeeds) {
  auto b = builder();
  const ValueId x = b.input("x", {3});
  ir::NodeSpec spec{"Frobnicate", {x}, {}, "odd", "com.example"};
  b.node(spec);
  b.output(b.op("Relu", {x}));
  EXPECT_TRUE(Interpreter::create(std::make_shared<const Graph>(b.finish()), {}).ok());
}

TEST(Interpreter, KeepsToTheBudget) {
  for (Kernels kernels : {Kernels::kFast, Kernels::kReference}) {
    auto b = builder();
    const ValueId x = b.input("x", {1000});
    const ValueId wide = b.op(
        "Add", {b.op("Reshape", {x, b.constant("column", Tensor::of<int64_t>({2}, {1000, 1}))}), x},
        {}, "outer");
    b.output(b.op("ReduceSum", {wide}, {{"keepdims", int64_t{0}}}));
    const auto graph = std::make_shared<const Graph>(b.finish());
    Options options;
    options.kernels = kernels;
    options.max_memory = 1'000'000;
    const Interpreter interpreter = must(Interpreter::create(graph, options));
    const auto result = interpreter.run(std::vector<Tensor>{random_tensor(1, {1000})});
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code(), ErrorCode::kResourceLimit);
    options.max_memory = 10'000'000;
    const Interpreter enough = must(Interpreter::create(graph, options));
    for (int i = 0; i < 5; ++i) {
      EXPECT_TRUE(enough.run(std::vector<Tensor>{random_tensor(1, {1000})}).ok()) << i;
    }
  }
}

TEST(Interpreter, NamesTheNodeThatAsksForTooMuch) {
  auto b = builder();
  const ValueId x = b.input("x", ir::TensorType{DType::kInt64, ir::Shape::of({2})});
  const ValueId wide = b.op("ConstantOfShape", {x}, {}, "huge");
  b.output(wide);
  Options options;
  options.max_memory = 1'000'000;
  const Interpreter interpreter =
      must(Interpreter::create(std::make_shared<const Graph>(b.finish()), options));
  const auto ask = [&](int64_t a, int64_t c) {
    return interpreter.run(std::vector<Tensor>{Tensor::of<int64_t>({2}, {a, c})});
  };
  for (const auto& result : {ask(1'000, 1'000), ask(INT64_MAX, INT64_MAX)}) {
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code(), ErrorCode::kResourceLimit);
    EXPECT_NE(result.error().message().find("huge"), std::string::npos) << result.error().message();
  }
  EXPECT_EQ(ask(-1, 2).error().code(), ErrorCode::kMalformed);
  EXPECT_TRUE(ask(10, 20).ok());
}

TEST(Interpreter, MakesRoomForOtherShapes) {
  auto b = builder();
  const ValueId x = b.input("x", any_batch({1000}));
  b.output(b.op("ReduceSum", {b.op("Exp", {b.op("Tanh", {x})})}, {{"keepdims", int64_t{0}}}));
  Options options;
  options.max_memory = 9'000'000;
  const Interpreter interpreter =
      must(Interpreter::create(std::make_shared<const Graph>(b.finish()), options));
  for (int64_t batch = 900; batch < 912; ++batch) {
    auto inputs = std::vector<Tensor>{random_tensor(1, {batch, 1000})};
    const auto outputs = interpreter.run(inputs);
    EXPECT_TRUE(outputs.ok()) << outputs.error().message();
  }
}

TEST(Interpreter, NamesTheNodeThatFails) {
  auto b = builder();
  const ValueId x = b.input("x", any_batch({4}));
  b.output(
      b.op("Reshape", {x, b.constant("shape", Tensor::of<int64_t>({2}, {2, 2}))}, {}, "fixed"));
  const Interpreter interpreter =
      must(Interpreter::create(std::make_shared<const Graph>(b.finish()), {}));
  EXPECT_TRUE(interpreter.run(std::vector<Tensor>{random_tensor(1, {1, 4})}).ok());
  const auto result = interpreter.run(std::vector<Tensor>{random_tensor(1, {3, 4})});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kMalformed);
  EXPECT_NE(result.error().message().find("fixed"), std::string::npos) << result.error().message();
}

TEST(Interpreter, NamesANodeWhenThereIsNoRoomForARun) {
  Options options;
  options.max_memory = 100'000;
  const Interpreter interpreter =
      must(Interpreter::create(std::make_shared<const Graph>(network()), options));
  const auto result = interpreter.run(std::vector<Tensor>{random_tensor(1, {64, 3, 12, 12})});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kResourceLimit);
  EXPECT_NE(result.error().message().find("node \""), std::string::npos)
      << result.error().message();
}

TEST(Interpreter, RefusesSizesBeyondAnyMemory) {
  for (const Ints& repeats : {Ints{1 << 30, 1 << 30}, Ints{INT64_MAX, 4}}) {
    auto b = builder();
    const ValueId x = b.input("x", {64, 64});
    const ValueId r = b.constant("repeats", Tensor::of<int64_t>({2}, repeats));
    Result<ValueId> tiled = ValueId();
    try {
      tiled = b.op("Tile", {x, r}, {}, "tiled");
    } catch (const std::runtime_error&) {
      continue;  // inference may see it first
    }
    b.output(b.op("Relu", {*tiled}));
    const auto graph = std::make_shared<const Graph>(b.finish());
    const auto interpreter = Interpreter::create(graph, {});
    if (!interpreter.ok()) continue;
    const auto result = interpreter->run(std::vector<Tensor>{random_tensor(1, {64, 64})});
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code(), ErrorCode::kResourceLimit);
  }
}

// oneDNN prefers other layouts where vectors are shorter: channels in blocks of 8 or 16, padded.
TEST(Interpreter, IsLikeReferenceOnOlderMachines) {
#if defined(__x86_64__)
  if (std::getenv("ONEDNN_MAX_CPU_ISA") != nullptr) GTEST_SKIP() << "is one of its own runs";
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  for (const char* instructions : {"SSE41", "AVX2", "AVX512_CORE"}) {
    const std::string command = cat("ONEDNN_MAX_CPU_ISA=", instructions, " '", self,
                                    "' --gtest_brief=1 --gtest_output= > /dev/null 2>&1");
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
  }
#else
  GTEST_SKIP() << "not this architecture";
#endif
}

class Refusing : public Observer {
 public:
  Status observe(ValueId, const Tensor&) override { return bad_data("enough"); }
};

TEST(Interpreter, StopsWhenTheObserverSaysSo) {
  auto graph = std::make_shared<const Graph>(network());
  Options options;
  options.observed = all_values(*graph);
  Refusing refusing;
  const Interpreter interpreter = must(Interpreter::create(graph, options));
  const auto inputs = std::vector<Tensor>{random_tensor(1, {1, 3, 12, 12})};
  EXPECT_EQ(interpreter.run(inputs, &refusing).error().code(), ErrorCode::kBadData);
  EXPECT_TRUE(interpreter.run(inputs).ok());
}

TEST(Interpreter, DefaultsOfInputsAreConstants) {
  auto b = builder();
  const ValueId x = b.input("x", {3});
  const ValueId w = b.input_with_default("w", Tensor::of<float>({3}, {1, 2, 3}));
  b.output(b.op("Mul", {x, w}));
  EXPECT_EQ(run(std::make_shared<const Graph>(b.finish()), {Tensor::of<float>({3}, {1, 1, 2})})[0]
                .to_floats(),
            (std::vector<float>{1, 2, 6}));
}

}  // namespace
}  // namespace octet::interpreter
