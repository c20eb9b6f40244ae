#include "tools/octet/interruption.h"

#include <atomic>
#include <csignal>

namespace octet::tools {
namespace {

// A handler can reach nothing but global data.
std::atomic<bool> requested_flag{false};
std::atomic<bool> caught{false};
struct sigaction before {};
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void octet_request_end(int /*signal_number*/) {
  requested_flag.store(true, std::memory_order_relaxed);
  sigaction(SIGINT, &before, nullptr);
}

}  // namespace

Interruption::~Interruption() {
  if (caught.exchange(false)) sigaction(SIGINT, &before, nullptr);
}

void Interruption::catch_signal() {
  requested_flag.store(false);
  if (sigaction(SIGINT, nullptr, &before) != 0) return;
  // What is ignored stays so: a shell's background jobs.
  if (before.sa_handler == SIG_IGN) return;
  struct sigaction action {};
  action.sa_handler = octet_request_end;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  caught.store(sigaction(SIGINT, &action, nullptr) == 0);
}

bool Interruption::requested() const { return requested_flag.load(std::memory_order_relaxed); }

}  // namespace octet::tools
