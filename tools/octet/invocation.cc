#include "tools/octet/invocation.h"

#include <charconv>
#include <iostream>

#include "compiler/base/budget.h"
#include "compiler/base/checked.h"
#include "compiler/base/names.h"
#include "compiler/base/thread_pool.h"

namespace octet::tools {

size_t Invocation::thread_count() const { return threads == 0 ? hardware_threads() : threads; }

Result<int64_t> Invocation::memory_limit() const {
  if (max_memory.empty()) return MemoryBudget::default_limit_bytes();
  int64_t number = 0;
  const char* const end = max_memory.data() + max_memory.size();
  const auto parsed = std::from_chars(max_memory.data(), end, number);
  const std::string unit(parsed.ptr, end);
  int shift = -1;
  if (unit.empty() || unit == "B") shift = 0;
  if (unit == "KiB" || unit == "K") shift = 10;
  if (unit == "MiB" || unit == "M") shift = 20;
  if (unit == "GiB" || unit == "G") shift = 30;
  const auto bytes = shift < 0 ? std::nullopt : checked_mul(number, int64_t{1} << shift);
  if (parsed.ec != std::errc() || !bytes || *bytes <= 0) {
    return usage_error("--max-memory ", quote_name(max_memory),
                       ": give a number of bytes, with KiB, MiB or GiB behind it");
  }
  return *bytes;
}

CLI::App& add_verb(CLI::App& app, Invocation& invocation, const std::string& name,
                   const std::string& description, const std::string& examples) {
  CLI::App& verb = *app.add_subcommand(name, description);
  verb.footer("Examples:\n" + examples);
  verb.add_flag("--json", invocation.json, "Print the result as JSON");
  verb.add_flag("-q,--quiet", invocation.quiet, "No progress and no notes on stderr");
  verb.add_flag("-v,--verbose", invocation.verbose, "Details on stderr");
  return verb;
}

void print_result(const std::string& text) { std::cout << text << std::flush; }
void print_result(const Json& json) {
  std::cout << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n' << std::flush;
}

}  // namespace octet::tools
