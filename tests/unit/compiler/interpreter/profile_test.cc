// Time by step, and what a plan says of its memory.
#include "compiler/interpreter/profile.h"

#include <gmock/gmock.h>

#include "compiler/ir/parse.h"
#include "tests/unit/compiler/interpreter/compare.h"

namespace octet::interpreter {
namespace {

using std::chrono::nanoseconds;
using ::testing::ElementsAre;

std::vector<std::string> ops(const std::vector<Profile::Entry>& entries) {
  std::vector<std::string> out;
  for (const Profile::Entry& entry : entries) out.push_back(entry.op);
  return out;
}

TEST(Profile, SumsUpByNodeAndByOperator) {
  Profile profile;
  profile.add("Conv", "a", nanoseconds(5));
  profile.add("Conv", "b", nanoseconds(4));
  profile.add("Add", "c", nanoseconds(7));
  Profile other;
  other.add("Conv", "a", nanoseconds(1));
  other.add("reorder", "a", nanoseconds(2));
  profile.merge(other);
  const auto nodes = profile.nodes();
  EXPECT_THAT(ops(nodes), ElementsAre("Add", "Conv", "reorder", "Conv"));
  EXPECT_EQ(nodes[3].node, "a");
  EXPECT_EQ(nodes[3].runs, 2);
  EXPECT_EQ(nodes[3].time, nanoseconds(6));
  EXPECT_EQ(nodes[3].least, nanoseconds(1));
  const auto operators = profile.operators();
  EXPECT_THAT(ops(operators), ElementsAre("Add", "Conv", "reorder"));
  EXPECT_EQ(operators[1].runs, 3);
  EXPECT_EQ(operators[1].time, nanoseconds(10));
  EXPECT_EQ(operators[1].least, nanoseconds(5));
  EXPECT_EQ(operators[1].node, "");
}

std::shared_ptr<const Graph> two_steps() {
  return std::make_shared<const Graph>(must(ir::parse(R"(graph "g" {
  input %x: float32[2,3]
  %h: float32[2,3] = Add(%x, %x)
  %y: float32[2,3] = Round(%h)
  output %y
})")));
}

TEST(Profile, HasEveryStepOfARunAndSaysWhatIsReference) {
  const Interpreter interpreter = must(Interpreter::create(two_steps(), {}));
  const std::vector<Tensor> inputs = {Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6})};
  Profile profile;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(interpreter.run(inputs, nullptr, &profile).ok());
  auto names = ops(profile.operators());
  std::sort(names.begin(), names.end());
  EXPECT_THAT(names, ElementsAre("Add", "Round (reference)"));
  for (const Profile::Entry& entry : profile.nodes()) EXPECT_EQ(entry.runs, 3);
}

TEST(PlannedMemory, IsWhatLivesAtOnce) {
  const Interpreter interpreter = must(Interpreter::create(two_steps(), {}));
  const std::vector<Tensor> inputs = {Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6})};
  const PlannedMemory memory = must(interpreter.planned_memory(inputs));
  EXPECT_EQ(memory.live, 2 * 6 * 4);  // of x, h and y two at a time
  EXPECT_GE(memory.arena, 6 * 4);
  const std::vector<Tensor> wrong = {Tensor::of<float>({3}, {1, 2, 3})};
  const auto refused = interpreter.planned_memory(wrong);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kBadData);
}

}  // namespace
}  // namespace octet::interpreter
