#include "compiler/base/budget.h"

#include <unistd.h>

#include <algorithm>

namespace octet {

int64_t MemoryBudget::default_limit_bytes() {
  constexpr int64_t kCeiling = int64_t{8} << 30;
  const int64_t pages = sysconf(_SC_PHYS_PAGES);
  const int64_t page_size = sysconf(_SC_PAGE_SIZE);
  if (pages <= 0 || page_size <= 0) return kCeiling;
  return std::min(kCeiling, pages * page_size / 2);
}

Status MemoryBudget::charge(int64_t bytes) {
  int64_t used = used_;
  do {
    if (bytes < 0 || bytes > limit_ - used) {
      return resource_limit("needs ", bytes, " bytes more, of a budget of ", limit_, " with ", used,
                            " in use; raise it with --max-memory");
    }
  } while (!used_.compare_exchange_weak(used, used + bytes));
  return {};
}

}  // namespace octet
