// What the verbs share: the options every one has, and where to put what it does.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "compiler/base/result.h"

namespace octet::tools {

// Keys in the order they were put in: what a person reads first comes first.
using Json = nlohmann::ordered_json;

struct Invocation {
  // Set by the verb that was given; run after parsing.
  std::function<Status()> action;

  bool json = false;
  bool quiet = false;
  bool verbose = false;
  size_t threads = 0;      // 0: all that the process may use
  std::string max_memory;  // "2GiB"; empty: the default budget

  size_t thread_count() const;
  Result<int64_t> memory_limit() const;
};

// Adds a verb with its one-sentence description, the shared options and the examples of --help.
CLI::App& add_verb(CLI::App& app, Invocation& invocation, const std::string& name,
                   const std::string& description, const std::string& examples);

// Results go to stdout: text as it is, JSON with two spaces of indent.
void print_result(const std::string& text);
void print_result(const Json& json);

}  // namespace octet::tools
