// Progress on stderr: one line that is rewritten, with an estimate of the time left, on a terminal;
// a line per quarter elsewhere; nothing with --quiet.
#pragma once

#include <chrono>
#include <string>

#include "tools/octet/invocation.h"

namespace octet::tools {

class Progress {
 public:
  // `what` is going on, counted in `units`.
  Progress(const Invocation& invocation, std::string what, std::string units = "samples");
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(size_t done, size_t all);

 private:
  std::string what_;
  std::string units_;
  bool shown_;
  bool terminal_;
  bool open_ = false;  // a line without its end stands on the terminal
  size_t last_quarter_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point drawn_ = start_;
};

}  // namespace octet::tools
