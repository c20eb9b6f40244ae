// If, Loop and Scan: bodies, what they capture, and how they end.
#include <gmock/gmock.h>

#include "compiler/ir/parse.h"
#include "tests/unit/compiler/interpreter/compare.h"

namespace octet::interpreter {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::shared_ptr<const Graph> graph_of(const std::string& statements) {
  return std::make_shared<const Graph>(must(ir::parse("graph \"g\" {" + statements + "}")));
}

Tensor scalar(float x) { return Tensor::scalar<float>(x); }
Tensor row(const std::vector<float>& x) {
  return Tensor::of<float>({static_cast<int64_t>(x.size())}, x);
}

// By both kinds of kernels, which must agree.
std::vector<Tensor> run(const std::shared_ptr<const Graph>& graph,
                        const std::vector<Tensor>& inputs) {
  Options reference;
  reference.kernels = Kernels::kReference;
  const auto judged = must(must(Interpreter::create(graph, reference)).run(inputs));
  auto out = must(must(Interpreter::create(graph, {})).run(inputs));
  for (size_t i = 0; i < out.size(); ++i) EXPECT_TRUE(out[i] == judged[i]) << "output " << i;
  return out;
}

Error error_of(const std::shared_ptr<const Graph>& graph, const std::vector<Tensor>& inputs,
               int64_t max_memory = int64_t{1} << 26) {
  Options options;
  options.max_memory = max_memory;
  auto interpreter = Interpreter::create(graph, options);
  if (!interpreter.ok()) return interpreter.error();
  auto result = interpreter->run(inputs);
  return result.ok() ? internal_error("it runs") : result.error();
}

constexpr const char* kIf = R"(
  input %c: bool[]
  input %x: float32[2]
  %t: float32[2] = Relu(%x)
  %y = If(%c) {else_branch = graph "e" {
    capture %x
    %p = Neg(%x)
    output %p
  }, then_branch = graph "t" {
    capture %t
    capture %x
    %q = Add(%t, %x)
    output %q
  }} name "If_0"
  %z = Abs(%y)
  output %y
  output %z
)";

TEST(ControlFlow, IfRunsOneBranchWithWhatItCaptures) {
  const auto graph = graph_of(kIf);
  const auto yes = run(graph, {Tensor::scalar(true), row({1, -2})});
  EXPECT_THAT(yes[0].to_floats(), ElementsAre(2, -2));
  EXPECT_THAT(yes[1].to_floats(), ElementsAre(2, 2));
  const auto no = run(graph, {Tensor::scalar(false), row({1, -2})});
  EXPECT_THAT(no[0].to_floats(), ElementsAre(-1, 2));
}

TEST(ControlFlow, WhatABodyReadsIsNotFusedAway) {
  const auto graph = graph_of(R"(
    input %c: bool[]
    input %x: float32[1,2]
    const %w: float32[2,2] = [1.0, 2.0, 3.0, 4.0]
    %m: float32[1,2] = MatMul(%x, %w)
    %r: float32[1,2] = Relu(%m)
    %y = If(%c) {else_branch = graph "e" {
      capture %m
      %p = Neg(%m)
      output %p
    }, then_branch = graph "t" {
      capture %r
      %q = Neg(%r)
      output %q
    }}
    output %y
  )");
  const Tensor x = Tensor::of<float>({1, 2}, {1, -1});
  EXPECT_THAT(run(graph, {Tensor::scalar(true), x})[0].to_floats(), ElementsAre(0, 0));
  EXPECT_THAT(run(graph, {Tensor::scalar(false), x})[0].to_floats(), ElementsAre(2, 2));
}

TEST(ControlFlow, BranchesMayDifferInShape) {
  const auto graph = graph_of(R"(
    input %c: bool[]
    input %x: float32[1,2]
    %y = If(%c) {else_branch = graph "e" {
      capture %x
      output %x
    }, then_branch = graph "t" {
      capture %x
      %axes: int64[1] = Constant() {value = tensor int64[1] [0]}
      %q = Squeeze(%x, %axes)
      output %q
    }}
    %z = Relu(%y)
    output %z
  )");
  const Tensor x = Tensor::of<float>({1, 2}, {1, -2});
  EXPECT_EQ(run(graph, {Tensor::scalar(true), x})[0].shape(), std::vector<int64_t>({2}));
  EXPECT_EQ(run(graph, {Tensor::scalar(false), x})[0].shape(), std::vector<int64_t>({1, 2}));
}

// Sums 1 + step over the trips and stacks the sums.
constexpr const char* kLoop = R"(
  input %trips: int64[]
  input %x: float32[]
  input %step: float32[]
  %last, %all = Loop(%trips, _, %x) {body = graph "b" {
    input %i: int64[]
    input %go: bool[]
    input %v: float32[]
    capture %step
    %w = Add(%v, %step)
    output %go
    output %w
    output %w
  }} name "Loop_0"
  output %last
  output %all
)";

TEST(ControlFlow, LoopCarriesValuesAndStacksOthers) {
  const auto graph = graph_of(kLoop);
  const auto out = run(graph, {Tensor::scalar<int64_t>(3), scalar(1), scalar(0.5F)});
  EXPECT_EQ(out[0].to_floats()[0], 2.5F);
  EXPECT_THAT(out[1].to_floats(), ElementsAre(1.5F, 2, 2.5F));
}

TEST(ControlFlow, LoopWithoutTripsGivesItsOperands) {
  const auto out = run(graph_of(kLoop), {Tensor::scalar<int64_t>(0), scalar(1), scalar(2)});
  EXPECT_EQ(out[0].to_floats()[0], 1);
  EXPECT_EQ(out[1].shape(), std::vector<int64_t>({0}));
  EXPECT_EQ(out[1].dtype(), DType::kFloat32);
}

TEST(ControlFlow, LoopEndsByItsCondition) {
  const auto graph = graph_of(R"(
    input %x: float32[]
    const %yes: bool[] = true
    const %limit: float32[] = 10.0
    %last = Loop(_, %yes, %x) {body = graph "b" {
      input %i: int64[]
      input %go: bool[]
      input %v: float32[]
      capture %limit
      %w = Add(%v, %v)
      %more = Less(%w, %limit)
      output %more
      output %w
    }}
    output %last
  )");
  EXPECT_EQ(run(graph, {scalar(1)})[0].to_floats()[0], 16);
}

TEST(ControlFlow, CarriedValuesMayGrow) {
  const auto graph = graph_of(R"(
    input %trips: int64[]
    input %x: float32[1]
    %last = Loop(%trips, _, %x) {body = graph "b" {
      input %i: int64[]
      input %go: bool[]
      input %v: float32[?]
      %w = Concat(%v, %v) {axis = 0}
      output %go
      output %w
    }}
    %y = Neg(%last)
    output %y
  )");
  EXPECT_EQ(run(graph, {Tensor::scalar<int64_t>(4), row({1})})[0].shape(),
            std::vector<int64_t>({16}));
  const Error error = error_of(graph, {Tensor::scalar<int64_t>(60), row({1})});
  EXPECT_EQ(error.code(), ErrorCode::kResourceLimit) << error.message();
}

constexpr const char* kEndless = R"(
  input %x: float32[]
  %last = Loop(_, _, %x) {body = graph "b" {
    input %i: int64[]
    input %go: bool[]
    input %v: float32[]
    %n: float32[] = Neg(%v)
    %w = Identity(%n)
    output %go
    output %w
  }} name "forever"
  output %last
)";

TEST(ControlFlow, LoopWithoutEndIsALimit) {
  const Error error = error_of(graph_of(kEndless), {scalar(1)});
  EXPECT_EQ(error.code(), ErrorCode::kResourceLimit);
  EXPECT_THAT(error.message(), HasSubstr("forever"));
  EXPECT_THAT(error.message(), HasSubstr("loop without end"));
}

TEST(ControlFlow, LoopsInLoopsShareTheLimit) {
  const auto graph = graph_of(R"(
    input %x: float32[]
    const %many: int64[] = 100000
    %last = Loop(%many, _, %x) {body = graph "outer" {
      input %i: int64[]
      input %go: bool[]
      input %v: float32[]
      capture %many
      %w = Loop(%many, _, %v) {body = graph "inner" {
        input %j: int64[]
        input %on: bool[]
        input %u: float32[]
        %n = Neg(%u)
        output %on
        output %n
      }} name "inside"
      output %go
      output %w
    }} name "outside"
    output %last
  )");
  const Error error = error_of(graph, {scalar(1)});
  EXPECT_EQ(error.code(), ErrorCode::kResourceLimit);
  EXPECT_THAT(error.message(), HasSubstr("outside"));
  EXPECT_THAT(error.message(), HasSubstr("inside"));
}

// Every level doubles what it carries, so that no round of inference is like the one before.
TEST(ControlFlow, DeepLoopsTakeNoTimeToInfer) {
  std::string body = "%w = Concat(%v, %v) {axis = 0} output %go output %w";
  for (int depth = 0; depth < 20; ++depth) {
    body = cat("%u = Concat(%v, %v) {axis = 0} %w = Loop(%i, _, %u) {body = graph \"b\" {",
               "input %i: int64[] input %go: bool[] input %v: float32[?] ", body,
               "}} output %go output %w");
  }
  const auto graph =
      graph_of(cat("input %n: int64[] input %x: float32[1] ",
                   "%last = Loop(%n, _, %x) {body = graph \"b\" {input %i: int64[] ",
                   "input %go: bool[] input %v: float32[?] ", body, "}} output %last"));
  // In the first trip the loop inside has none.
  EXPECT_EQ(run(graph, {Tensor::scalar<int64_t>(1), row({1})})[0].shape(),
            std::vector<int64_t>({2}));
}

TEST(ControlFlow, StackedValuesAreChargedToTheBudget) {
  const auto graph = graph_of(R"(
    input %x: float32[65536]
    %all = Loop(_, _) {body = graph "b" {
      input %i: int64[]
      input %go: bool[]
      capture %x
      %w = Neg(%x)
      output %go
      output %w
    }} name "stack"
    output %all
  )");
  const Error error = error_of(graph, {must(Tensor::zeros(DType::kFloat32, {65536}))});
  EXPECT_EQ(error.code(), ErrorCode::kResourceLimit);
  EXPECT_THAT(error.message(), HasSubstr("stack"));
}

TEST(ControlFlow, ScanRunsBackwardAndAlongOtherAxes) {
  const auto graph = graph_of(R"(
    input %s: float32[2]
    input %x: float32[2,3]
    %last, %sums = Scan(%s, %x) {body = graph "b" {
      input %v: float32[2]
      input %e: float32[2]
      %w = Add(%v, %e)
      output %w
      output %w
    }, num_scan_inputs = 1, scan_input_axes = [1], scan_input_directions = [1],
       scan_output_axes = [-1], scan_output_directions = [1]}
    output %last
    output %sums
  )");
  const auto out = run(graph, {row({0, 10}), Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6})});
  EXPECT_THAT(out[0].to_floats(), ElementsAre(6, 25));
  EXPECT_EQ(out[1].shape(), std::vector<int64_t>({2, 3}));
  EXPECT_THAT(out[1].to_floats(), ElementsAre(6, 5, 3, 25, 21, 16));
}

// Bodies with products have interpreters of their own.
TEST(ControlFlow, BodiesWithProductsAreLikeReference) {
  const auto graph = graph_of(R"(
    input %c: bool[]
    input %trips: int64[]
    input %x: float32[4,4]
    input %w: float32[4,4]
    %t = Relu(%x)
    %last, %all = Loop(%trips, _, %t) {body = graph "b" {
      input %i: int64[]
      input %go: bool[]
      input %v: float32[4,4]
      capture %w
      capture %c
      %p = MatMul(%v, %w)
      %q = If(%c) {else_branch = graph "e" {
        capture %p
        capture %w
        %m = MatMul(%w, %p)
        %s = Softmax(%m)
        output %s
      }, then_branch = graph "t" {
        capture %p
        %r = Tanh(%p)
        output %r
      }}
      output %go
      output %q
      output %p
    }}
    output %last
    output %all
  )");
  Options reference;
  reference.kernels = Kernels::kReference;
  const Interpreter judge = must(Interpreter::create(graph, reference));
  const Interpreter fast = must(Interpreter::create(graph, {}));
  for (const bool condition : {true, false, true}) {
    for (const int64_t trips : {0, 1, 5}) {
      const std::vector<Tensor> inputs = {Tensor::scalar(condition), Tensor::scalar(trips),
                                          random_tensor(1, {4, 4}), random_tensor(2, {4, 4})};
      const auto expected = must(judge.run(inputs));
      const auto found = must(fast.run(inputs));
      for (size_t i = 0; i < found.size(); ++i) {
        expect_near(found[i], expected[i], 1e-5, cat(condition, " ", trips, " output ", i));
      }
    }
  }
}

TEST(ControlFlow, BodiesShareTheBudget) {
  const auto graph = graph_of(R"(
    input %x: float32[1024,1024]
    const %yes: bool[] = true
    const %trips: int64[] = 3
    %last = Loop(%trips, %yes, %x) {body = graph "b" {
      input %i: int64[]
      input %go: bool[]
      input %v: float32[1024,1024]
      %p = MatMul(%v, %v)
      %q = MatMul(%p, %v)
      output %go
      output %q
    }} name "large"
    output %last
  )");
  const Error error =
      error_of(graph, {must(Tensor::zeros(DType::kFloat32, {1024, 1024}))}, int64_t{6} << 20);
  EXPECT_EQ(error.code(), ErrorCode::kResourceLimit) << error.message();
}

TEST(ControlFlow, LoopsOfProductsWithoutEndAreALimit) {
  const auto graph = graph_of(R"(
    input %x: float32[2,2]
    %last = Loop(_, _, %x) {body = graph "b" {
      input %i: int64[]
      input %go: bool[]
      input %v: float32[2,2]
      %p = MatMul(%v, %v)
      output %go
      output %p
    }} name "forever"
    output %last
  )");
  const Error error = error_of(graph, {must(Tensor::zeros(DType::kFloat32, {2, 2}))});
  EXPECT_EQ(error.code(), ErrorCode::kResourceLimit);
  EXPECT_THAT(error.message(), HasSubstr("loop without end"));
}

TEST(ControlFlow, AnUnknownOperatorInABodyIsNamed) {
  const auto graph = graph_of(R"(
    input %c: bool[]
    input %x: float32[2]
    %y = If(%c) {else_branch = graph "e" {
      capture %x
      output %x
    }, then_branch = graph "t" {
      capture %x
      %q = NoSuchOperator(%x) name "odd"
      output %q
    }} name "choice"
    output %y
  )");
  const Error error = error_of(graph, {Tensor::scalar(true), row({1, 2})});
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_THAT(error.message(), HasSubstr("choice"));
  EXPECT_THAT(error.message(), HasSubstr("odd"));
  EXPECT_EQ(must(must(Interpreter::create(graph, {}))
                     .run(std::vector<Tensor>{Tensor::scalar(false), row({1, 2})}))[0]
                .to_floats()[1],
            2);
}

}  // namespace
}  // namespace octet::interpreter
