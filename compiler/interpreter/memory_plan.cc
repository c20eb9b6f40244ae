#include "compiler/interpreter/memory_plan.h"

#include <algorithm>
#include <numeric>

#include "compiler/base/checked.h"

namespace octet::interpreter {
namespace {

constexpr int64_t kAlignment = 64;

Result<int64_t> aligned(int64_t bytes) {
  const auto padded = checked_add(bytes, kAlignment - 1);
  if (!padded) return resource_limit("the memory of a run does not fit 64 bits");
  return *padded / kAlignment * kAlignment;
}

// First step that writes and last step that reads a root; last is the number of steps for outputs.
struct Lifetime {
  size_t first = SIZE_MAX;
  size_t last = 0;
  bool used() const { return first != SIZE_MAX; }
  bool overlaps(const Lifetime& other) const { return first <= other.last && other.first <= last; }
};

BufferId root_of(const Plan& plan, BufferId id) {
  while (plan.buffer(id).root != id) id = plan.buffer(id).root;
  return id;
}

std::vector<Lifetime> lifetimes(const Plan& plan) {
  std::vector<Lifetime> out(plan.buffers.size());
  const auto touch = [&](BufferId id, size_t step) {
    if (!id.valid()) return;
    Lifetime& l = out[root_of(plan, id).index()];
    l.first = std::min(l.first, step);
    l.last = std::max(l.last, step);
  };
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    for (BufferId id : step.inputs) touch(id, i);
    for (BufferId id : step.outputs) touch(id, i);
    for (const Observation& o : step.observations) touch(o.buffer, i);
  }
  for (BufferId id : plan.outputs) touch(id, plan.steps.size());
  return out;
}

// True when output 0 of a step can take over the memory of its operand.
bool can_take_over(const Plan& plan, const std::vector<Lifetime>& lives, size_t at,
                   size_t operand) {
  const Step& step = plan.steps[at];
  const BufferId input = step.inputs[operand];
  const BufferId output = step.outputs[0];
  if (!input.valid() || !output.valid()) return false;
  const BufferId root = root_of(plan, input);
  const Buffer& from = plan.buffer(root);
  const Buffer& to = plan.buffer(output);
  if (from.place != Buffer::Place::kArena || to.place != Buffer::Place::kArena) return false;
  if (lives[root.index()].last != at || to.bytes > from.bytes || to.root != output) return false;
  return std::count_if(step.inputs.begin(), step.inputs.end(),
                       [&](BufferId id) { return id.valid() && root_of(plan, id) == root; }) == 1;
}

std::optional<BufferId> in_place_operand(const Plan& plan, const std::vector<Lifetime>& lives,
                                         size_t at) {
  const Step& step = plan.steps[at];
  if (step.kind != Step::Kind::kKernel) return std::nullopt;
  for (size_t operand : step.kernel->in_place) {
    if (can_take_over(plan, lives, at, operand)) return root_of(plan, step.inputs[operand]);
  }
  return std::nullopt;
}

void join_in_place(Plan& plan, std::vector<Lifetime>& lives) {
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const auto root = in_place_operand(plan, lives, i);
    if (!root) continue;
    const BufferId output = plan.steps[i].outputs[0];
    plan.buffers[output.index()].root = *root;
    Lifetime& joined = lives[root->index()];
    joined.last = std::max(joined.last, lives[output.index()].last);
    lives[output.index()] = {};
  }
}

// Largest first, each at the lowest offset where it fits beside those it lives together with.
Status assign_offsets(Plan& plan, const std::vector<Lifetime>& lives) {
  std::vector<size_t> order;
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    const Buffer& b = plan.buffers[i];
    if (b.place == Buffer::Place::kArena && b.root == BufferId(i) && lives[i].used()) {
      order.push_back(i);
    }
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return plan.buffers[a].bytes > plan.buffers[b].bytes;
  });
  std::vector<size_t> placed;  // by offset
  for (size_t i : order) {
    Buffer& buffer = plan.buffers[i];
    OCTET_ASSIGN(const int64_t size, aligned(buffer.bytes));
    int64_t offset = 0;
    for (size_t j : placed) {
      const Buffer& other = plan.buffers[j];
      if (!lives[i].overlaps(lives[j])) continue;
      if (size <= other.offset - offset) break;
      offset =
          std::max(offset, other.offset + (other.bytes + kAlignment - 1) / kAlignment * kAlignment);
    }
    const auto end = checked_add(offset, size);
    if (!end) return resource_limit("the memory of a run does not fit 64 bits");
    buffer.offset = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, *end);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), i,
                                   [&](size_t a, size_t b) {
                                     return plan.buffers[a].offset < plan.buffers[b].offset;
                                   }),
                  i);
  }
  return {};
}

void mark_last_uses(Plan& plan, const std::vector<Lifetime>& lives) {
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    if (plan.buffers[i].place != Buffer::Place::kHeap) continue;
    const Lifetime& life = lives[root_of(plan, BufferId(i)).index()];
    if (life.used() && life.last < plan.steps.size()) {
      plan.steps[life.last].last_uses.push_back(BufferId(i));
    }
  }
}

// Of the values that live at one step, what they take together at most.
int64_t most_alive(const Plan& plan, const std::vector<Lifetime>& lives) {
  std::vector<int64_t> change(plan.steps.size() + 2, 0);
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    const Buffer& buffer = plan.buffers[i];
    if (buffer.place == Buffer::Place::kConstant || !lives[i].used()) continue;
    change[lives[i].first] += buffer.bytes;
    change[lives[i].last + 1] -= buffer.bytes;
  }
  int64_t now = 0;
  int64_t most = 0;
  for (int64_t by : change) {
    now += by;
    most = std::max(most, now);
  }
  return most;
}

}  // namespace

Status plan_memory(Plan& plan) {
  std::vector<Lifetime> lives = lifetimes(plan);
  join_in_place(plan, lives);
  OCTET_TRY(assign_offsets(plan, lives));
  plan.live_bytes = most_alive(plan, lives);
  mark_last_uses(plan, lives);
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    plan.buffers[i].root = root_of(plan, BufferId(i));
  }
  int64_t scratch = 0;
  int64_t largest = -1;
  for (const Step& step : plan.steps) {
    int64_t bytes = step.kernel != nullptr ? step.kernel->scratch_bytes : 0;
    scratch = std::max(scratch, bytes);
    for (BufferId id : step.outputs) {
      if (!id.valid() || plan.buffer(id).place != Buffer::Place::kArena) continue;
      bytes = std::max(bytes, plan.buffer(id).bytes);
    }
    if (bytes > largest) plan.largest = step.node;
    largest = std::max(largest, bytes);
  }
  plan.scratch_offset = plan.arena_bytes;
  const auto total = checked_add(plan.arena_bytes, scratch);
  if (!total) return resource_limit("the memory of a run does not fit 64 bits");
  plan.arena_bytes = *total;
  return {};
}

}  // namespace octet::interpreter
