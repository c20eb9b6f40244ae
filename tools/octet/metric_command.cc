#include "tools/octet/metric_command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstring>
#include <string_view>

#include "compiler/base/names.h"

namespace octet::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr size_t kKept = size_t{64} << 10;
constexpr std::string_view kCure =
    "; try it by hand with a model in the place of {}: it has to print its metric last and end "
    "with "
    "status 0";

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close_now(); }
  void close_now() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  void set(int fd) { fd_ = fd; }
  int get() const { return fd_; }

 private:
  int fd_;
};

struct Pipe {
  Descriptor read;
  Descriptor write;
  bool open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    read.set(ends[0]);
    write.set(ends[1]);
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
  }
};

std::string quoted(const std::string& path) {
  std::string out = "'";
  for (const char c : path) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string with_path(const std::string& command, const std::string& path) {
  std::string out;
  size_t at = 0;
  bool found = false;
  for (size_t hit = command.find("{}"); hit != std::string::npos; hit = command.find("{}", at)) {
    out += command.substr(at, hit - at) + quoted(path);
    at = hit + 2;
    found = true;
  }
  out += command.substr(at);
  return found ? out : out + " " + quoted(path);
}

// Takes what is there; the end of it is kept.
void drain(const Descriptor& from, std::string& to) {
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t got = read(from.get(), buffer.data(), buffer.size());
    if (got <= 0) return;
    to.append(buffer.data(), static_cast<size_t>(got));
    if (to.size() > 2 * kKept) to.erase(0, to.size() - kKept);
  }
}

std::string_view last_word(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t end = text.find_last_not_of(kSpace);
  if (end == std::string_view::npos) return {};
  const size_t before = text.find_last_of(kSpace, end);
  return text.substr(before == std::string_view::npos ? 0 : before + 1, end - before);
}

std::string_view last_line(std::string_view text) {
  const size_t end = text.find_last_not_of("\r\n");
  if (end == std::string_view::npos) return {};
  const size_t before = text.find_last_of("\r\n", end);
  return text.substr(before == std::string_view::npos ? 0 : before + 1, end - before);
}

// In the child, between fork and exec: system calls only.
[[noreturn]] void become_shell(const char* line, int out, int err) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  signal(SIGINT, SIG_DFL);
  execl("/bin/sh", "sh", "-c", line, static_cast<char*>(nullptr));
  _exit(127);
}

struct Finished {
  bool in_time = false;
  int status = 0;
  std::string out;
  std::string err;
};

Finished watch(pid_t child, const Pipe& out, const Pipe& err, milliseconds time_limit) {
  const auto end = steady_clock::now() + time_limit;
  Finished done;
  pollfd watched[2] = {{out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}};
  while (steady_clock::now() < end) {
    poll(watched, 2, 5);
    drain(out.read, done.out);
    drain(err.read, done.err);
    // A closed pipe would make poll return at once, over and over.
    for (pollfd& each : watched) {
      if ((each.revents & (POLLHUP | POLLERR)) != 0) each.fd = -1;
    }
    if (waitpid(child, &done.status, WNOHANG) != 0) {
      done.in_time = true;
      break;
    }
  }
  kill(-child, SIGKILL);  // whatever it left behind
  if (!done.in_time) waitpid(child, &done.status, 0);
  drain(out.read, done.out);
  drain(err.read, done.err);
  return done;
}

}  // namespace

Result<double> run_metric_command(const std::string& command, const std::string& model_path,
                                  milliseconds time_limit) {
  const std::string line = with_path(command, model_path);
  const std::string name = cat("--metric-command ", quote_name(command));
  Pipe out;
  Pipe err;
  if (!out.open() || !err.open()) return io_error(name, ": ", std::strerror(errno));
  const pid_t child = fork();
  if (child < 0) return io_error(name, ": ", std::strerror(errno));
  if (child == 0) become_shell(line.c_str(), out.write.get(), err.write.get());
  setpgid(child, child);  // whoever is first
  out.write.close_now();
  err.write.close_now();
  const Finished done = watch(child, out, err, time_limit);
  if (!done.in_time) {
    return resource_limit(name, " was not done after ",
                          static_cast<double>(time_limit.count()) / 1000.0,
                          " s and was ended; --metric-timeout gives it longer");
  }
  if (!WIFEXITED(done.status) || WEXITSTATUS(done.status) != 0) {
    const std::string_view said = last_line(done.err);
    const std::string how = WIFEXITED(done.status) ? cat("status ", WEXITSTATUS(done.status))
                                                   : cat("signal ", WTERMSIG(done.status));
    return usage_error(name, " ended with ", how, said.empty() ? "" : ": ",
                       said.empty() ? "" : quote_name(said), kCure);
  }
  const std::string_view word = last_word(done.out);
  double value = 0.0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), value);
  const bool whole = !word.empty() && parsed.ec == std::errc() &&
                     parsed.ptr == word.data() + word.size() && std::isfinite(value);
  if (!whole) {
    return usage_error(name, " prints no number last on stdout",
                       word.empty() ? "" : cat(", but ", quote_name(word)), kCure);
  }
  return value;
}

}  // namespace octet::tools
