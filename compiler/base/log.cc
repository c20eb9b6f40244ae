// The one file that knows spdlog.
#include "compiler/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace octet {
namespace {

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto created = std::make_shared<spdlog::logger>(
        "octet", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    created->set_pattern("octet: %l: %v");
    return created;
  }();
  return *instance;
}

}  // namespace

void set_log_level(LogLevel level) {
  switch (level) {
    case LogLevel::kQuiet:
      logger().set_level(spdlog::level::err);
      break;
    case LogLevel::kNormal:
      logger().set_level(spdlog::level::info);
      break;
    case LogLevel::kVerbose:
      logger().set_level(spdlog::level::debug);
      break;
  }
}

void log_detail(std::string_view message) { logger().debug("{}", message); }
void log_info(std::string_view message) { logger().info("{}", message); }
void log_warning(std::string_view message) { logger().warn("{}", message); }

}  // namespace octet
