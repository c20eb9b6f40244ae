// The order of a graph's nodes: producers first, stable under edits.
#include <algorithm>
#include <cstddef>
#include <functional>
#include <queue>

#include "compiler/ir/graph.h"

namespace octet::ir {

namespace {

// Between neighbours after renumber(), and how far behind its neighbour a node goes that is put
// between two: several nodes in front of the same one find room for long, and so do nodes between
// those.
constexpr uint64_t kGap = uint64_t{1} << 32;
constexpr uint64_t kStep = uint64_t{1} << 16;

}  // namespace

size_t Graph::position(NodeId id) const {
  const auto at = std::lower_bound(order_.begin(), order_.end(), id,
                                   [this](NodeId a, NodeId b) { return comes_before(a, b); });
  return static_cast<size_t>(at - order_.begin());
}

void Graph::renumber() {
  for (size_t i = 0; i < order_.size(); ++i) ranks_[order_[i].index()] = (i + 1) * kGap;
}

void Graph::insert_in_order(NodeId id, size_t at) {
  const uint64_t before = at == 0 ? 0 : ranks_[order_[at - 1].index()];
  ranks_.resize(nodes_.size());
  order_.insert(order_.begin() + static_cast<std::ptrdiff_t>(at), id);
  if (at + 1 == order_.size()) {
    ranks_[id.index()] = before + kGap;
    return;
  }
  const uint64_t room = ranks_[order_[at + 1].index()] - before;
  ranks_[id.index()] = before + std::min(room / 2, kStep);
  if (room < 2) renumber();
}

bool Graph::is_in_order(NodeId id) const {
  const auto ready = [&](ValueId operand) {
    if (!operand.valid()) return true;
    const NodeId producer = value(operand).producer;
    return !producer.valid() || comes_before(producer, id);
  };
  const Node& current = node(id);
  return std::all_of(current.inputs.begin(), current.inputs.end(), ready) &&
         std::all_of(current.implicit_inputs.begin(), current.implicit_inputs.end(), ready);
}

bool Graph::is_sorted() const {
  std::vector<bool> done(nodes_.size(), false);
  const auto ready = [&](ValueId id) {
    if (!id.valid()) return true;
    const NodeId producer = value(id).producer;
    return !producer.valid() || done[producer.index()];
  };
  for (NodeId id : order_) {
    const Node& current = node(id);
    if (!std::all_of(current.inputs.begin(), current.inputs.end(), ready)) return false;
    if (!std::all_of(current.implicit_inputs.begin(), current.implicit_inputs.end(), ready)) {
      return false;
    }
    done[id.index()] = true;
  }
  return true;
}

Status Graph::sort() {
  std::vector<size_t> position(nodes_.size(), 0);
  std::vector<size_t> waiting(nodes_.size(), 0);
  for (size_t i = 0; i < order_.size(); ++i) position[order_[i].index()] = i;
  // Of all nodes that are ready the one that came first before: a stable order.
  using Entry = std::pair<size_t, NodeId>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
  for (NodeId id : order_) {
    size_t count = 0;
    const auto count_produced = [&](ValueId operand) {
      if (operand.valid() && value(operand).producer.valid()) ++count;
    };
    std::for_each(node(id).inputs.begin(), node(id).inputs.end(), count_produced);
    std::for_each(node(id).implicit_inputs.begin(), node(id).implicit_inputs.end(), count_produced);
    waiting[id.index()] = count;
    if (count == 0) ready.emplace(position[id.index()], id);
  }
  std::vector<NodeId> sorted;
  sorted.reserve(order_.size());
  while (!ready.empty()) {
    const NodeId id = ready.top().second;
    ready.pop();
    sorted.push_back(id);
    for (ValueId output : node(id).outputs) {
      if (!output.valid()) continue;
      for (const Use& use : uses(output)) {
        if (--waiting[use.node.index()] == 0) ready.emplace(position[use.node.index()], use.node);
      }
    }
  }
  if (sorted.size() != order_.size()) {
    std::string names;
    size_t listed = 0;
    for (NodeId id : order_) {
      if (waiting[id.index()] == 0) continue;
      if (++listed > 4) {
        names += ", ...";
        break;
      }
      names += cat(listed > 1 ? ", " : "", describe(*this, id));
    }
    return malformed("a cycle holds or feeds these nodes: ", names);
  }
  order_ = std::move(sorted);
  renumber();
  ++revision_;
  return {};
}

}  // namespace octet::ir
