// The command line as its users have it: the real program in a process of its own.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/data_files.h"

namespace octet::test {

inline std::string file_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Names of everything in a folder, sorted; hidden files too.
inline std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

struct RunOptions {
  std::chrono::seconds time_limit{120};
  std::optional<size_t> file_size_limit = std::nullopt;  // RLIMIT_FSIZE, in bytes
  std::string stdout_file = {};                          // instead of capturing it
  // Where the test runs as root, whom no permission holds back.
  enum class User { kSame, kNobodyIfRoot } user = User::kSame;
};

struct RunResult {
  int exit_code = -1;  // 128 + n when signal n ended it
  double seconds = 0.0;
  int64_t peak_bytes = 0;  // greatest resident set
  bool timed_out = false;
  std::string out;
  std::string err;

  size_t error_lines() const {
    return static_cast<size_t>(std::count(err.begin(), err.end(), '\n'));
  }
};

namespace internal {

// In the child, between fork and exec: system calls only.
[[noreturn]] inline void become(int program, const std::vector<char*>& arguments, int out, int err,
                                const RunOptions& options) {
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  if (options.file_size_limit) {
    const rlimit limit{*options.file_size_limit, *options.file_size_limit};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  if (options.user == RunOptions::User::kNobodyIfRoot && getuid() == 0) {
    constexpr unsigned kNobody = 65534;
    if (setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(126);
  }
  fexecve(program, arguments.data(), environ);
  _exit(127);
}

inline void wait_for(pid_t child, const RunOptions& options, RunResult& result) {
  const auto start = std::chrono::steady_clock::now();
  int status = 0;
  rusage usage{};
  while (wait4(child, &status, WNOHANG, &usage) == 0) {
    if (!result.timed_out && std::chrono::steady_clock::now() > start + options.time_limit) {
      result.timed_out = true;
      kill(child, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  const auto end = std::chrono::steady_clock::now();
  result.seconds = std::chrono::duration<double>(end - start).count();
  result.peak_bytes = int64_t{usage.ru_maxrss} * 1024;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace internal

// Runs `octet ARGUMENTS`.
inline RunResult run_octet(const std::vector<std::string>& arguments,
                           const RunOptions& options = {}) {
  const DataFolder folder;
  std::vector<std::string> texts = {"octet"};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);

  const std::string out_path =
      options.stdout_file.empty() ? folder.path("stdout") : options.stdout_file;
  const int program = open(OCTET_BINARY, O_RDONLY | O_CLOEXEC);
  const int out = open(out_path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  const int err = open(folder.path("stderr").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  const pid_t child = fork();
  if (child == 0) internal::become(program, pointers, out, err, options);
  close(program);
  close(out);
  close(err);

  RunResult result;
  internal::wait_for(child, options, result);
  if (options.stdout_file.empty()) result.out = file_bytes(out_path);
  result.err = file_bytes(folder.path("stderr"));
  return result;
}

}  // namespace octet::test
