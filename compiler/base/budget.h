// The memory that a model may ask for, charged before it is taken.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "compiler/base/result.h"

namespace octet {

class MemoryBudget {
 public:
  explicit MemoryBudget(int64_t limit_bytes) : limit_(limit_bytes) {}

  // The smaller of half the machine's memory and 8 GiB.
  static int64_t default_limit_bytes();

  // Fails with kResourceLimit, and charges nothing, when `bytes` more would pass the limit.
  Status charge(int64_t bytes);
  void release(int64_t bytes) { used_ -= bytes; }

  int64_t used() const { return used_; }
  int64_t limit() const { return limit_; }

 private:
  int64_t limit_;
  std::atomic<int64_t> used_{0};
};

}  // namespace octet
