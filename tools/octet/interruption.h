// SIGINT as a request to come to an end, while something runs that keeps the best it has so far.
#pragma once

namespace octet::tools {

class Interruption {
 public:
  Interruption() = default;
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  // SIGINT does again what it did before.
  ~Interruption();

  // From now on the first SIGINT is remembered; a second one does what it did before. One object at
  // a time.
  void catch_signal();
  bool requested() const;
};

}  // namespace octet::tools
