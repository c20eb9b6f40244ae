#include "tests/support/pass_harness.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "compiler/ir/parse.h"
#include "compiler/ir/print.h"
#include "compiler/ir/verify.h"
#include "compiler/ops/schema.h"
#include "tests/support/random_values.h"
#include "tests/support/reference_executor.h"

namespace octet::testing {

using ir::Graph;
using ir::Tensor;
using passes::NumericsClass;

// --- numbers -----------------------------------------------------------------------------------

namespace {

enum class Fill { kRandom, kZeros, kLarge, kNegative };
constexpr std::array kFills = {Fill::kRandom, Fill::kZeros, Fill::kLarge, Fill::kNegative};

double number(Random& random, Fill fill) {
  switch (fill) {
    case Fill::kRandom:
      return random.between(-1.0F, 1.0F);
    case Fill::kZeros:
      return 0.0;
    case Fill::kLarge:
      return random.between(-1.0F, 1.0F) * 1e4F;
    case Fill::kNegative:
      return random.between(-2.0F, -0.5F);
  }
  return 0.0;
}

// Integers stay small: they pick elements.
Tensor input_tensor(Random& random, const ir::TensorType& type, Fill fill, int64_t extent) {
  std::vector<int64_t> shape;
  if (type.shape.has_rank()) {
    for (const ir::Dim& dim : type.shape.dims()) {
      shape.push_back(dim.is_static() ? dim.extent() : extent);
    }
  }
  auto tensor = Tensor::zeros(type.storage, std::move(shape));
  if (!tensor.ok()) return {};
  const bool floats = numerics::is_floating_point(type.storage);
  for (int64_t i = 0; i < tensor->element_count(); ++i) {
    if (floats) {
      tensor->set_from_double(i, number(random, fill));
    } else {
      tensor->set_from_int64(i, fill == Fill::kZeros ? 0 : random.below(2));
    }
  }
  return std::move(tensor).value();
}

struct Deviation {
  double worst = 0.0;
  double range = 0.0;
  bool special = false;  // NaN or infinity in one and not in the other
};

Deviation deviation(const Tensor& a, const Tensor& b) {
  Deviation out;
  for (int64_t i = 0; i < a.element_count(); ++i) {
    const double x = a.at_as_double(i);
    const double y = b.at_as_double(i);
    if (std::isfinite(x) && std::isfinite(y)) {
      out.worst = std::max(out.worst, std::abs(x - y));
      out.range = std::max(out.range, std::abs(x));
    } else if (!(std::isnan(x) && std::isnan(y)) && x != y) {
      out.special = true;
    }
  }
  return out;
}

void expect_close(const Tensor& a, const Tensor& b, NumericsClass numerics,
                  const std::string& what) {
  ASSERT_EQ(a.dtype(), b.dtype()) << what;
  ASSERT_EQ(a.shape(), b.shape()) << what;
  if (a.dtype() == ir::DType::kString) {
    EXPECT_EQ(a.strings(), b.strings()) << what;
    return;
  }
  const Deviation d = deviation(a, b);
  EXPECT_FALSE(d.special) << what << ": a number that is not finite differs";
  const double tolerance = numerics == NumericsClass::kExact      ? 0.0
                           : numerics == NumericsClass::kRounding ? 2e-5 * d.range + 1e-30
                                                                  : 1e-2 * d.range + 1e-30;
  EXPECT_LE(d.worst, tolerance) << what << ": of a range of " << d.range;
}

}  // namespace

bool expect_same_numbers(const Graph& before, const Graph& after, NumericsClass numerics,
                         int64_t extent) {
  bool compared = false;
  for (size_t fill = 0; fill < kFills.size(); ++fill) {
    Random random(fill + 1);
    std::vector<Tensor> inputs;
    for (ir::ValueId id : before.required_inputs()) {
      inputs.push_back(input_tensor(random, before.value(id).type, kFills[fill], extent));
    }
    const auto expected = testing_support::execute_reference(before, inputs);
    if (!expected.ok()) continue;
    compared = true;
    const auto got = testing_support::execute_reference(after, inputs);
    EXPECT_TRUE(got.ok()) << got.error().message();
    if (!got.ok()) return true;
    EXPECT_EQ(expected->size(), got->size());
    for (size_t i = 0; i < std::min(expected->size(), got->size()); ++i) {
      expect_close((*expected)[i], (*got)[i], numerics,
                   cat("output ", i, " ", before.value(before.outputs()[i]).name, ", fill ", fill));
    }
  }
  return compared;
}

// --- structure -----------------------------------------------------------------------------------

namespace {

std::vector<std::string> names(const Graph& graph, const std::vector<ir::ValueId>& ids) {
  std::vector<std::string> out;
  for (ir::ValueId id : ids) out.push_back(graph.value(id).name);
  return out;
}

std::set<std::string> origins(const Graph& graph) {
  std::set<std::string> out;
  for (ir::NodeId id : graph.order()) {
    out.insert(graph.node(id).origins.begin(), graph.node(id).origins.end());
  }
  return out;
}

// An origin may go with a node that became a constant, and none may be made up.
void expect_origins_kept(const Graph& before, const Graph& after) {
  const std::set<std::string> known = origins(before);
  for (ir::NodeId id : after.order()) {
    EXPECT_FALSE(after.node(id).origins.empty());
    for (const std::string& origin : after.node(id).origins) {
      EXPECT_TRUE(known.contains(origin)) << "made up: " << origin;
    }
  }
}

constexpr int64_t kMaxTextBytes = int64_t{8} << 20;  // base64 of large models takes its time

int64_t constant_bytes(const Graph& graph) {
  int64_t out = 0;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const ir::Value& value = graph.value(ir::ValueId(i));
    if (value.is_constant()) out += static_cast<int64_t>(value.constant->bytes().size());
  }
  return out;
}

std::string text_of(const Graph& graph) {
  return ir::print(graph, {.constants = ir::ConstantText::kSummary});
}

void expect_sound(const Graph& graph) {
  const auto verified = ir::verify(graph);
  EXPECT_TRUE(verified.ok()) << verified.error().message();
  if (constant_bytes(graph) > kMaxTextBytes) return;
  const auto parsed = ir::parse(ir::print(graph));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  EXPECT_TRUE(*parsed == graph) << "the text does not parse back";
}

passes::PassContext context_of(MemoryBudget& budget) {
  passes::PassContext context;
  context.budget = &budget;
  return context;
}

void expect_stops(const passes::PassInfo& pass, const Graph& before, const PassCheck& check,
                  const PassCheckOptions& options) {
  constexpr int64_t kStops = 3;
  for (int64_t stop = 0; stop < std::min(check.report.edits, kStops); ++stop) {
    Graph graph = before;
    MemoryBudget budget(int64_t{1} << 30);
    passes::PassContext context = context_of(budget);
    context.edits_left = stop;
    const auto report = run_pass(pass, graph, options.configs, context);
    ASSERT_TRUE(report.ok()) << report.error().message();
    EXPECT_EQ(report->edits, stop) << pass.name << " stopped in front of edit " << stop;
    expect_sound(graph);
    if (check.compared) expect_same_numbers(before, graph, pass.numerics, options.extent);
  }
}

}  // namespace

PassCheck check_pass(const passes::PassInfo& pass, const Graph& before,
                     const PassCheckOptions& options) {
  PassCheck check;
  check.after = before;
  MemoryBudget budget(int64_t{1} << 30);
  passes::PassContext context = context_of(budget);
  auto report = run_pass(pass, check.after, options.configs, context);
  EXPECT_TRUE(report.ok()) << report.error().message();
  if (!report.ok()) return check;
  check.report = *std::move(report);
  expect_sound(check.after);
  const bool text_differs = text_of(before) != text_of(check.after);
  EXPECT_EQ(check.report.changed, text_differs) << pass.name << " says so, the text does not";
  EXPECT_EQ(names(before, before.required_inputs()),
            names(check.after, check.after.required_inputs()));
  EXPECT_EQ(names(before, before.outputs()), names(check.after, check.after.outputs()));
  expect_origins_kept(before, check.after);

  Graph again = check.after;
  auto second = run_pass(pass, again, options.configs, context);
  EXPECT_TRUE(second.ok());
  EXPECT_FALSE(second.ok() && second->changed) << pass.name << " changes its own result";
  EXPECT_EQ(text_of(again), text_of(check.after));

  if (options.numbers == PassCheckOptions::Numbers::kCompared) {
    check.compared = expect_same_numbers(before, check.after, pass.numerics, options.extent);
  }
  expect_stops(pass, before, check, options);
  return check;
}

PassCheck check_pass(std::string_view pass, const Graph& before, const PassCheckOptions& options) {
  const passes::PassInfo* info = passes::find_pass(pass);
  EXPECT_NE(info, nullptr) << pass;
  return info == nullptr ? PassCheck{before, {}, false} : check_pass(*info, before, options);
}

// --- text --------------------------------------------------------------------------------------

Graph pass_graph(std::string_view statements, int opset) {
  const std::string text =
      cat("model { opset \"\" = ", opset, " } graph \"main\" {\n", statements, "\n}\n");
  auto graph = ir::parse(text);
  EXPECT_TRUE(graph.ok()) << graph.error().message() << "\n" << text;
  if (!graph.ok()) return {};
  const auto inferred = ops::infer_graph(*graph);
  EXPECT_TRUE(inferred.ok()) << inferred.error().message();
  return *std::move(graph);
}

std::string operator_list(const Graph& graph) {
  std::string out;
  for (ir::NodeId id : graph.order()) {
    out += (out.empty() ? "" : " ") + graph.node(id).op_type;
  }
  return out;
}

std::string after_pass(std::string_view pass, std::string_view statements, int opset) {
  return operator_list(check_pass(pass, pass_graph(statements, opset)).after);
}

}  // namespace octet::testing
