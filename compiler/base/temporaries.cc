#include "compiler/base/temporaries.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <csignal>
#include <cstring>

#include "compiler/base/files.h"

namespace octet {
namespace {

enum SlotState : int { kFree, kReserved, kLive };

struct Slot {
  std::atomic<int> state{kFree};
  std::array<char, PATH_MAX> path{};
};

// A handler can reach nothing but global data, and nothing that takes a lock.
std::array<Slot, 32> slots;
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void octet_remove_temporaries(int signal_number) {
  for (Slot& slot : slots) {
    if (slot.state.load(std::memory_order_acquire) == kLive) unlink(slot.path.data());
  }
  // The default action ends the process with the status that the caller expects.
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

}  // namespace

namespace internal {

RegisteredTemporary::RegisteredTemporary(const std::string& path) : slot_(-1) {
  if (path.size() >= PATH_MAX) return;
  for (size_t i = 0; i < slots.size(); ++i) {
    int expected = kFree;
    if (!slots[i].state.compare_exchange_strong(expected, kReserved)) continue;
    std::memcpy(slots[i].path.data(), path.c_str(), path.size() + 1);
    slots[i].state.store(kLive, std::memory_order_release);
    slot_ = static_cast<int>(i);
    return;
  }
}

RegisteredTemporary::~RegisteredTemporary() {
  if (slot_ >= 0) slots[static_cast<size_t>(slot_)].state.store(kFree, std::memory_order_release);
}

}  // namespace internal

void remove_temporaries_on_signal() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
    struct sigaction action {};
    // What is ignored stays so: nohup, a shell's background jobs.
    if (sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = octet_remove_temporaries;
    sigfillset(&action.sa_mask);
    sigaction(number, &action, nullptr);
  }
  signal(SIGXFSZ, SIG_IGN);
}

}  // namespace octet
