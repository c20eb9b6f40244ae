#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace octet::accuracy {

// Union-find whose representative is the least member.
class DisjointSets {
 public:
  size_t size() const { return parent_.size(); }
  void grow(size_t count) {
    for (size_t i = 0; i < count; ++i) parent_.push_back(parent_.size());
  }
  void unite(size_t a, size_t b) {
    const size_t x = find(a);
    const size_t y = find(b);
    parent_[std::max(x, y)] = std::min(x, y);
  }
  std::vector<size_t> roots() {
    std::vector<size_t> out(parent_.size());
    for (size_t i = 0; i < out.size(); ++i) out[i] = find(i);
    return out;
  }

 private:
  size_t find(size_t at) {
    while (parent_[at] != at) {
      parent_[at] = parent_[parent_[at]];
      at = parent_[at];
    }
    return at;
  }
  std::vector<size_t> parent_;
};

}  // namespace octet::accuracy
