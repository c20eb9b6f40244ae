// Names of temporary files that must go when a signal ends the process.
#pragma once

#include <string>

namespace octet::internal {

// Holds one path in a table that a signal handler can read. The path is unlinked by the handler as
// long as the object lives.
class RegisteredTemporary {
 public:
  explicit RegisteredTemporary(const std::string& path);
  RegisteredTemporary(const RegisteredTemporary&) = delete;
  RegisteredTemporary& operator=(const RegisteredTemporary&) = delete;
  ~RegisteredTemporary();

 private:
  int slot_;
};

}  // namespace octet::internal
