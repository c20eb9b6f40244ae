#include "compiler/plan/quantizable_values.h"

#include <gmock/gmock.h>

#include "compiler/plan/planner.h"
#include "tests/support/plan_fixture.h"

namespace octet::plan {
namespace {

using ::testing::ElementsAre;
using ::testing::IsSubsetOf;
using testing::Network;

std::vector<std::string> names(const ir::Graph& graph, const std::set<ir::ValueId>& values) {
  std::vector<std::string> out;
  for (const ir::ValueId id : values) out.push_back(graph.value(id).name);
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<BackendSpec> builtin() {
  std::vector<BackendSpec> out;
  for (const char* name : {"x86", "arm", "openvino", "tensorrt"}) {
    out.push_back(testing::backend(name));
  }
  return out;
}

TEST(QuantizableValues, LieAtTheEdgesOfUnits) {
  Network net;
  const auto c1 = net.conv(net.input(), "c1");
  const auto r1 = net.op("Relu", {c1}, "r1");
  const auto c2 = net.conv(r1, "c2");
  const auto cosine = net.op("Cos", {c2}, "cosine");
  const auto sine = net.op("Sin", {cosine}, "sine");
  const ir::Graph graph = net.finish({sine});
  // Inside a unit: c1. Of operators that no backend runs in integers: cosine, sine.
  EXPECT_THAT(names(graph, quantizable_values(graph, builtin())), ElementsAre("c2", "r1", "x"));
}

TEST(QuantizableValues, AreAllThatPlansAskFor) {
  Network net;
  const auto c1 = net.conv(net.input(), "c1");
  const auto r1 = net.op("Relu", {c1}, "r1");
  const auto both = net.op("Add", {net.conv(r1, "c2"), r1}, "both");
  const auto r2 = net.op("Relu", {both}, "r2");
  const auto p = net.max_pool(r2, "p");
  const ir::Graph graph = net.finish({net.conv(p, "c3"), net.op("Sigmoid", {p}, "s")});
  const auto all = names(graph, quantizable_values(graph, builtin()));
  for (const BackendSpec& spec : builtin()) {
    EXPECT_THAT(names(graph, needed_statistics(graph, spec, {}).values), IsSubsetOf(all));
  }
}

TEST(QuantizableValues, OfNoBackendAreNone) {
  Network net;
  const ir::Graph graph = net.finish({net.conv(net.input(), "c")});
  EXPECT_TRUE(quantizable_values(graph, {}).empty());
}

}  // namespace
}  // namespace octet::plan
