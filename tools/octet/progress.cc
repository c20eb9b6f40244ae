#include "tools/octet/progress.h"

#include <unistd.h>

#include <iostream>

#include "compiler/base/log.h"

namespace octet::tools {

using std::chrono::duration;
using std::chrono::steady_clock;

Progress::Progress(const Invocation& invocation, std::string what, std::string units)
    : what_(std::move(what)),
      units_(std::move(units)),
      shown_(!invocation.quiet),
      terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (open_) std::cerr << '\n';
}

void Progress::update(size_t done, size_t all) {
  if (!shown_ || all == 0) return;
  const auto now = steady_clock::now();
  const double spent = duration<double>(now - start_).count();
  if (terminal_) {
    if (done < all && duration<double>(now - drawn_).count() < 0.1) return;
    drawn_ = now;
    const double left = spent / static_cast<double>(done) * static_cast<double>(all - done);
    std::cerr << '\r' << what_ << ": " << done << " of " << all << ' ' << units_ << ", "
              << static_cast<int>(left + 0.5) << " s left   " << std::flush;
    open_ = true;
    return;
  }
  const size_t quarter = done * 4 / all;
  if (quarter == last_quarter_) return;
  last_quarter_ = quarter;
  log_info(cat(what_, ": ", done, " of ", all, " ", units_));
}

}  // namespace octet::tools
