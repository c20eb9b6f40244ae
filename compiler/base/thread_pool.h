// Work over independent indices on a number of threads.
#pragma once

#include <cstddef>
#include <functional>

#include "compiler/base/result.h"

namespace octet {

// The number of threads this process may run on at once; at least 1.
size_t hardware_threads();

// Calls work(worker, index) for every index in [0, count), on `threads` threads. `worker` is in
// [0, threads) and no two calls with the same worker overlap, so per-worker state needs no lock.
// Which worker gets which index is not determined: results must not depend on it. Returns the
// error of the lowest index that failed; indices after a failure may be skipped, never ones before.
Status parallel_for(size_t threads, size_t count,
                    const std::function<Status(size_t worker, size_t index)>& work);

}  // namespace octet
